// Steps of a training one behind the other: the next is recorded while the last still runs.
import type { Step } from '@limn/gpu';

/** Lets at most two steps be under way: one that runs, and one that waits for it. */
export class StepQueue {
  #last: Promise<void> = Promise.resolve();

  /** Submits a step, and waits for the one before it. A failure of this one is told by the next call. */
  async submit(step: Step): Promise<void> {
    const before = this.#last;
    this.#last = step.submit();
    this.#last.catch(() => undefined);
    await before;
  }

  /** Waits for all that was submitted. */
  async finished(): Promise<void> {
    await this.#last;
  }

  /** The same for who is failing already. */
  async settled(): Promise<void> {
    await this.#last.catch(() => undefined);
  }
}
