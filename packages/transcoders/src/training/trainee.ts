// A dictionary while it is trained: its weights, Adam's moments, its counters, and one update of them.
import type { Gpu, Step } from '@limn/gpu';
import { blockHook, type HookName } from '@limn/hooks';
import { adamw, concat, type AdamW, type Tensor } from '@limn/tensor';
import { Dictionary, dictionaryShapes, type DictionaryTensorName, type DictionaryWeights } from '../dictionary.js';
import { DictionaryTrainingState, type SavedTrainingState } from '../training-state.js';
import {
  recordDictionaryStep,
  trainedNames,
  type DictionaryStepSettings,
  type RecordedDictionaryStep,
} from '../training-step.js';
import type { DictionaryConfig } from '../dictionary-config.js';
import type { SettledSpec } from './train-options.js';

/** What changes from one update to the next. */
export interface UpdateScales {
  /** Factor of the rate. */
  readonly rate: number;
  /** Factor of λ. */
  readonly sparsity: number;
}

/** GPU bytes of a trainee: weights, two moments of what is trained, and the counters. */
export function traineeBytes(config: DictionaryConfig): number {
  const trained = new Set(trainedNames(config));
  return [...dictionaryShapes(config)].reduce(
    (sum, [name, shape]) => sum + 4 * shape.reduce((n, side) => n * side, 1) * (trained.has(name) ? 3 : 1),
    4 * config.features,
  );
}

/** See `Trainee.create`. */
export class Trainee implements Disposable {
  private constructor(
    readonly spec: SettledSpec,
    readonly dictionary: Dictionary,
    readonly optimiser: AdamW,
    private counters: DictionaryTrainingState,
  ) {}

  /** Owns what it makes. @throws LimnError `data/dictionary-weights`; `gpu/…` when the GPU has no room */
  static create(gpu: Gpu, spec: SettledSpec, weights: DictionaryWeights, betas: readonly [number, number]): Trainee {
    const dictionary = Dictionary.create(gpu, spec.config, weights);
    const made: Disposable[] = [dictionary];
    try {
      const params = trainedNames(spec.config).map((name) => ({
        name,
        tensor: dictionary.parameters.get(name) as Tensor,
      }));
      const optimiser = adamw(gpu, [{ name: 'weights', params, rate: spec.rate, betas }]);
      made.push({ [Symbol.dispose]: () => optimiser.dispose() });
      return new Trainee(spec, dictionary, optimiser, DictionaryTrainingState.create(gpu, spec.config));
    } catch (error) {
      for (const each of made) each[Symbol.dispose]();
      throw error;
    }
  }

  get state(): DictionaryTrainingState {
    return this.counters;
  }

  /** Goes on from saved counters. @throws LimnError `data/dictionary-state` */
  restore(saved: SavedTrainingState): void {
    const restored = DictionaryTrainingState.create(this.dictionary.gpu, this.spec.config, saved);
    this.counters.dispose();
    this.counters = restored;
  }

  /** Records an update from rows by site; gives its figures [4]. */
  update(step: Step, rows: ReadonlyMap<HookName, Tensor>, scales: UpdateScales): Tensor {
    const recorded = this.gradients(step, rows, scales.sparsity, this.counters);
    const byTensor = new Map(
      [...recorded.gradients].map(([name, slope]) => [this.dictionary.parameters.get(name), slope] as const),
    );
    this.optimiser.step(
      step,
      this.optimiser.tensors.map((tensor) => byTensor.get(tensor)),
      { rateScale: scales.rate },
    );
    return concat(step, [recorded.loss, recorded.fvu, recorded.l0, recorded.dead], 0);
  }

  /** Records loss and gradients only, with counters of the caller's. */
  gradients(
    step: Step,
    rows: ReadonlyMap<HookName, Tensor>,
    sparsity: number,
    counters: DictionaryTrainingState,
  ): RecordedDictionaryStep {
    const { config, loss, unitDecoder, deadAfter } = this.spec;
    const settings: DictionaryStepSettings = {
      loss: loss.sparsity ? { ...loss, sparsity: { ...loss.sparsity, weight: loss.sparsity.weight * sparsity } } : loss,
      unitDecoder,
      deadAfter,
    };
    const x = rows.get(this.dictionary.reads) as Tensor;
    const y = rows.get(blockHook(config.layer, 'hook_mlp_out')) as Tensor;
    return recordDictionaryStep(step, this.dictionary, { x, y }, settings, counters);
  }

  /** Its tensors by name, for checkpoints. */
  get parameters(): readonly (readonly [DictionaryTensorName, Tensor])[] {
    return [...this.dictionary.parameters];
  }

  dispose(): void {
    this.dictionary.dispose();
    this.optimiser.dispose();
    this.counters.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}
