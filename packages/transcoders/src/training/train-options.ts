// What training dictionaries may be asked for, and its defaults.
import { LimnError } from '@limn/gpu';
import { blockHook, type HookedModel, type HookName } from '@limn/hooks';
import {
  checkCrossLayerConfig,
  checkCrossLayerFits,
  layerConfig,
  type CrossLayerDictionaryConfig,
} from '../cross-layer/cross-layer-config.js';
import { checkConfig, checkFits, type DictionaryConfig } from '../dictionary-config.js';
import type { InitialScheme } from '../initial-weights.js';
import { checkLoss, type DictionaryLoss } from '../losses/dictionary-loss.js';
import type { DictionaryCheckpoints } from './checkpoint-store.js';
import type { TrainingRecord } from './training-record.js';

/** One dictionary to be trained. */
export interface DictionarySpec {
  /** Unique among those trained together. */
  readonly name: string;
  readonly config: DictionaryConfig;
  readonly loss: DictionaryLoss;
  /** Adam's rate at its highest. Default 1e-3. */
  readonly rate?: number | undefined;
  /** Of the first weights. Default 0. */
  readonly seed?: number | undefined;
  /** Default 'paper'. */
  readonly initial?: InitialScheme | undefined;
  /** Keep the decoder's rows at length 1. Default true; not with 'sparsify', whose decoder starts at 0. */
  readonly unitDecoder?: boolean | undefined;
  /** Share of the run over which λ rises from 0. Default .05. */
  readonly ramp?: number | undefined;
  /** Rows without firing after which a feature is dead. Default 10,000,000, or a twentieth of the run's rows if they are fewer. */
  readonly deadAfter?: number | undefined;
}

/** One cross-layer transcoder to be trained: features of every layer of the model, in one loss. */
export interface CrossLayerSpec {
  /** Unique among those trained together. */
  readonly name: string;
  readonly crossLayer: CrossLayerDictionaryConfig;
  /** Its terms are sums over layers; see `CrossLayerStepSettings`. */
  readonly loss: DictionaryLoss;
  /** Adam's rate at its highest. Default 1e-3. */
  readonly rate?: number | undefined;
  /** Of the first weights. Default 0. */
  readonly seed?: number | undefined;
  /** θ of `jump-relu` at the start. Default .03. */
  readonly threshold?: number | undefined;
  /** Share of the run over which λ rises from 0. Default 1, the whole of it. */
  readonly ramp?: number | undefined;
  /** Rows without firing after which a feature is dead. Default 10,000,000, or a twentieth of the run's rows if they are fewer. */
  readonly deadAfter?: number | undefined;
}

/** Anything that can be trained. */
export type TrainingSpec = DictionarySpec | CrossLayerSpec;

/** How to train. */
export interface TrainDictionariesOptions {
  readonly updates: number;
  /** Rows (tokens) of an update, the same for all dictionaries. Default 1024. */
  readonly rowsPerUpdate?: number | undefined;
  /** Positions at the start of every sequence that are not trained on. Default 1. */
  readonly skip?: number | undefined;
  /** Batches of the source to a chunk; rows are shuffled over two. Default: as many as give 16 updates' rows. */
  readonly batchesPerChunk?: number | undefined;
  /** Most tokens of a source's batch behind those skipped. Default: those of batch 0. */
  readonly mostRowsPerSourceBatch?: number | undefined;
  /** Of the order of rows. Default 0. */
  readonly seed?: number | undefined;
  /** Updates over which the rate rises. Default a twentieth of them. */
  readonly warmUp?: number | undefined;
  /** Share of the run over which the rate falls to 0 at its end. Default .2. */
  readonly decay?: number | undefined;
  /** Adam's running means. Default [.9, .999]. */
  readonly betas?: readonly [number, number] | undefined;
  /** Train on rows of mean length √width; the weights that come back are for rows as they are. Default true. */
  readonly scaled?: boolean | undefined;
  /** GPU bytes for everything but the model: rows, weights, moments and the steps. Default 2 GiB. */
  readonly memoryBytes?: number | undefined;
  /** Names the token source: a digest of the corpus, a seed. A run of another one does not resume from a checkpoint. */
  readonly data?: string | undefined;
  /** Updates between two records. Default 50. */
  readonly every?: number | undefined;
  /** Measures what each dictionary recovers of the cross-entropy, on sequences that are not trained on. Default: it is not. */
  readonly evaluate?:
    { readonly sequences: readonly ArrayLike<number>[]; readonly every?: number | undefined } | undefined;
  readonly checkpoints?: DictionaryCheckpoints | undefined;
  /** Aborting stops between two updates, writes a checkpoint and throws an AbortedError. */
  readonly signal?: AbortSignal | undefined;
  /** Told of every record. */
  readonly onProgress?: ((record: TrainingRecord) => void) | undefined;
  /** Told when a damaged checkpoint is passed over. */
  readonly onNotice?: ((message: string) => void) | undefined;
}

type Settled<Spec> = { readonly [K in keyof Spec]-?: NonNullable<Spec[K]> };
/** A dictionary's spec with its defaults. */
export type SettledDictionarySpec = Settled<DictionarySpec>;
/** A cross-layer transcoder's spec with its defaults. */
export type SettledCrossLayerSpec = Settled<CrossLayerSpec>;
/** A spec with its defaults. */
export type SettledSpec = SettledDictionarySpec | SettledCrossLayerSpec;

/** What decides the bits of a run, besides the model, the tokens and the machine. */
export interface TrainingSettings {
  readonly specs: readonly SettledSpec[];
  readonly updates: number;
  readonly rowsPerUpdate: number;
  readonly skip: number;
  readonly batchesPerChunk: number | null;
  readonly mostRowsPerSourceBatch: number | null;
  readonly seed: number;
  readonly warmUp: number;
  readonly decay: number;
  readonly betas: readonly [number, number];
  readonly scaled: boolean;
  readonly memoryBytes: number;
  readonly every: number;
  readonly evaluateEvery: number | null;
}

const GIB = 2 ** 30;
const MOST_DEAD_AFTER = 10_000_000;

/**
 * Options with their defaults, checked.
 * @throws LimnError `usage/dictionary-training`, `usage/dictionary-config`, `usage/dictionary-loss`, `data/dictionary-model`
 */
export function settleTraining(
  model: HookedModel,
  specs: readonly TrainingSpec[],
  options: TrainDictionariesOptions,
): TrainingSettings {
  const { updates, rowsPerUpdate = 1024, skip = 1, seed = 0, decay = 0.2, scaled = true, every = 50 } = options;
  const { betas = [0.9, 0.999], memoryBytes = 2 * GIB, evaluate } = options;
  const warmUp = options.warmUp ?? Math.ceil(updates / 20);
  const evaluateEvery = evaluate ? (evaluate.every ?? Math.ceil(updates / 10)) : null;
  const whole = (value: number, least: number): boolean => Number.isSafeInteger(value) && value >= least;
  refuseFirst({
    updates: whole(updates, 1),
    rowsPerUpdate: whole(rowsPerUpdate, 2),
    skip: whole(skip, 0),
    batchesPerChunk: whole(options.batchesPerChunk ?? 1, 1),
    seed: whole(seed, 0),
    warmUp: whole(warmUp, 0),
    decay: decay >= 0 && decay <= 1,
    betas: betas.every((beta) => beta >= 0 && beta < 1),
    memoryBytes: memoryBytes > 0,
    every: whole(every, 1),
    evaluate: whole(evaluateEvery ?? 1, 1),
    checkpoints: whole(options.checkpoints?.every ?? 1, 1),
    specs: specs.length > 0,
    names: new Set(specs.map(({ name }) => name)).size === specs.length,
  });
  return {
    specs: specs.map((spec) =>
      isCrossLayer(spec)
        ? settleCrossLayer(model, spec, updates * rowsPerUpdate)
        : settleSpec(model, spec, updates * rowsPerUpdate),
    ),
    updates,
    rowsPerUpdate,
    skip,
    batchesPerChunk: options.batchesPerChunk ?? null,
    mostRowsPerSourceBatch: options.mostRowsPerSourceBatch ?? null,
    seed,
    warmUp,
    decay,
    betas,
    scaled,
    memoryBytes,
    every,
    evaluateEvery,
  };
}

function settleSpec(model: HookedModel, spec: DictionarySpec, rows: number): SettledDictionarySpec {
  const { name, config, loss, rate = 1e-3, seed = 0, initial = 'paper', ramp = 0.05 } = spec;
  const { unitDecoder = initial !== 'sparsify', deadAfter = deadAfterOf(rows) } = spec;
  checkFits(checkConfig(config), model.info);
  checkLoss(config, loss);
  checkShared({ name, rate, ramp, deadAfter });
  return { name, config, loss, rate, seed, initial, unitDecoder, ramp, deadAfter };
}

function settleCrossLayer(model: HookedModel, spec: CrossLayerSpec, rows: number): SettledCrossLayerSpec {
  const { name, crossLayer, loss, rate = 1e-3, seed = 0, threshold = 0.03, ramp = 1 } = spec;
  const { deadAfter = deadAfterOf(rows) } = spec;
  checkCrossLayerFits(checkCrossLayerConfig(crossLayer), model.info);
  checkLoss(layerConfig(crossLayer, 0), loss);
  checkShared({ name, rate, ramp, deadAfter });
  return { name, crossLayer, loss, rate, seed, threshold, ramp, deadAfter };
}

const deadAfterOf = (rows: number): number => Math.min(MOST_DEAD_AFTER, Math.ceil(rows / 20));

function checkShared({ name, rate, ramp, deadAfter }: Pick<SettledSpec, 'name' | 'rate' | 'ramp' | 'deadAfter'>): void {
  refuseFirst({
    [`rate of ${name}`]: Number.isFinite(rate) && rate > 0,
    [`ramp of ${name}`]: ramp >= 0 && ramp <= 1,
    [`deadAfter of ${name}`]: Number.isSafeInteger(deadAfter) && deadAfter >= 1,
  });
}

/** Which of the two a spec is. */
export function isCrossLayer<Spec extends object>(spec: Spec): spec is Extract<Spec, { readonly crossLayer: unknown }> {
  return 'crossLayer' in spec;
}

/** All features of a spec, over its layers. */
export const featuresOf = (spec: SettledSpec): number =>
  isCrossLayer(spec) ? spec.crossLayer.layers * spec.crossLayer.features : spec.config.features;

/** The sites that are read and rebuilt, each once, in a fixed order. */
export function sitesOf(specs: readonly SettledSpec[]): HookName[] {
  const all = specs
    .flatMap((spec): readonly Pick<DictionaryConfig, 'layer' | 'input'>[] =>
      isCrossLayer(spec)
        ? Array.from({ length: spec.crossLayer.layers }, (_, layer) => ({ layer, input: spec.crossLayer.input }))
        : [spec.config],
    )
    .flatMap(({ layer, input }): HookName[] => [blockHook(layer, input), blockHook(layer, 'hook_mlp_out')]);
  return [...new Set(all)].sort();
}

function refuseFirst(checks: Readonly<Record<string, boolean>>): void {
  const bad = Object.entries(checks).find(([, sound]) => !sound);
  if (bad)
    throw new LimnError('usage/dictionary-training', `Training dictionaries: ${bad[0]} cannot be what was given.`, {
      details: { option: bad[0] },
      hint: 'Counts are whole numbers, rates above 0, shares from 0 to 1; there is at least one dictionary, and every one has a name of its own.',
    });
}
