// `limn transcode train`: trains a dictionary for each layer from one stream of activations, measures them, and writes the set with its model card.
import type { Gpu } from '@limn/gpu';
import { dictionariesPage, dictionariesToJson } from '@limn/report';
import { trainDictionaries, type TrainedDictionaries } from '@limn/transcoders';
import type { Command } from 'commander';
import type { CommandContext } from '../context.js';
import { openDevice } from '../device.js';
import { dictionaryCard } from '../dictionary-card.js';
import { trainingData } from '../dictionary-data.js';
import { dictionariesRecord } from '../dictionary-record.js';
import { openDictionaryRun, type DictionaryRun } from '../dictionary-run.js';
import {
  DICTIONARY_KINDS,
  hasK,
  layersOf,
  placeName,
  settingName,
  specOf,
  type DictionaryKind,
  type DictionarySetting,
} from '../dictionary-settings.js';
import { openGivenModel } from '../given-model.js';
import { allTogether, describeMeasured, measureDictionaries } from '../measured-dictionaries.js';
import { notedLosses, onNewDevices } from '../new-devices.js';
import { integerOption, nameOption } from '../shared-options.js';
import { describeSet, loadedOn, membersOf, progressOf, streamOf, endOf } from '../trained-set.js';
import { provenanceOf } from '../provenance.js';
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
  readonly kind: DictionaryKind;
  readonly k?: number;
  readonly l1?: number;
}

const RUN = { schema: 'limn.dictionaries', command: 'limn transcode train' } as const;

export function addTranscodeTrainCommand(transcode: Command, context: CommandContext): void {
  withTranscodeOptions(transcode.command('train'))
    .description(
      'train a dictionary for each layer from one stream of activations; writes a set in limn’s format, a model card, result.json and report.html',
    )
    .option(
      '--kind <name>',
      'transcoder: MLP in to MLP out; sae: MLP out to itself; skip: a transcoder with x·W_skip beside its features',
      nameOption('--kind', 'kind', DICTIONARY_KINDS),
      'transcoder',
    )
    .option(
      '--k <n>',
      'of top-k and batch-top-k: features that fire for a token (default: 16)',
      integerOption('--k', 1),
    )
    .option('--l1 <λ>', 'of relu: weight of Σ a; of jump-relu: of the number of features', weightOption('--l1'))
    .action((options: TranscodeTrainOptions) => run(options, context));
}

async function run(options: TranscodeTrainOptions, context: CommandContext): Promise<void> {
  const { activation, k, l1 } = options;
  expectSparsity(activation, { k: k === undefined ? undefined : '--k', l1: l1 === undefined ? undefined : '--l1' });
  const { console } = context;
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

async function trainOn(
  gpu: Gpu,
  folder: DictionaryRun,
  options: TranscodeTrainOptions,
  context: CommandContext,
): Promise<void> {
  const { console, signal } = context;
  using model = await openGivenModel(gpu, options.model, {}, context);
  const { hooked } = model;
  const { kind, seed, tokens } = options;
  const common = commonSettings(options, model);
  const setting: DictionarySetting = {
    kind,
    sparsity: (hasK(common.activation) ? (options.k ?? 16) : options.l1) as number,
    seed,
  };
  const specs = layersOf(options.layers, hooked.info).map((layer) =>
    specOf(hooked.info, { layer, name: placeName(layer, kind === 'sae') }, setting, common),
  );
  const labelled = labelledOf(options, model);
  const data = await trainingData(model, dataRequest(options, model), seed);
  const stream = streamOf(options, model, data);
  const provenance = provenanceOf(gpu, model, context, {
    seed,
    prompts: data.heldOut.sequences.map((ids) => Array.from(ids)),
    prependBos: null,
    options: { ...setting, ...common, ...stream.words, layers: specs.map(({ config }) => config.layer).join(',') },
  });
  const about = {
    command: RUN.command,
    setting: settingName(setting, common.activation),
    data: stream.data,
    provenance,
  };
  let trained: TrainedDictionaries;
  try {
    trained = await trainDictionaries(hooked, data.source, specs, {
      ...stream.options,
      signal,
      checkpoints: { store: folder.announced(about), every: options.checkpointEvery, allowDrift: options.allowDrift },
      onProgress: (record) => console.progress(progressOf(record)),
      onNotice: (line) => console.note(line),
    });
  } catch (error) {
    throw endOf(error, signal, folder);
  }
  using set = loadedOn(gpu, trained.dictionaries);
  const measured = await measureDictionaries({
    model: hooked,
    dictionaries: set.dictionaries,
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
  await folder.writeSet('.', membersOf(trained.dictionaries, measured), description);
  await folder.writeText(
    'README.md',
    dictionaryCard({
      title: `${about.setting}, layers ${specs.map(({ config }) => config.layer).join(', ')}`,
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
