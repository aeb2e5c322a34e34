// From options to a training of dictionaries, and from what was trained to a set: streams, progress lines, members with their figures.
import { formatBytes, LimnError, type Gpu } from '@limn/gpu';
import type { Provenance } from '@limn/report';
import {
  Dictionary,
  type DictionarySpec,
  type DictionaryWeights,
  type NamedDictionary,
  type SetDescription,
  type SetMember,
  type TrainDictionariesOptions,
  type TrainingPlan,
  type TrainingRecord,
} from '@limn/transcoders';
import type { TranscodeOptions } from './commands/transcode-options.js';
import type { ProgressEvent } from './console.js';
import type { TrainingData } from './dictionary-data.js';
import type { CommonSettings } from './dictionary-settings.js';
import { EXIT, exitCodeOf } from './exit-code.js';
import type { MeasuredDictionaries } from './measured-dictionaries.js';
import type { OpenModel } from './model-source.js';

/** A dictionary that was trained. */
export interface TrainedDictionary {
  readonly spec: DictionarySpec;
  readonly weights: DictionaryWeights;
}

/** How a command's options read the data. */
export interface TrainingStream {
  readonly options: Pick<
    TrainDictionariesOptions,
    | 'updates'
    | 'rowsPerUpdate'
    | 'batchesPerChunk'
    | 'mostRowsPerSourceBatch'
    | 'seed'
    | 'data'
    | 'evaluate'
    | 'memoryBytes'
    | 'every'
  > & { readonly skip: number };
  /** Tokens trained on: whole updates. */
  readonly tokens: number;
  /** For results. */
  readonly data: { readonly name: string; readonly sha256?: string };
  readonly words: { readonly tokens: number; readonly rowsPerUpdate: number; readonly skip: number };
}

/** Updates whose rows are on the GPU at a time, and sequences of the figures while it trains. */
const [UPDATES_PER_CHUNK, LIVE_SEQUENCES] = [16, 16];

/** @throws LimnError `usage/dictionary-training` where every sequence is skipped */
export function streamOf(
  { tokens, batch, skipPositions, seed, memory }: TranscodeOptions,
  { hooked }: OpenModel,
  { name, sha256, perBatch, meanLength, mostLength, heldOut }: TrainingData,
): TrainingStream {
  // Sequences of a text begin with a BOS, whose activations are like no other's; pocket's have many.
  const skip = skipPositions ?? (sha256 === undefined || hooked.info.bosId === undefined ? 0 : 1);
  if (skip >= mostLength)
    throw new LimnError(
      'usage/dictionary-training',
      `--skip-positions ${skip}: sequences have at most ${mostLength} tokens`,
      { details: { skip, mostLength } },
    );
  const updates = Math.ceil(tokens / batch);
  const meanRows = perBatch * Math.max(1 / perBatch, meanLength - skip);
  return {
    options: {
      updates,
      rowsPerUpdate: batch,
      skip,
      batchesPerChunk: Math.max(2, Math.ceil((UPDATES_PER_CHUNK * batch) / meanRows)),
      mostRowsPerSourceBatch: perBatch * (mostLength - skip),
      seed,
      data: sha256 ?? name,
      evaluate: { sequences: heldOut.sequences.slice(0, LIVE_SEQUENCES), every: Math.ceil(updates / 10) },
      every: Math.max(1, Math.min(20, Math.ceil(updates / 20))),
      ...(memory === undefined ? {} : { memoryBytes: memory }),
    },
    tokens: updates * batch,
    data: { name, ...(sha256 === undefined ? {} : { sha256 }) },
    words: { tokens: updates * batch, rowsPerUpdate: batch, skip },
  };
}

/** What a training takes of the GPU beside the model, in a line. */
export const describeTrainingPlan = ({ trainees, rows, update, memoryBytes }: TrainingPlan): string =>
  `training takes ${formatBytes(trainees + rows + update)} of GPU memory beside the model: ${formatBytes(trainees)} of weights and moments, ${formatBytes(rows)} of rows, ${formatBytes(update)} for an update; the budget is ${formatBytes(memoryBytes)}`;

/** Dictionaries that a progress line shows one by one. */
const SHOWN = 3;

/** L0, FVU, dead share and CE recovered: one by one of few dictionaries, from–to of many. */
export function progressOf({ update, updates, figures }: TrainingRecord): ProgressEvent {
  const all = Object.entries(figures);
  const range = (of: (each: (typeof all)[number][1]) => number, shown: (value: number) => string): string => {
    const values = all.map(([, each]) => of(each));
    const [least, most] = [Math.min(...values), Math.max(...values)].map(shown);
    return least === most ? String(least) : `${least}–${most}`;
  };
  const percent = (share: number): string => `${(100 * share).toFixed(0)} %`;
  const note =
    all.length <= SHOWN
      ? all
          .map(
            ([name, { l0, fvu, deadShare, recovered }]) =>
              `${name}: L0 ${l0.toFixed(1)}, FVU ${fvu.toFixed(3)}, dead ${percent(deadShare)}${recovered === undefined ? '' : `, CE recovered ${recovered.toFixed(3)}`}`,
          )
          .join('; ')
      : [
          `L0 ${range(
            ({ l0 }) => l0,
            (value) => value.toFixed(1),
          )}`,
          `FVU ${range(
            ({ fvu }) => fvu,
            (value) => value.toFixed(3),
          )}`,
          `dead ${range(({ deadShare }) => deadShare, percent)}`,
          ...(all[0]?.[1].recovered === undefined
            ? []
            : [
                `CE recovered ${range(
                  ({ recovered = 0 }) => recovered,
                  (value) => value.toFixed(3),
                )}`,
              ]),
        ].join(', ');
  return {
    phase: `training ${all.length} ${all.length === 1 ? 'dictionary' : 'dictionaries'}`,
    done: update,
    total: updates,
    unit: 'updates',
    note,
  };
}

/** Dictionaries on the GPU by the names of their specs; disposing frees them. */
export interface LoadedDictionaries extends Disposable {
  readonly dictionaries: readonly NamedDictionary[];
  readonly featuresOf: (name: string) => number | undefined;
}

/** @throws LimnError `memory/…` and `gpu/…` when the GPU has no room */
export function loadedOn(gpu: Gpu, trained: readonly TrainedDictionary[]): LoadedDictionaries {
  const dictionaries: NamedDictionary[] = [];
  const dispose = (): void => {
    for (const { dictionary } of dictionaries) dictionary.dispose();
  };
  try {
    for (const { spec, weights } of trained)
      dictionaries.push({ name: spec.name, dictionary: Dictionary.create(gpu, spec.config, weights) });
  } catch (error) {
    dispose();
    throw error;
  }
  return { dictionaries, featuresOf: featuresIn(dictionaries), [Symbol.dispose]: dispose };
}

/** Features of a dictionary by its name. */
export const featuresIn =
  (dictionaries: readonly NamedDictionary[]): ((name: string) => number | undefined) =>
  (name) =>
    dictionaries.find((each) => each.name === name)?.dictionary.config.features;

/** What the set says of each dictionary beside its numbers: its own settings, and its figures on text held out. */
export function membersOf(trained: readonly TrainedDictionary[], { own }: MeasuredDictionaries): SetMember[] {
  return trained.map(({ spec, weights }): SetMember => {
    const { name, config, loss, rate, seed, initial, deadAfter } = spec;
    const {
      name: _name,
      layer: _layer,
      ...figures
    } = own.figures.dictionaries.find((each) => each.name === name) ?? {};
    const cost = own.figures.layers.find(({ layers }) => layers[0] === config.layer)?.cost;
    return {
      config,
      weights,
      figures: { ...figures, ablationCost: cost, measuredOn: own.name },
      training: { loss, rate, seed, initial, ...(deadAfter === undefined ? {} : { deadAfter }) },
    };
  });
}

/** What a set says of itself. */
export function describeSet(
  { hooked }: OpenModel,
  { versions, commandLine }: Provenance,
  { data, words, common }: Pick<TrainingStream, 'data' | 'words'> & { readonly common: CommonSettings },
): SetDescription {
  return {
    model: hooked.info,
    training: { ...words, activation: common.activation },
    data,
    versions,
    adapter: hooked.gpu.capabilities.adapter.description,
    command: commandLine,
  };
}

/** What ended a training: of one that was stopped, where it can be gone on from. */
export function endOf(error: unknown, signal: AbortSignal, { path }: { readonly path: string }): unknown {
  if (!signal.aborted || (error !== signal.reason && exitCodeOf(error) !== EXIT.interrupted)) return error;
  return new LimnError('aborted', `a checkpoint is in ${path}`, {
    hint: 'the same command with --resume goes on from there',
  });
}
