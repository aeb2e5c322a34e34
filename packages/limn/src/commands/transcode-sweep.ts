// `limn transcode sweep`: dictionaries of several sparsities, kinds and seeds from one stream, measured alike; draws the frontier and recommends a setting.
import { isDeepStrictEqual } from 'node:util';
import { LimnError, type Gpu } from '@limn/gpu';
import { dictionariesPage, dictionariesToJson } from '@limn/report';
import type { Command } from 'commander';
import type { CommandContext } from '../context.js';
import { openDevice } from '../device.js';
import { trainingData } from '../dictionary-data.js';
import { dictionaryProvenance } from '../dictionary-provenance.js';
import { dictionariesRecord, type MeasuredSetting } from '../dictionary-record.js';
import { openDictionaryRun, type DictionaryRun } from '../dictionary-run.js';
import {
  DICTIONARY_KINDS,
  hasK,
  layersOf,
  type DictionaryKind,
  type DictionarySetting,
} from '../dictionary-settings.js';
import { measuredOf, nameIn, neuronFigures, trainRange, type Sweep } from '../dictionary-sweep.js';
import { openGivenModel } from '../given-model.js';
import { tableLines } from '../measured-dictionaries.js';
import { notedLosses, onNewDevices } from '../new-devices.js';
import { recommend } from '../recommended-setting.js';
import { integerOption, nameOption, numberOption, partOption } from '../shared-options.js';
import { streamOf } from '../trained-set.js';
import {
  commonSettings,
  dataRequest,
  labelledOf,
  withTranscodeOptions,
  type TranscodeOptions,
} from './transcode-options.js';
import { expectSparsity } from './transcode-sparsity.js';

interface TranscodeSweepOptions extends TranscodeOptions {
  readonly kind: readonly DictionaryKind[];
  readonly l0?: readonly number[];
  readonly k?: readonly number[];
  readonly l1?: readonly number[];
  readonly seeds: number;
  readonly neurons?: boolean;
  readonly targetL0?: number;
  readonly targetRecovered?: number;
}

const RUN = { schema: 'limn.dictionary-sweep', command: 'limn transcode sweep' } as const;
const SPARSITIES = [4, 8, 16, 32, 64];

export function addTranscodeSweepCommand(transcode: Command, context: CommandContext): void {
  withTranscodeOptions(transcode.command('sweep'))
    .description(
      'train several sparsities, kinds and seeds from one stream; writes a set for each, result.json and report.html with the frontier, and says which to take',
    )
    .option('--kind <names>', `kinds separated by commas: ${DICTIONARY_KINDS.join(', ')}`, kindsOption, ['transcoder'])
    .option('--l0 <list>', 'of top-k and batch-top-k: values of L0, the same as --k', listOption('--l0'))
    .option('--k <list>', `of top-k and batch-top-k: values of k (default: ${SPARSITIES.join(',')})`, listOption('--k'))
    .option('--l1 <list>', 'of relu and jump-relu: values of λ', weightsOption)
    .option('--seeds <n>', 'how many seeds, from --seed on', integerOption('--seeds', 1), 1)
    .option('--neurons', 'also keep as many neurons of the MLPs, of top-k and batch-top-k')
    .option('--target-l0 <x>', 'recommend the most faithful setting with at most this L0', numberOption('--target-l0'))
    .option(
      '--target-recovered <part>',
      'recommend the sparsest setting that recovers this share of the loss (default: 0.95)',
      partOption('--target-recovered'),
    )
    .action((options: TranscodeSweepOptions) => run(options, context));
}

const kindsOption = (text: string): DictionaryKind[] =>
  text.split(',').map((name) => nameOption('--kind', 'kind', DICTIONARY_KINDS)(name.trim()));
const listOption =
  (name: string) =>
  (text: string): number[] =>
    text.split(',').map((part) => integerOption(name, 1)(part.trim()));
const weightsOption = (text: string): number[] => text.split(',').map((part) => numberOption('--l1')(part.trim()));

async function run(options: TranscodeSweepOptions, context: CommandContext): Promise<void> {
  const { activation, k, l0, l1, targetL0, targetRecovered } = options;
  expectSparsity(activation, {
    k: l0 ? '--l0' : k ? '--k' : undefined,
    l1: l1 ? '--l1' : undefined,
  });
  if ((k && l0) || (targetL0 !== undefined && targetRecovered !== undefined))
    throw new LimnError(
      'usage/dictionary-sweep',
      k && l0
        ? '--l0 and --k are the same list: give one'
        : '--target-l0 and --target-recovered are two rules: give one',
    );
  const folder = await openDictionaryRun(options.out, options.resume, RUN);
  try {
    await onNewDevices(
      () => openDevice(context, { work: { folder: folder.path, started: folder.earlier !== undefined } }),
      ({ gpu }) => sweepOn(gpu, folder, options, context),
      notedLosses(context),
    );
  } finally {
    await folder.release();
  }
}

async function sweepOn(
  gpu: Gpu,
  folder: DictionaryRun,
  options: TranscodeSweepOptions,
  context: CommandContext,
): Promise<void> {
  const { console, signal } = context;
  using model = await openGivenModel(gpu, options.model, options, context);
  const { kind: kinds, seed, seeds, targetL0, targetRecovered } = options;
  const common = commonSettings(options, model);
  const sparsities = [...new Set(options.l0 ?? options.k ?? options.l1 ?? SPARSITIES)].sort((a, b) => a - b);
  const settings = [...new Set(kinds)].flatMap((kind) =>
    sparsities.flatMap((sparsity) =>
      Array.from({ length: seeds }, (_, i): DictionarySetting => ({ kind, sparsity, seed: seed + i })),
    ),
  );
  const layers = layersOf(options.layers, model.hooked.info);
  // Before any training.
  labelledOf(options, model);
  const data = await trainingData(model, dataRequest(options, model), seed);
  const stream = streamOf(options, model, data);
  const { fingerprint, processing } = model.hooked.info;
  const { heldOut, general } = data;
  const asked = {
    model: { fingerprint, processing },
    settings,
    layers,
    ...common,
    ...stream.words,
    data: stream.options.data ?? null,
    measured: [heldOut, general].map((each) => each && { name: each.name, sequences: each.sequences.length }),
    interpretability: options.interpretability === true,
  };
  const provenance = dictionaryProvenance(gpu, model, context, {
    seed,
    data,
    stream,
    common,
    layers,
    asked: { kinds: kinds.join(','), sparsities: sparsities.join(','), seeds },
  });
  const about = { command: RUN.command, asked, data: stream.data, provenance };
  expectAsked(folder, asked);
  const sweep: Sweep = { folder, options, context, model, data, common, stream, settings, layers, about, provenance };
  await trainRange(sweep, 0, settings.length);
  const measured = settings.map((setting): MeasuredSetting => {
    const name = nameIn(sweep, setting);
    return {
      name,
      kind: setting.kind,
      setting: `${hasK(common.activation) ? 'k' : 'λ'} = ${setting.sparsity}`,
      seed: setting.seed,
      features: common.features,
      measured: measuredOf(sweep, setting),
    };
  });
  const neurons = options.neurons && hasK(common.activation) ? await neuronFigures(sweep, sparsities) : [];
  const recommended = recommend(measured, {
    ...(targetL0 === undefined ? {} : { l0: targetL0 }),
    ...(targetRecovered === undefined ? {} : { recovered: targetRecovered }),
  });
  const record = dictionariesRecord({
    title: `${kinds.join(', ')} of ${model.name}, ${common.activation}, ${common.features} features`,
    provenance,
    settings: measured,
    neurons,
    recommended,
  });
  await folder.writeText('result.json', dictionariesToJson(record));
  await folder.writeText('report.html', dictionariesPage(record));
  signal.throwIfAborted();
  await folder.writeAbout('finished', { ...about, recommended });
  for (const line of frontierLines(measured, recommended.name)) console.say(line);
  console.say(recommended.rule);
  console.say(`written to ${folder.path}: result.json, report.html and a set for each setting`);
  console.result({
    ok: true,
    command: 'transcode sweep',
    out: folder.path,
    recommended,
    settings: measured.map(({ name, setting, seed: own, measured: { own: on, gaps } }) => ({
      name,
      setting,
      seed: own,
      dictionaries: on.figures.dictionaries,
      together: on.figures.together,
      ...(gaps ? { gaps } : {}),
    })),
    neurons,
    provenance,
  });
}

/** @throws LimnError `checkpoint/other-settings` */
function expectAsked({ earlier, path }: DictionaryRun, asked: object): void {
  if (!earlier || isDeepStrictEqual(earlier['asked'], JSON.parse(JSON.stringify(asked)))) return;
  throw new LimnError('checkpoint/other-settings', `the sweep in ${path} was begun with other settings or other text`, {
    details: { saved: earlier['asked'], now: asked },
    hint: 'Use the same settings, or another folder.',
  });
}

/** A line for each setting and layer; the recommended one is marked. */
function frontierLines(settings: readonly MeasuredSetting[], recommended: string): string[] {
  return tableLines(
    ['', 'layer', 'L0', 'FVU', 'dead', 'recovered', 'KL'],
    settings.flatMap(({ name, measured }) =>
      measured.own.figures.dictionaries.map(({ layer, l0, fvu, deadShare, recovered, divergence }) => [
        `${name === recommended ? '→' : ' '} ${name}`,
        String(layer),
        l0.toFixed(1),
        fvu.toFixed(3),
        `${(100 * deadShare).toFixed(1)} %`,
        recovered.mean.loss.toFixed(3),
        divergence.toFixed(4),
      ]),
    ),
  );
}
