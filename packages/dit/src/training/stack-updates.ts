// AdamW over a stack of LoRAs: every place has moments, a count and a rate of its own.
import type { Step } from '@limn/gpu';
import { adamw, type AdamW, type AdamWMoments, type Tensor } from '@limn/tensor';
import type { DiffStack } from '../diffs/diff-stack.js';

const GROUP = 'diffs';

/** What the updates of all places have in common. */
export interface StackUpdateSettings {
  readonly betas: readonly [number, number];
  /** Decoupled. Default 0. */
  readonly weightDecay?: number;
}

/** The optimiser of a stack: owns the moments, not the factors. */
export class StackUpdates {
  readonly #optimiser: AdamW;

  /** @throws LimnError `gpu/…` */
  constructor(
    readonly stack: DiffStack,
    { betas, weightDecay = 0 }: StackUpdateSettings,
  ) {
    const tasks = { count: stack.diffs.length };
    this.#optimiser = adamw(stack.gpu, [{ name: GROUP, params: stack.parameters, rate: 0, betas, weightDecay, tasks }]);
  }

  /** Updates that each place has had. */
  get counts(): readonly number[] {
    return this.#optimiser.taskCounts[GROUP] as readonly number[];
  }

  /** Records an update from slopes in the order of the stack's parameters; a place of rate 0 stays as it is. */
  record(step: Step, slopes: readonly (Tensor | undefined)[], rates: Float32Array): void {
    this.#optimiser.step(step, slopes, { taskRates: { [GROUP]: rates } });
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
