// A cross-layer transcoder from one tool's format to another's; with a model, only once its FVU shows that it means what is taken for granted.
import { LimnError } from '@limn/gpu';
import { blockHook, type HookName } from '@limn/hooks';
import {
  checkCrossLayerFits,
  conformedAcross,
  requireCrossLayerConvention,
  writeCrossLayerSet,
  writeDictionarySet,
  type ConventionReport,
  type CrossLayerConventionRows,
  type CrossLayerDictionaryConfig,
  type CrossLayerSet,
  type SetDescription,
  type StoredCrossLayer,
} from '@limn/transcoders';
import { dataRequest, type TextOptions } from './commands/transcode-options.js';
import { commandLine } from './command-line.js';
import type { CommandContext } from './context.js';
import { captureRows, gainOf, type CapturedRows } from './convention-rows.js';
import { openDevice } from './device.js';
import { evaluationData } from './dictionary-data.js';
import { exportNames, needsModel, type FolderFormat } from './dictionary-export.js';
import { saveDictionaryFiles } from './dictionary-files.js';
import { openGivenModel } from './given-model.js';
import type { OpenModel } from './model-source.js';
import { version } from './version.js';

/** How folders are converted. */
export interface ConversionOptions extends TextOptions {
  readonly to: FolderFormat;
  readonly model?: string;
  readonly name?: string;
}

/** Whether a folder of this format may hold a cross-layer transcoder. */
export const isOfCrossLayer = (format: FolderFormat | undefined): boolean =>
  format === undefined || format === 'limn' || format === 'circuit-tracer';

/**
 * Writes it into a folder; the report is undefined where nothing was measured.
 * @throws LimnError `usage/dictionary-export` for formats and activations that have no words for it; `usage/dictionary-convert`;
 * `data/dictionary-model`; as `requireCrossLayerConvention`
 */
export async function convertCrossLayer(
  set: StoredCrossLayer,
  options: ConversionOptions,
  draft: string,
  context: CommandContext,
): Promise<ConventionReport | undefined> {
  const { to, model: modelName, name } = options;
  if (to !== 'limn' && to !== 'circuit-tracer')
    throw new LimnError('usage/dictionary-export', `${to} has no way to write a cross-layer transcoder`, {
      details: { format: to },
      hint: '--to limn and --to circuit-tracer have',
    });
  const theirs = (of: CrossLayerSet, model: string | undefined) =>
    writeCrossLayerSet(of, exportNames([set], name, model));
  if (modelName === undefined) {
    if (to === 'limn')
      throw needsModel('limn’s format says which weights a dictionary is for', 'the model that it was trained on');
    context.console.note('no --model: whether the transcoder fits a model was not measured');
    await saveDictionaryFiles(draft, theirs(set, undefined));
    return undefined;
  }
  using device = await openDevice(context);
  using model = await openGivenModel(device.gpu, modelName, {}, context);
  const { config } = set;
  checkCrossLayerFits(config, model.hooked.info);
  const { own } = await evaluationData(model, dataRequest(options, model));
  const layers = Array.from({ length: config.layers }, (_, layer) => layer);
  const sites = layers.flatMap((layer): HookName[] => [
    blockHook(layer, config.input),
    blockHook(layer, 'hook_mlp_out'),
  ]);
  const captured = await captureRows(model.hooked, own.sequences, sites, context.signal);
  const gains = await Promise.all(layers.map((layer) => gainOf(model.hooked, layer)));
  const report = await requireCrossLayerConvention(device.gpu, set, rowsAcross(config, captured), {
    gains,
    ...(set.provenance.format === 'limn' ? { expects: { gain: 'kept', preBias: 'none' } } : {}),
  });
  const { gain, output, bos, fvu } = report.expected;
  const conformed = conformedAcross(set, { gain }, gains);
  const { format, file, training } = set.provenance;
  const member = {
    crossLayer: conformed,
    expects: { gain: 'kept', output, preBias: 'none', bos },
    figures: { fvu, measuredOn: own.name },
    training: { ...training, convertedFrom: { format, file } },
  } as const;
  await saveDictionaryFiles(
    draft,
    to === 'limn' ? writeDictionarySet(member, convertedDescription(model, context)) : theirs(conformed, modelName),
  );
  return report;
}

/** What a set says of itself that was converted for a model. */
export const convertedDescription = ({ hooked }: OpenModel, { words, env }: CommandContext): SetDescription => ({
  model: hooked.info,
  versions: { limn: version, node: process.versions.node },
  adapter: hooked.gpu.capabilities.adapter.description,
  command: commandLine(words, env),
});

function rowsAcross(
  { layers, input }: CrossLayerDictionaryConfig,
  captured: readonly CapturedRows[],
): CrossLayerConventionRows[] {
  return captured.map(({ bos, rows }) => {
    const at = (site: typeof input | 'hook_mlp_out'): Float32Array[] =>
      Array.from({ length: layers }, (_, layer) => rows.get(blockHook(layer, site)) ?? new Float32Array());
    return { bos, x: at(input), y: at('hook_mlp_out') };
  });
}
