// One update of a group: the loss of every diff, its gradient, and a step of Adam for each at a rate of its own.
import type { Step } from '@limn/gpu';
import type { HookedModel } from '@limn/hooks';
import { adamw, gradients, sumAll, type AdamW, type AdamWMoments, type Tensor } from '@limn/tensor';
import type { DiffBatch } from './diff-batch.js';
import { recordDiffLoss, type TeacherRows } from './diff-loss.js';
import type { DiffSettings } from './diff-options.js';
import type { DiffStack } from './diff-stack.js';

const GROUP = 'diffs';

/** Records the losses [N] of a group's round, and the slopes of their sum: every diff has those that it would have alone. */
export function recordSlopes(
  step: Step,
  model: HookedModel,
  stack: DiffStack,
  batch: DiffBatch,
  loss: { readonly teacher: TeacherRows; readonly reverse: number },
): { readonly losses: Tensor; readonly slopes: readonly Tensor[] } {
  const interventions = stack.interventions({ taskOfRow: batch.taskOfRow });
  const losses = recordDiffLoss(step, model, batch, interventions, loss);
  const parameters = stack.parameters.map(({ tensor }) => tensor);
  return { losses, slopes: gradients(step, sumAll(step, losses), 'ones', parameters) };
}

/** Adam over the stacks of a group; every place has moments, a count and a rate of its own. */
export class DiffUpdates {
  readonly #optimiser: AdamW;

  /** @throws LimnError `gpu/…` */
  constructor(
    readonly model: HookedModel,
    readonly stack: DiffStack,
    readonly settings: Pick<DiffSettings, 'betas' | 'reverse' | 'shape'>,
  ) {
    const { betas, shape } = settings;
    this.#optimiser = adamw(stack.gpu, [
      { name: GROUP, params: stack.parameters, rate: 0, betas, tasks: { count: shape.tasks } },
    ]);
  }

  /** Updates that each place has had. */
  get counts(): readonly number[] {
    return this.#optimiser.taskCounts[GROUP] as readonly number[];
  }

  /** Records an update; a place of rate 0 stays as it is. Losses [N] are of before it. */
  record(step: Step, batch: DiffBatch, teacher: TeacherRows, rates: Float32Array): Tensor {
    const { losses, slopes } = recordSlopes(step, this.model, this.stack, batch, { teacher, ...this.settings });
    this.#optimiser.step(step, slopes, { taskRates: { [GROUP]: rates } });
    return losses;
  }

  /** Both moments of every parameter, read when they are asked for. */
  moments(): AdamWMoments['groups'][number]['params'] {
    return this.#optimiser.moments().groups[0]?.params ?? [];
  }

  /** Takes moments over, with the updates that each place has had. */
  async load(
    { count, taskCounts }: { readonly count: number; readonly taskCounts: readonly number[] },
    moment: (kind: 'first' | 'second', name: string) => Promise<Float32Array>,
  ): Promise<void> {
    const params = this.moments().map(({ name, size }) => ({
      name,
      size,
      first: () => moment('first', name),
      second: () => moment('second', name),
    }));
    await this.#optimiser.loadMoments({ groups: [{ name: GROUP, count, taskCounts, params }] });
  }

  /** Releases the moments; the stack stays. */
  dispose(): void {
    this.#optimiser.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}
