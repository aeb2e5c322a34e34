// The work of `limn transcode sweep`: settings trained together where memory allows, each measured and written as a set, so that a stopped one goes on.
import { LimnError } from '@limn/gpu';
import { evaluateDictionaries, trainDictionaries, type DictionarySpec, type NeuronFigures } from '@limn/transcoders';
import { labelledOf, type TranscodeOptions } from './commands/transcode-options.js';
import type { CommandContext } from './context.js';
import { dictionaryCard } from './dictionary-card.js';
import type { TrainingData } from './dictionary-data.js';
import type { DictionaryRun } from './dictionary-run.js';
import { placeName, settingName, specOf, type CommonSettings, type DictionarySetting } from './dictionary-settings.js';
import { allTogether, measureDictionaries, type MeasuredDictionaries } from './measured-dictionaries.js';
import type { OpenModel } from './model-source.js';
import type { provenanceOf } from './provenance.js';
import {
  describeSet,
  loadedOn,
  membersOf,
  progressOf,
  endOf,
  type streamOf,
  type TrainedDictionary,
} from './trained-set.js';

/** Of a setting: what it was measured at, beside its set. */
const MEASURED = 'measured.json';
/** `evaluateDictionaries` keeps at most so many neurons. */
const MOST_NEURONS = 64;

/** What a sweep works with. */
export interface Sweep {
  readonly folder: DictionaryRun;
  readonly options: TranscodeOptions;
  readonly context: CommandContext;
  readonly model: OpenModel;
  readonly data: TrainingData;
  readonly common: CommonSettings;
  readonly stream: ReturnType<typeof streamOf>;
  readonly settings: readonly DictionarySetting[];
  readonly layers: readonly number[];
  readonly about: Readonly<Record<string, unknown>>;
  readonly provenance: ReturnType<typeof provenanceOf>;
}

/** The folder of a setting's set. */
export const nameIn = ({ common, options }: Pick<Sweep, 'common' | 'options'>, setting: DictionarySetting): string =>
  settingName(setting, common.activation, options.seed);

/** What a setting was measured at, once its set is written. */
export const measuredOf = (sweep: Sweep, setting: DictionarySetting): MeasuredDictionaries =>
  JSON.parse(sweep.folder.readText(`${nameIn(sweep, setting)}/${MEASURED}`) ?? 'null') as MeasuredDictionaries;

/**
 * Trains settings [from, to) together, or in halves where they do not fit: of nothing but the settings, so that a resumed sweep has the
 * same parts.
 * @throws LimnError as `trainDictionaries` and `measureDictionaries`; `aborted`, once there is a checkpoint
 */
export async function trainRange(sweep: Sweep, from: number, to: number): Promise<void> {
  const { folder, settings, context } = sweep;
  const part = `part-${from}-${to}`;
  const some = settings.slice(from, to);
  if (some.every((setting) => folder.hasSet(nameIn(sweep, setting)))) {
    folder.removeCheckpoints(part);
    return;
  }
  try {
    await trainPart(sweep, part, some);
  } catch (error) {
    const tooLarge = error instanceof LimnError && error.code === 'memory/over-budget';
    if (!tooLarge || to - from < 2) throw error;
    folder.removeCheckpoints(part);
    const middle = Math.ceil((from + to) / 2);
    context.console.note(
      `${to - from} settings at once take more than the memory budget: they are trained in two parts`,
    );
    await trainRange(sweep, from, middle);
    await trainRange(sweep, middle, to);
  }
}

async function trainPart(sweep: Sweep, part: string, settings: readonly DictionarySetting[]): Promise<void> {
  const { folder, options, context, model, data, common, stream, layers, about } = sweep;
  const { console, signal } = context;
  const specs = settings.map((setting) =>
    layers.map((layer) =>
      specOf(
        model.hooked.info,
        { layer, name: `${nameIn(sweep, setting)}, ${placeName(layer, setting.kind === 'sae')}` },
        setting,
        common,
      ),
    ),
  );
  const trained = await trainDictionaries(model.hooked, data.source, specs.flat(), {
    ...stream.options,
    signal,
    checkpoints: {
      store: folder.announced(about, part),
      every: options.checkpointEvery,
      allowDrift: options.allowDrift,
    },
    onProgress: (record) => console.progress(progressOf(record)),
    onNotice: (line) => console.note(line),
  }).catch((error: unknown) => {
    throw endOf(error, signal, folder);
  });
  const left = [...trained.dictionaries];
  for (const [i, setting] of settings.entries())
    await writeSetting(sweep, setting, specs[i] as readonly DictionarySpec[], left.splice(0, layers.length));
  folder.removeCheckpoints(part);
}

/** Measures one setting and writes its set. */
async function writeSetting(
  { folder, options, context, model, data, common, stream, provenance }: Sweep,
  setting: DictionarySetting,
  specs: readonly DictionarySpec[],
  trained: readonly TrainedDictionary[],
): Promise<void> {
  const name = nameIn({ common, options }, setting);
  using loaded = loadedOn(model.hooked.gpu, trained);
  const measured = await measureDictionaries({
    model: model.hooked,
    dictionaries: loaded.dictionaries,
    own: data.heldOut,
    general: data.general,
    skip: stream.options.skip,
    together: allTogether(loaded.dictionaries),
    labelled: labelledOf(options, model),
    signal: context.signal,
    memoryBytes: options.memory,
    onProgress: context.console.progress,
  });
  const description = describeSet(model, provenance, { ...stream, common });
  await folder.writeText(`${name}/${MEASURED}`, `${JSON.stringify(measured)}\n`);
  await folder.writeText(
    `${name}/README.md`,
    dictionaryCard({
      title: name,
      description,
      specs,
      tokens: stream.tokens,
      data,
      skip: stream.options.skip,
      measured,
      features: loaded.featuresOf,
    }),
  );
  await folder.writeSet(name, membersOf(trained, measured), description);
}

/** The same numbers of neurons, the others at their means. @throws LimnError as `evaluateDictionaries`; AbortedError */
export async function neuronFigures(
  { model, data, layers, stream, options, context }: Sweep,
  sparsities: readonly number[],
): Promise<readonly NeuronFigures[]> {
  const neurons = layers.flatMap((layer) =>
    sparsities.filter((k) => k <= MOST_NEURONS).map((k) => ({ layer, k, rest: 'mean' as const })),
  );
  if (neurons.length === 0) return [];
  const found = await evaluateDictionaries(model.hooked, data.heldOut.sequences, [], {
    skip: stream.options.skip,
    neurons,
    signal: context.signal,
    memoryBytes: options.memory,
    onProgress: (progress) => context.console.progress({ phase: 'measuring neurons', ...progress }),
  });
  return found.neurons;
}
