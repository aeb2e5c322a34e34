// What a dictionary's training keeps besides weights and moments: when each feature last fired, and BatchTopK's running threshold.
import * as shaders from '@limn/shaders';
import { defineKernel, LimnError, type Gpu, type Step } from '@limn/gpu';
import { allocate, assign, groupsOf, perElement, perRow, persistent, sum, sumAll, type Tensor } from '@limn/tensor';
import type { DictionaryConfig } from './dictionary-config.js';
import type { DeadFeatures } from './losses/dead-features.js';

const countKernel = defineKernel(shaders.countActive, { grid: perElement, work: (u) => u.rows * u.features });
const sinceKernel = defineKernel(shaders.sinceFired, { grid: perElement, work: (u) => 2 * u.size });
const deadKernel = defineKernel(shaders.deadFeatures, { grid: perElement, work: (u) => u.size });
const leastKernel = defineKernel(shaders.minPositive, {
  ...perRow,
  grid: (u) => groupsOf(u.chunks),
  work: (u) => 2 * u.size,
});
const averageKernel = defineKernel(shaders.averageThreshold, { grid: perElement, work: (u) => 4 * u.size });

/** Rows that one lane counts. */
const ROWS_PER_LANE = 256;
/** Numbers that one workgroup looks through. */
const VALUES_PER_GROUP = 4096;
/** What a batch's least kept activation weighs in the running threshold of BatchTopK. */
export const THRESHOLD_RATE = 0.01;
/** Stands for log 0: e to this is the least power of e that f32 holds to full precision. */
export const LOWEST_LOG_THRESHOLD = -87;
/** θ of `batch-top-k` before the first batch. */
export const THRESHOLD_AT_START = Math.exp(LOWEST_LOG_THRESHOLD);

/** A training state on the host: everything that a training goes on from, bit for bit, with weights and moments. */
export interface SavedTrainingState {
  /** Rows of activations seen so far. */
  readonly rows: number;
  /** Rows that went by since each feature last fired, [F]. */
  readonly sinceFired: Uint32Array;
  /** θ, of `batch-top-k`. */
  readonly threshold?: number;
}

/** The same on the GPU; owned by whoever trains. */
export class DictionaryTrainingState implements Disposable {
  /** u32 [F] */
  readonly sinceFired: Tensor;
  /** θ [1], of `batch-top-k`. */
  readonly threshold: Tensor | undefined;
  #rows: number;

  private constructor(
    readonly gpu: Gpu,
    { features, activation }: Pick<DictionaryConfig, 'features' | 'activation'>,
    from: SavedTrainingState | undefined,
  ) {
    this.#rows = from?.rows ?? 0;
    this.sinceFired = persistent(gpu, [features], from?.sinceFired, { dtype: 'u32', label: 'rows since last fired' });
    this.threshold =
      activation.kind === 'batch-top-k'
        ? persistent(gpu, [1], Float32Array.of(from?.threshold ?? 0), { label: 'threshold' })
        : undefined;
  }

  /**
   * A state at the start, or the one that was saved.
   * @throws LimnError `data/dictionary-state` for a state of another dictionary; `gpu/…` when the GPU has no room
   */
  static create(
    gpu: Gpu,
    config: Pick<DictionaryConfig, 'features' | 'activation'>,
    from?: SavedTrainingState,
  ): DictionaryTrainingState {
    if (from) checkState(config, from);
    return new DictionaryTrainingState(gpu, config, from);
  }

  /** Rows of activations in the steps recorded so far. */
  get rows(): number {
    return this.#rows;
  }

  /** Read after the steps submitted so far. */
  async save(): Promise<SavedTrainingState> {
    const [sinceFired, threshold] = await Promise.all([
      this.gpu.read(this.sinceFired.storage, 'u32'),
      this.threshold && this.gpu.read(this.threshold.storage, 'f32'),
    ]);
    return { rows: this.#rows, sinceFired, ...(threshold ? { threshold: threshold[0] as number } : {}) };
  }

  /** The features that have not fired for `after` rows. */
  dead(step: Step, after: number): DeadFeatures {
    const size = this.sinceFired.size;
    const mask = allocate(step, [size], 'dead features', 'u32');
    const weight = allocate(step, [size], 'dead features');
    const bindings = { since: this.sinceFired.storage, mask: mask.storage, weight: weight.storage };
    step.dispatch(deadKernel, bindings, { size, dead_after: after });
    return { mask, weight, count: sumAll(step, weight) };
  }

  /** Takes note of `rows` rows, of which `fired` [F] says in how many each feature fired. */
  count(step: Step, fired: Tensor, rows: number): void {
    const bindings = { fired: fired.storage, since: this.sinceFired.storage };
    step.dispatch(sinceKernel, bindings, { size: fired.size, rows });
    this.#rows += rows;
  }

  /**
   * θ ← .99 θ + .01 · the least positive of `kept`, the activations that a batch kept; θ stays where it kept none. Then
   * `logThreshold` [F] ← log θ.
   */
  average(step: Step, kept: Tensor, logThreshold: Tensor): void {
    const before = this.threshold as Tensor;
    const after = allocate(step, [1], 'threshold');
    step.dispatch(
      averageKernel,
      {
        least: leastPositive(step, kept).storage,
        before: before.storage,
        after: after.storage,
        log_threshold: logThreshold.storage,
      },
      { size: logThreshold.size, rate: THRESHOLD_RATE, lowest: LOWEST_LOG_THRESHOLD },
    );
    assign(step, before, after);
  }

  /** Frees the counts and the threshold. */
  dispose(): void {
    this.sinceFired.dispose();
    this.threshold?.dispose();
  }

  /** As `dispose`. */
  [Symbol.dispose](): void {
    this.dispose();
  }
}

/** In how many rows of a [N, F] each feature fires: f32 [F]. Off the tape. */
export function firedRows(step: Step, a: Tensor): Tensor {
  const [rows, features] = a.shape as [number, number];
  const chunk = Math.min(rows, ROWS_PER_LANE);
  const counts = allocate(step, [Math.ceil(rows / chunk), features], 'fired');
  step.dispatch(countKernel, { a: a.storage, counts: counts.storage }, { size: counts.size, rows, features, chunk });
  return sum(step, counts, { axes: 0 });
}

/** The least positive element as [1]; 0 where there is none. Off the tape. */
export function leastPositive(step: Step, values: Tensor): Tensor {
  for (let x = values; ;) {
    const chunk = Math.min(x.size, VALUES_PER_GROUP);
    const chunks = Math.ceil(x.size / chunk);
    const y = allocate(step, [chunks], 'least positive');
    step.dispatch(leastKernel, { x: x.storage, y: y.storage }, { size: x.size, chunk, chunks });
    if (chunks === 1) return y;
    x = y;
  }
}

function checkState(
  { features, activation }: Pick<DictionaryConfig, 'features' | 'activation'>,
  state: SavedTrainingState,
): void {
  const { rows, sinceFired, threshold } = state;
  const problem =
    sinceFired.length !== features
      ? `counts ${sinceFired.length} features, but the dictionary has ${features}`
      : !Number.isSafeInteger(rows) || rows < 0
        ? `has seen ${rows} rows, which is not a whole number`
        : activation.kind === 'batch-top-k' &&
            !(threshold !== undefined && Number.isFinite(threshold) && threshold >= 0)
          ? `has the threshold ${threshold}, but batch-top-k takes a number of at least 0`
          : undefined;
  if (problem !== undefined)
    throw new LimnError('data/dictionary-state', `The state of a training ${problem}.`, {
      details: { rows, features: sinceFired.length, threshold },
      hint: 'Give the state that was saved with this dictionary.',
    });
}
