// `limn transcode train`: trains a dictionary for each layer, or a cross-layer transcoder, from one stream of activations, measures them, and writes the set with its model card.
import { LimnError, type Gpu } from '@limn/gpu';
import { dictionariesPage, dictionariesToJson } from '@limn/report';
import {
  planTraining,
  trainDictionaries,
  type TrainedDictionaries,
  type TrainingPlan,
  type TrainingSpec,
} from '@limn/transcoders';
import type { Command } from 'commander';
import type { CommandContext } from '../context.js';
import { openDevice } from '../device.js';
import { dictionaryCard } from '../dictionary-card.js';
import { trainingData, type TrainingData } from '../dictionary-data.js';
import { dictionaryProvenance } from '../dictionary-provenance.js';
import { dictionariesRecord } from '../dictionary-record.js';
import { openDictionaryRun, type DictionaryRun } from '../dictionary-run.js';
import {
  crossLayerSpecOf,
  hasK,
  layersOf,
  placeName,
  settingName,
  specOf,
  TRAINED_KINDS,
  type CommonSettings,
  type DictionarySetting,
  type TrainedKind,
} from '../dictionary-settings.js';
import { openGivenModel } from '../given-model.js';
import { allTogether, describeMeasured, measureDictionaries } from '../measured-dictionaries.js';
import type { OpenModel } from '../model-source.js';
import { notedLosses, onNewDevices } from '../new-devices.js';
import { integerOption, nameOption } from '../shared-options.js';
import { describeSet, describeTrainingPlan, progressOf, streamOf, endOf, type TrainingStream } from '../trained-set.js';
import { loadedSetOn, setOf, trainedApart } from '../trained-cross-layer.js';
import { expectSparsity } from './transcode-sparsity.js';
import {
  commonSettings,
  dataRequest,
  labelledOf,
  withTranscodeOptions,
  type TranscodeOptions,
} from './transcode-options.js';
import { weightOption } from './steer-options.js';

interface TranscodeTrainOptions extends TranscodeOptions {
  readonly kind: TrainedKind;
  readonly k?: number;
  readonly l1?: number;
  readonly plan: boolean;
}

const RUN = { schema: 'limn.dictionaries', command: 'limn transcode train' } as const;

export function addTranscodeTrainCommand(transcode: Command, context: CommandContext): void {
  withTranscodeOptions(transcode.command('train'))
    .description(
      'train a dictionary for each layer, or with --kind cross-layer one for all, from one stream of activations; writes a set in limn’s format, a model card, result.json and report.html',
    )
    .option(
      '--kind <name>',
      'transcoder: MLP in to MLP out; sae: MLP out to itself; skip: a transcoder with x·W_skip beside its features; cross-layer: one for all MLPs, whose features read at their layer and write there and at every layer behind it',
      nameOption('--kind', 'kind', TRAINED_KINDS),
      'transcoder',
    )
    .option(
      '--k <n>',
      'of top-k and batch-top-k: features that fire for a token (default: 16)',
      integerOption('--k', 1),
    )
    .option(
      '--l1 <λ>',
      'of relu: weight of Σ a; of jump-relu: of the number of features; of a cross-layer transcoder: of Σ ‖d‖·a, and of Σ tanh(‖d‖·a)',
      weightOption('--l1'),
    )
    .option('--plan', 'say what the training would take of the GPU, or that --memory is too little, and end', false)
    .action((options: TranscodeTrainOptions) => run(options, context));
}

async function run(options: TranscodeTrainOptions, context: CommandContext): Promise<void> {
  const { activation, k, l1 } = options;
  expectSparsity(activation, { k: k === undefined ? undefined : '--k', l1: l1 === undefined ? undefined : '--l1' });
  if (options.kind === 'cross-layer') expectAllLayers(options);
  const { console } = context;
  if (options.plan) return planOnly(options, context);
  const folder = await openDictionaryRun(options.out, options.resume, RUN);
  try {
    if (folder.started) console.note(`going on from the checkpoint in ${folder.path}`);
    await onNewDevices(
      () => openDevice(context, { work: { folder: folder.path, started: folder.started } }),
      ({ gpu }) => trainOn(gpu, folder, options, context),
      notedLosses(context),
    );
  } finally {
    await folder.release();
  }
}

/** @throws LimnError `usage/dictionary-cross-layer` for what only dictionaries of one layer have */
function expectAllLayers({ layers, interpretability }: TranscodeTrainOptions): void {
  const problem =
    layers !== 'all'
      ? `--layers ${layers.join(',')}: a cross-layer transcoder is trained for all layers`
      : interpretability
        ? '--interpretability scores dictionaries of one layer each'
        : undefined;
  if (problem !== undefined)
    throw new LimnError('usage/dictionary-cross-layer', problem, {
      hint: 'leave it out, or train --kind transcoder',
    });
}

/** What is trained, on what, for a model. */
interface Asked {
  readonly common: CommonSettings;
  readonly setting: DictionarySetting;
  readonly specs: readonly TrainingSpec[];
  readonly layers: readonly number[];
  readonly labelled: ReturnType<typeof labelledOf>;
  readonly data: TrainingData;
  readonly stream: TrainingStream;
}

async function askedOf(options: TranscodeTrainOptions, model: OpenModel): Promise<Asked> {
  const { info } = model.hooked;
  const { kind, seed } = options;
  const common = commonSettings(options, model);
  const setting: DictionarySetting = {
    kind,
    sparsity: (hasK(common.activation) ? (options.k ?? 16) : options.l1) as number,
    seed,
  };
  const layers = layersOf(options.layers, info);
  const specs =
    kind === 'cross-layer'
      ? [crossLayerSpecOf(info, setting, common)]
      : layers.map((layer) => specOf(info, { layer, name: placeName(layer, kind === 'sae') }, setting, common));
  const labelled = labelledOf(options, model);
  const data = await trainingData(model, dataRequest(options, model), seed);
  return { common, setting, specs, layers, labelled, data, stream: streamOf(options, model, data) };
}

/** @throws LimnError `memory/over-budget` */
const planOf = ({ specs, data, stream }: Asked, { hooked }: OpenModel): TrainingPlan =>
  planTraining(hooked, data.source, specs, stream.options);

async function planOnly(options: TranscodeTrainOptions, context: CommandContext): Promise<void> {
  using device = await openDevice(context);
  using model = await openGivenModel(device.gpu, options.model, options, context);
  const plan = planOf(await askedOf(options, model), model);
  context.console.say(describeTrainingPlan(plan));
  context.console.result({ ok: true, command: 'transcode train', plan });
}

async function trainOn(
  gpu: Gpu,
  folder: DictionaryRun,
  options: TranscodeTrainOptions,
  context: CommandContext,
): Promise<void> {
  const { console, signal } = context;
  using model = await openGivenModel(gpu, options.model, options, context);
  const { kind, seed, tokens } = options;
  const asked = await askedOf(options, model);
  const { common, setting, specs, layers, labelled, data, stream } = asked;
  console.note(describeTrainingPlan(planOf(asked, model)));
  const provenance = dictionaryProvenance(gpu, model, context, {
    seed,
    data,
    stream,
    common,
    layers,
    asked: { ...setting },
  });
  const about = {
    command: RUN.command,
    setting: settingName(setting, common.activation),
    data: stream.data,
    provenance,
  };
  let trained: TrainedDictionaries<TrainingSpec>;
  try {
    trained = await trainDictionaries(model.hooked, data.source, specs, {
      ...stream.options,
      signal,
      checkpoints: { store: folder.announced(about), every: options.checkpointEvery, allowDrift: options.allowDrift },
      onProgress: (record) => console.progress(progressOf(record)),
      onNotice: (line) => console.note(line),
    });
  } catch (error) {
    throw endOf(error, signal, folder);
  }
  const apart = trainedApart(trained);
  using set = loadedSetOn(gpu, apart);
  const measured = await measureDictionaries({
    model: model.hooked,
    dictionaries: set.dictionaries,
    crossLayer: set.crossLayer,
    own: data.heldOut,
    general: data.general,
    skip: stream.options.skip,
    together: allTogether(set.dictionaries),
    labelled,
    signal,
    memoryBytes: options.memory,
    onProgress: console.progress,
  });
  const description = describeSet(model, provenance, { ...stream, common });
  await folder.writeSet('.', setOf(apart, measured), description);
  await folder.writeText(
    'README.md',
    dictionaryCard({
      title: `${about.setting}, layers ${layers.join(', ')}`,
      description,
      specs,
      tokens: stream.tokens,
      data,
      skip: stream.options.skip,
      measured,
      features: set.featuresOf,
    }),
  );
  const record = dictionariesRecord({
    title: `${about.setting} of ${model.name}, ${common.activation}, ${common.features} features`,
    provenance,
    settings: [
      {
        name: about.setting,
        kind,
        setting: `${hasK(common.activation) ? 'k' : 'λ'} = ${setting.sparsity}`,
        seed,
        features: common.features,
        measured,
      },
    ],
  });
  await folder.writeText('result.json', dictionariesToJson(record));
  await folder.writeText('report.html', dictionariesPage(record));
  await folder.writeAbout('finished', { ...about, measured, history: trained.history });
  folder.removeCheckpoints();
  for (const line of describeMeasured(measured, set.featuresOf)) console.say(line);
  console.say(`written to ${folder.path}`);
  console.result({
    ok: true,
    command: 'transcode train',
    out: folder.path,
    resumedFrom: trained.resumedFrom,
    tokens,
    measured,
    provenance,
  });
}
