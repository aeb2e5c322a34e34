// What is trained, under way: its weights, Adam's moments, its counters, and one update of them; of a dictionary or a cross-layer transcoder.
import type { Gpu, Step } from '@limn/gpu';
import type { HookName } from '@limn/hooks';
import { adamw, concat, type AdamW, type Tensor } from '@limn/tensor';
import type { CrossLayerDictionary } from '../cross-layer/cross-layer-dictionary.js';
import type { DictionaryConfig } from '../dictionary-config.js';
import type { Dictionary } from '../dictionary.js';
import type { DictionaryLoss } from '../losses/dictionary-loss.js';
import { DictionaryTrainingState, type SavedTrainingState } from '../training-state.js';
import type { RunStatistics } from './data-scales.js';
import type { SettledSpec } from './train-options.js';

/** An update, recorded; numbers are [1]. */
export interface RecordedUpdate {
  readonly loss: Tensor;
  /** Over layers, where there are several: the mean of FVU and of L0, and all the dead. */
  readonly fvu: Tensor;
  readonly l0: Tensor;
  readonly dead: Tensor;
  /** By the name of the parameter. */
  readonly gradients: ReadonlyMap<string, Tensor>;
}

/** What was trained, on the GPU and for rows as they are. */
export type Loaded =
  { readonly dictionary: Dictionary } | { readonly crossLayer: CrossLayerDictionary; readonly dictionary?: undefined };

/** What one kind of trainee has of its own: its tensors, its loss, and what they are for rows as they are. */
export interface TraineeKind<Weights = unknown> extends Disposable {
  readonly spec: SettledSpec;
  readonly parameters: ReadonlyMap<string, Tensor>;
  /** The parameters that gradients train. */
  readonly trained: readonly string[];
  /** Whose firings are counted apart: a dictionary, or each layer. */
  readonly counted: readonly Pick<DictionaryConfig, 'features' | 'activation'>[];
  /** Records loss and gradients, from rows by site, and counts firings. */
  record(
    step: Step,
    rows: ReadonlyMap<HookName, Tensor>,
    loss: DictionaryLoss,
    states: readonly DictionaryTrainingState[],
  ): RecordedUpdate;
  /** For rows as they are. */
  weights(statistics: RunStatistics): Promise<Weights>;
  load(weights: Weights): Loaded;
}

/** What changes from one update to the next. */
export interface UpdateScales {
  /** Factor of the rate. */
  readonly rate: number;
  /** Factor of λ. */
  readonly sparsity: number;
}

/** See `Trainee.create`. */
export class Trainee implements Disposable {
  private constructor(
    readonly kind: TraineeKind,
    readonly optimiser: AdamW,
    private counters: readonly DictionaryTrainingState[],
    private readonly gpu: Gpu,
  ) {}

  /** Owns the kind and what it makes. @throws LimnError `gpu/…` when the GPU has no room */
  static create(gpu: Gpu, kind: TraineeKind, betas: readonly [number, number]): Trainee {
    const made: Disposable[] = [kind];
    try {
      const params = kind.trained.map((name) => ({ name, tensor: kind.parameters.get(name) as Tensor }));
      const optimiser = adamw(gpu, [{ name: 'weights', params, rate: kind.spec.rate, betas }]);
      made.push({ [Symbol.dispose]: () => optimiser.dispose() });
      return new Trainee(kind, optimiser, statesOf(gpu, kind), gpu);
    } catch (error) {
      for (const each of made) each[Symbol.dispose]();
      throw error;
    }
  }

  get spec(): SettledSpec {
    return this.kind.spec;
  }

  /** Its counters, one for each of `kind.counted`. */
  get states(): readonly DictionaryTrainingState[] {
    return this.counters;
  }

  /** Goes on from saved counters. @throws LimnError `data/dictionary-state` */
  restore(saved: readonly SavedTrainingState[]): void {
    const restored = statesOf(this.gpu, this.kind, saved);
    for (const each of this.counters) each.dispose();
    this.counters = restored;
  }

  /** Records an update from rows by site; gives its figures [4]. */
  update(step: Step, rows: ReadonlyMap<HookName, Tensor>, scales: UpdateScales): Tensor {
    const { loss, fvu, l0, dead, gradients } = this.gradients(step, rows, scales.sparsity, this.counters);
    const byTensor = new Map([...gradients].map(([name, slope]) => [this.kind.parameters.get(name), slope] as const));
    this.optimiser.step(
      step,
      this.optimiser.tensors.map((tensor) => byTensor.get(tensor)),
      { rateScale: scales.rate },
    );
    return concat(step, [loss, fvu, l0, dead], 0);
  }

  /** Records loss and gradients only, with counters of the caller's. */
  gradients(
    step: Step,
    rows: ReadonlyMap<HookName, Tensor>,
    sparsity: number,
    states: readonly DictionaryTrainingState[],
  ): RecordedUpdate {
    const { loss } = this.spec;
    const ramped = loss.sparsity
      ? { ...loss, sparsity: { ...loss.sparsity, weight: loss.sparsity.weight * sparsity } }
      : loss;
    return this.kind.record(step, rows, ramped, states);
  }

  dispose(): void {
    this.kind[Symbol.dispose]();
    this.optimiser.dispose();
    for (const each of this.counters) each.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}

/** Counters of a trainee, at the start or as they were saved. @throws LimnError `data/dictionary-state` */
export function statesOf(
  gpu: Gpu,
  { counted }: TraineeKind,
  saved?: readonly SavedTrainingState[],
): readonly DictionaryTrainingState[] {
  const made: DictionaryTrainingState[] = [];
  try {
    for (const [i, config] of counted.entries()) made.push(DictionaryTrainingState.create(gpu, config, saved?.[i]));
    return made;
  } catch (error) {
    for (const each of made) each.dispose();
    throw error;
  }
}

/** Counters at which every feature is dead: then a step has all of its parts. */
export function deadStatesOf(gpu: Gpu, kind: TraineeKind): readonly DictionaryTrainingState[] {
  const rows = kind.spec.deadAfter;
  return statesOf(
    gpu,
    kind,
    kind.counted.map(({ features }) => ({ rows, sinceFired: new Uint32Array(features), threshold: 0 })),
  );
}
