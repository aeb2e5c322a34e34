// `limn transcode convert`: dictionaries from one tool's format to another's; with a model, only once their FVU shows that they mean what is taken for granted.
import { blockHook, type HookName } from '@limn/hooks';
import {
  conformed,
  gpuReconstruction,
  openCrossLayer,
  requireConvention,
  writeDictionarySet,
  type ConventionReport,
  type DictionaryConvention,
  type DictionaryFile,
  type Gain,
  type LoadedDictionary,
  type SetMember,
  type StoredCrossLayer,
  type StoredDictionary,
} from '@limn/transcoders';
import type { Command } from 'commander';
import { commandLine } from '../command-line.js';
import type { CommandContext } from '../context.js';
import { captureRows, gainOf, rowsFor } from '../convention-rows.js';
import {
  convertCrossLayer,
  convertedDescription,
  isOfCrossLayer,
  type ConversionOptions,
} from '../cross-layer-conversion.js';
import { openDevice } from '../device.js';
import { evaluationData } from '../dictionary-data.js';
import {
  exportFiles,
  exportNames,
  FOLDER_FORMATS,
  meantBy,
  needsModel,
  openFormat,
  type ExportedDictionary,
  type FolderFormat,
} from '../dictionary-export.js';
import { openDictionaryFolder, saveDictionaryFiles } from '../dictionary-files.js';
import { CROSS_LAYER_NAME, placeName } from '../dictionary-settings.js';
import { openGivenModel } from '../given-model.js';
import type { OpenModel } from '../model-source.js';
import { openOutputFolder } from '../output.js';
import { nameOption, withSharedOptions, type SharedOptions } from '../shared-options.js';
import { version } from '../version.js';
import { dataRequest, withTextOptions } from './transcode-options.js';

interface TranscodeConvertOptions extends SharedOptions, ConversionOptions {
  readonly from?: FolderFormat;
  readonly out: string;
}

/** What was converted, beside the files. */
const ABOUT = 'conversion.json';

export function addTranscodeConvertCommand(transcode: Command, context: CommandContext): void {
  withTextOptions(withSharedOptions(transcode.command('convert')))
    .description(
      'bring dictionaries, or a cross-layer transcoder, from one tool’s format to another’s; with --model measure first under which convention they fit it, and refuse where that is not what the files say',
    )
    .argument('<dir>', 'folder of dictionaries')
    .option(
      '--from <format>',
      `${FOLDER_FORMATS.join(', ')} (default: what the files say; pt is that of arXiv 2406.11944)`,
      nameOption('--from', 'format', FOLDER_FORMATS),
    )
    .requiredOption('--to <format>', FOLDER_FORMATS.join(', '), nameOption('--to', 'format', FOLDER_FORMATS))
    .requiredOption('--out <dir>', 'a new or empty folder')
    .option('--model <name>', 'the model that they are for, as it is published; limn’s own format needs it')
    .option('--name <name>', 'what other tools call the model (default: what the files say, or --model)')
    .action((folder: string, options: TranscodeConvertOptions) => run(folder, options, context));
}

async function run(folder: string, options: TranscodeConvertOptions, context: CommandContext): Promise<void> {
  const { console } = context;
  const output = openOutputFolder(options.out, { entries: [], mark: ABOUT });
  try {
    const files = await openDictionaryFolder(folder);
    const across = isOfCrossLayer(options.from) ? await openCrossLayer(files) : undefined;
    const each = across ? [] : await openFormat(files, options.from);
    const reports = across
      ? [await convertCrossLayer(across, options, output.draft, context)]
      : options.model === undefined
        ? await withoutModel(each, options, output.draft, context)
        : await forModel(each, options.model, options, output.draft, context);
    const stored: readonly (StoredDictionary | StoredCrossLayer)[] = across ? [across] : each;
    const about = {
      from: folder,
      to: options.to,
      dictionaries: stored.map(({ config, provenance }, i) => ({ config, provenance, convention: reports[i] ?? null })),
    };
    const versions = { limn: version, node: process.versions.node };
    const origin = { versions, commandLine: commandLine(context.words, context.env) };
    output.write(
      ABOUT,
      `${JSON.stringify({ schema: 'limn.conversion', version: 1, ...about, ...origin }, undefined, 1)}\n`,
    );
    context.signal.throwIfAborted();
    output.commit();
    for (const [i, { config, provenance }] of stored.entries()) {
      const report = reports[i];
      const fits = report ? `: FVU ${report.expected.fvu.toFixed(3)} under ${wordsOf(report.expected)}` : '';
      const place = 'layer' in config ? placeName(config.layer, config.input === 'hook_mlp_out') : CROSS_LAYER_NAME;
      console.say(`${place}, ${provenance.file}${fits}`);
      for (const note of provenance.notes) console.say(`  ${note}`);
    }
    const what = across ? 'a cross-layer transcoder' : `${stored.length} dictionaries`;
    console.say(`written to ${output.path}: ${what} in the format ${options.to}`);
    console.result({ ok: true, command: 'transcode convert', out: output.path, ...about, ...origin });
  } finally {
    output.discard();
  }
}

const wordsOf = ({ gain, output, preBias, bos }: DictionaryConvention): string =>
  `γ ${gain}, output ${output}, pre-bias ${preBias}, ${bos ? 'with' : 'without'} BOS`;

/** Nothing is measured, so nothing may have to be changed. */
async function withoutModel(
  stored: readonly StoredDictionary[],
  options: TranscodeConvertOptions,
  draft: string,
  { console }: CommandContext,
): Promise<readonly undefined[]> {
  const { to, name } = options;
  if (to === 'limn')
    throw needsModel('limn’s format says which weights a dictionary is for', 'the model that they were trained on');
  const wanted = meantBy(to);
  for (const { config, provenance } of stored) {
    const gain = provenance.format === 'limn' ? 'kept' : provenance.expects.gain;
    if (config.input === 'ln2.hook_normalized' && gain !== wanted.gain)
      throw needsModel(
        `${provenance.file} reads inputs ${gain === undefined ? 'of which it does not say whether γ is in them' : gain === 'kept' ? 'with γ' : 'without γ'}, and ${to} takes them ${wanted.gain === 'kept' ? 'with' : 'without'}`,
        'the model whose γ and β that is',
      );
  }
  console.note('no --model: whether the dictionaries fit a model was not measured');
  const dictionaries = stored.map((each): ExportedDictionary => ({
    stored: each,
    read: () => each.read(),
    bos: each.provenance.expects.bos ?? true,
  }));
  await saveDictionaryFiles(draft, exportFiles(to, dictionaries, exportNames(stored, name, undefined)));
  return [];
}

async function forModel(
  stored: readonly StoredDictionary[],
  modelName: string,
  options: TranscodeConvertOptions,
  draft: string,
  context: CommandContext,
): Promise<readonly ConventionReport[]> {
  const { signal, console } = context;
  using device = await openDevice(context);
  using model = await openGivenModel(device.gpu, modelName, {}, context);
  const { own } = await evaluationData(model, dataRequest(options, model));
  const sites = [
    ...new Set(
      stored.flatMap(({ config: { layer, input } }): HookName[] => [
        blockHook(layer, input),
        blockHook(layer, 'hook_mlp_out'),
      ]),
    ),
  ];
  const captured = await captureRows(model.hooked, own.sequences, sites, signal);
  const reports: ConventionReport[] = [];
  for (const [i, each] of stored.entries()) {
    console.progress({ phase: 'measuring conventions', done: i, total: stored.length, unit: 'dictionaries' });
    reports.push(
      await requireConvention(await each.read(), rowsFor(each.config, captured), {
        gain: await gainOf(model.hooked, each.config.layer),
        reconstruct: gpuReconstruction(device.gpu),
        ...(each.provenance.format === 'limn' ? { expects: { gain: 'kept', preBias: 'none' } } : {}),
      }),
    );
  }
  console.endProgress();
  const dictionaries = await Promise.all(
    stored.map(async (each, i): Promise<ExportedDictionary> => {
      const { expected } = reports[i] as ConventionReport;
      const gain = await gainOf(model.hooked, each.config.layer);
      return { stored: each, read: async () => conform(await each.read(), expected, gain), bos: expected.bos, gain };
    }),
  );
  const files =
    options.to === 'limn'
      ? ownFiles(dictionaries, reports, model, own.name, context)
      : exportFiles(options.to, dictionaries, exportNames(stored, options.name, modelName));
  await saveDictionaryFiles(draft, files);
  return reports;
}

/** For the model as it is published. */
function conform(loaded: LoadedDictionary, convention: DictionaryConvention, gain: Gain): LoadedDictionary {
  const { config, provenance } = loaded;
  return { config, provenance, weights: conformed(loaded, convention, gain) };
}

function ownFiles(
  dictionaries: readonly ExportedDictionary[],
  reports: readonly ConventionReport[],
  model: OpenModel,
  measuredOn: string,
  context: CommandContext,
): AsyncGenerator<DictionaryFile> {
  const members = dictionaries.map(({ stored, read }, i): SetMember => {
    const { fvu, output, bos } = (reports[i] as ConventionReport).expected;
    const { format, file, training } = stored.provenance;
    return {
      config: stored.config,
      weights: async () => (await read()).weights,
      expects: { gain: 'kept', output, preBias: 'none', bos },
      figures: { fvu, measuredOn },
      training: { ...training, convertedFrom: { format, file } },
    };
  });
  return writeDictionarySet(members, convertedDescription(model, context));
}
