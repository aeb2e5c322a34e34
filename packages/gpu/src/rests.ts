// Rests of Node's thread while it waits for a device. Dawn asks the driver in every turn of the event loop (setImmediate) and never
// sleeps: on a software adapter that takes a third of two cores from the very threads that are waited for, elsewhere a whole core.
import { setImmediate } from 'node:timers';

/** Milliseconds that one rest takes at most: so long may another callback have to wait meanwhile. */
const LONGEST = 0.5;
/** A rest is this part of the time waited so far, by which the end of a wait may be missed. */
const SHARE = 1 / 16;
/** Shorter sleeps are not to be had from operating systems: waits of less than sixteen of them are not lengthened at all. */
const SHORTEST = 0.05;

/** Time, and how a thread passes it; all in milliseconds. */
export interface RestClock {
  readonly now: () => number;
  /** Sleeps; the thread does nothing else. */
  readonly sleep: (milliseconds: number) => void;
  /** Calls back in the next turn of the event loop, without keeping the process alive. */
  readonly nextTurn: (then: () => void) => void;
}

/**
 * Node's own, or undefined where a thread cannot sleep for so short a time: Windows' sleeps are whole milliseconds, shorter ones V8 passes
 * spinning; and a window of Electron may neither wait nor, without isolation, share memory.
 */
export function nodeClock(platform: string = process.platform): RestClock | undefined {
  if (platform === 'win32') return undefined;
  try {
    const never = new Int32Array(new SharedArrayBuffer(4));
    const sleep = (milliseconds: number): void => void Atomics.wait(never, 0, 0, milliseconds);
    sleep(0);
    return { now: () => performance.now(), sleep, nextTurn: (then) => void setImmediate(then).unref() };
  } catch {
    return undefined;
  }
}

/** Lets the thread rest between turns of the event loop as long as something is awaited. */
export class Rests {
  #waits = 0;
  /** When a wait last began or ended. */
  #since = 0;
  #turning = false;

  constructor(readonly clock: RestClock) {}

  /** Until the promise settles, either way. */
  during(wait: Promise<unknown>): void {
    this.#waits += 1;
    this.#since = this.clock.now();
    const end = (): void => {
      this.#waits -= 1;
      this.#since = this.clock.now();
    };
    wait.then(end, end);
    if (this.#turning) return;
    this.#turning = true;
    this.clock.nextTurn(this.#turn);
  }

  readonly #turn = (): void => {
    if (this.#waits === 0) {
      this.#turning = false;
      return;
    }
    const rest = Math.min(LONGEST, SHARE * (this.clock.now() - this.#since));
    if (rest >= SHORTEST) this.clock.sleep(rest);
    this.clock.nextTurn(this.#turn);
  };
}
