// One update of a training run: the gradients of its rows, all at once or summed part by part, and AdamW's step.
import type { Step } from '@limn/gpu';
import { accumulate, adamw, assign, gradients, persistent, type AdamW, type Tensor } from '@limn/tensor';
import type { Gpt2 } from './model.js';
import { tensorsOf } from './parameters.js';
import { badSetting, checkSchedule, type RateSchedule } from './rate-schedule.js';
import { lossOfPart, partsOf, targetsOf, type TrainingRows } from './training-loss.js';

/** What holds where a recipe is silent. */
const BETAS = [0.9, 0.98] as const;
const EPSILON = 1e-8;

/** The optimiser's settings. Weight decay holds for matrices only, not for biases and LayerNorm. */
export interface TrainingRecipe extends RateSchedule {
  /** Highest learning rate, reached after `warmup` updates. */
  readonly rate: number;
  /** Default [0.9, 0.98]. */
  readonly betas?: readonly [number, number];
  /** Default 1e-8. */
  readonly epsilon?: number;
  /** Default 0. */
  readonly weightDecay?: number;
  /** Global gradient norm. Default: no clipping. */
  readonly clipNorm?: number;
  /**
   * Rows on the GPU at a time. A batch with more of them is cut into parts in order, and the gradient is the sum over the parts of
   * Σ loss / targets of the whole batch: every target weighs the same, whichever part it is in. That is the gradient of the whole
   * batch up to the order of f32 sums, at the price of one more copy of the weights' size. Default: all rows at once.
   */
  readonly microBatch?: number;
}

/** What the GPU, which counts in f32, makes of a number. */
const { fround } = Math;
const isFinite = (value: number): boolean => Number.isFinite(fround(value));

/**
 * Refuses a recipe or a length that means nothing, before any work. Numbers must be finite as f32.
 * @throws LimnError `training/setting` naming the setting, its value and what is allowed
 */
export function checkRecipe(recipe: TrainingRecipe, steps: number): void {
  if (!Number.isInteger(steps) || steps < 0)
    throw badSetting('steps', steps, 'a whole number of updates', 'Give 1000, say.');
  if (typeof recipe !== 'object' || recipe === null)
    throw badSetting('recipe', recipe, 'the settings of AdamW', 'Give { rate: 1e-3 }, say.');
  checkSchedule(recipe);
  const { rate, betas = BETAS, epsilon = EPSILON, weightDecay = 0, clipNorm, microBatch } = recipe;
  const check = (sound: boolean, name: string, value: unknown, allowed: string, hint: string): void => {
    if (!sound) throw badSetting(name, value, allowed, hint);
  };
  check(isFinite(rate) && rate >= 0, 'rate', rate, 'a finite number of at least 0', 'Give 1e-3, say.');
  const isBeta = (beta: number): boolean => fround(beta) >= 0 && fround(beta) < 1;
  check(
    Array.isArray(betas) && betas.length === 2 && betas.every(isBeta),
    'betas',
    betas,
    'two numbers from 0 to below 1',
    `Leave it out for ${BETAS.join(' and ')}.`,
  );
  const positive = 'a finite number above 0';
  check(isFinite(epsilon) && fround(epsilon) > 0, 'epsilon', epsilon, positive, `Leave it out for ${EPSILON}.`);
  const decays = isFinite(weightDecay) && weightDecay >= 0;
  check(decays, 'weightDecay', weightDecay, 'a finite number of at least 0', 'Leave it out for none.');
  if (clipNorm !== undefined)
    check(isFinite(clipNorm) && fround(clipNorm) > 0, 'clipNorm', clipNorm, positive, 'Leave it out to clip nothing.');
  const allRows = microBatch === undefined || (Number.isInteger(microBatch) && microBatch > 0);
  check(allRows, 'microBatch', microBatch, 'a whole number of rows, at least 1', 'Leave it out for all rows at once.');
}

/** One recorded part of an update. */
export interface RecordedPart {
  readonly step: Step;
  /** The part's share of the batch's mean loss [1]: the shares of all parts add up to it. */
  readonly loss: Tensor;
  /** Targets in the part. */
  readonly tokens: number;
}

/** Records updates; owns the optimiser's moments and, with micro-batches, the gradients' sums. */
export class Updater {
  readonly optimiser: AdamW;
  /** One sum per tensor of the optimiser; none without micro-batches. */
  readonly #sums: Tensor[] = [];

  constructor(
    readonly model: Gpt2,
    readonly recipe: TrainingRecipe,
  ) {
    this.optimiser = makeOptimiser(model, recipe);
    if (recipe.microBatch === undefined) return;
    try {
      for (const tensor of this.optimiser.tensors)
        this.#sums.push(persistent(model.gpu, tensor.shape, undefined, { label: 'gradient sum' }));
    } catch (error) {
      this.dispose();
      throw error;
    }
  }

  /** The parts of an update of rows that were checked, each recorded when it is asked for and to be submitted before the next. The last one changes the weights. */
  *record(rows: TrainingRows, rateScale: number): Generator<RecordedPart> {
    const parts = partsOf(rows, this.recipe.microBatch);
    const all = targetsOf(rows);
    for (const [n, part] of parts.entries()) {
      const step = this.model.gpu.step({ label: 'training' });
      try {
        const { loss, tokens } = lossOfPart(this.model, step, part, all);
        let grads = this.gradients(step, loss);
        if (parts.length > 1) grads = this.#add(step, grads, n === 0);
        if (n === parts.length - 1) this.optimiser.step(step, grads, { rateScale });
        yield { step, loss, tokens };
      } finally {
        // Ends a step that was never submitted; one that was is none of its business.
        step.dispose();
      }
    }
  }

  /** The loss's gradients, in the optimiser's order. */
  gradients(step: Step, loss: Tensor): readonly (Tensor | undefined)[] {
    return gradients(step, loss, 'ones', this.optimiser.tensors);
  }

  dispose(): void {
    this.optimiser.dispose();
    for (const sum of this.#sums) sum.dispose();
  }

  #add(step: Step, grads: readonly (Tensor | undefined)[], first: boolean): readonly Tensor[] {
    this.#sums.forEach((sum, i) => (first ? assign : accumulate)(step, sum, grads[i] as Tensor));
    return this.#sums;
  }
}

function makeOptimiser(model: Gpt2, recipe: TrainingRecipe): AdamW {
  const { rate, betas = BETAS, epsilon = EPSILON, weightDecay = 0, clipNorm } = recipe;
  const params = [...model.parameters()].flatMap(([name, parameter]) =>
    tensorsOf(parameter).map((tensor, block, all) => ({ name: all.length === 1 ? name : `${name}#${block}`, tensor })),
  );
  const group = (name: string, matrices: boolean) => ({
    name,
    params: params.filter(({ tensor }) => tensor.shape.length > 1 === matrices),
    rate,
    betas,
    epsilon,
    weightDecay: matrices ? weightDecay : 0,
  });
  return adamw(
    model.gpu,
    [group('matrices', true), group('vectors', false)],
    clipNorm === undefined ? {} : { clipNorm },
  );
}
