// One update of a training run: the gradients of its rows, all at once or summed part by part, and AdamW's step.
import type { Step } from '@limn/gpu';
import { accumulate, adamw, assign, gradients, persistent, type AdamW, type Tensor } from '@limn/tensor';
import type { Gpt2 } from './model.js';
import { tensorsOf } from './parameters.js';
import { badSetting, checkSchedule, type RateSchedule } from './rate-schedule.js';
import { nextTokenLoss, partsOf, targetsOf, type TrainingRows } from './training-loss.js';

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

/** Refuses settings that mean nothing; what only AdamW knows, `adamw` refuses. @throws LimnError `training/setting` */
export function checkRecipe(recipe: TrainingRecipe, steps: number): void {
  if (!Number.isInteger(steps) || steps < 0)
    throw badSetting('steps', steps, 'a whole number of updates', 'Give 1000, say.');
  checkSchedule(recipe);
  const { microBatch } = recipe;
  if (microBatch !== undefined && !(Number.isInteger(microBatch) && microBatch > 0))
    throw badSetting(
      'microBatch',
      microBatch,
      'a whole number of rows, at least 1',
      'Leave it out for all rows at once.',
    );
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

  /** The update's parts, each recorded when it is asked for and to be submitted before the next. The last one changes the weights. */
  *record(rows: TrainingRows, rateScale: number): Generator<RecordedPart> {
    const parts = partsOf(rows, this.recipe.microBatch);
    const all = targetsOf(rows);
    for (const [n, part] of parts.entries()) {
      const step = this.model.gpu.step({ label: 'training' });
      try {
        const { loss, tokens } = nextTokenLoss(this.model, step, part, all);
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
  const { rate, betas = [0.9, 0.98], epsilon = 1e-8, weightDecay = 0, clipNorm } = recipe;
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
