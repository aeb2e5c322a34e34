// Long sums on the host, with pauses in which a signal is heard: by work done, so that the clock has no part in anything.
import { throwIfAborted } from '@limn/gpu';
import { yieldToEvents, type RunControls } from '@limn/hooks';

/** Multiplications between two pauses: few enough for a page to answer. */
const PAUSE = 2 ** 26;

/** Counts multiplications of one job, and pauses it. */
export class WorkPace {
  #since = 0;
  #done = 0;

  /** `total` multiplications of `what`. */
  constructor(
    private readonly what: string,
    private readonly total: number,
    private readonly controls: Pick<RunControls, 'signal' | 'onProgress'>,
  ) {}

  /**
   * So many more are done.
   * @throws AbortedError
   */
  async did(count: number): Promise<void> {
    this.#done += count;
    this.#since += count;
    if (this.#since < PAUSE && this.#done < this.total) return;
    this.#since = 0;
    await yieldToEvents();
    throwIfAborted(this.controls.signal, this.what);
    this.controls.onProgress?.({ unit: 'multiplications', done: Math.min(this.#done, this.total), total: this.total });
  }
}
