// Rests while a device is awaited: how long they are, when they end, and who is told of a wait.
import { lentGpu } from '@limn/testing';
import { describe, expect, it, vi } from 'vitest';
import { awaitDevice, onDeviceWait } from '../src/index.js';
import { nodeClock, Rests } from '../src/rests.js';

/** A clock of which every turn of the event loop takes `turn` milliseconds; turns are taken by hand. */
function handClock(turn: number) {
  const state = { time: 0, slept: [] as number[], waited: [] as number[], next: undefined as (() => void) | undefined };
  const clock = {
    now: () => state.time,
    sleep: (milliseconds: number) => {
      state.slept.push(milliseconds);
      state.waited.push(state.time);
      state.time += milliseconds;
    },
    nextTurn: (then: () => void) => {
      state.next = then;
    },
  };
  const takeTurns = (count: number): void => {
    for (let i = 0; i < count; i++) {
      const then = state.next;
      state.next = undefined;
      state.time += turn;
      then?.();
    }
  };
  return { state, clock, takeTurns };
}

describe('Rests', () => {
  it('sleeps a sixteenth of what was waited, at most half a millisecond, and not before 0.8 ms', () => {
    const { state, clock, takeTurns } = handClock(0.1);
    new Rests(clock).during(new Promise(() => undefined));
    takeTurns(7);
    expect(state.slept).toEqual([]);
    takeTurns(2);
    expect(state.slept[0]).toBeCloseTo(0.05, 1);
    takeTurns(200);
    expect(state.slept.at(-1)).toBe(0.5);
    // No end of a wait is missed by more than a sixteenth of it.
    state.slept.forEach((rest, i) => expect(rest).toBeLessThanOrEqual(state.waited[i]! / 16));
  });

  it('stops when all that was awaited has settled, either way, and begins anew with the next', async () => {
    const { state, clock, takeTurns } = handClock(1);
    const rests = new Rests(clock);
    const first = Promise.resolve();
    let fail: (error: Error) => void = () => undefined;
    const second = new Promise<void>((_, reject) => (fail = reject));
    rests.during(first);
    rests.during(second);
    await first;
    takeTurns(2);
    expect(state.slept).not.toEqual([]);
    fail(new Error('lost'));
    await second.catch(() => undefined);
    takeTurns(1);
    expect(state.next).toBeUndefined();
    rests.during(new Promise(() => undefined));
    expect(state.next).toBeDefined();
  });

  it('sleeps on the clock of Node, and goes on in a later turn of its loop', async () => {
    const { now, sleep, nextTurn } = nodeClock('linux')!;
    const start = now();
    sleep(5);
    // Timers of operating systems may be some microseconds early.
    expect(now() - start).toBeGreaterThan(4.5);
    const order: string[] = [];
    const turned = new Promise<void>((resolve) =>
      nextTurn(() => {
        order.push('turn');
        resolve();
      }),
    );
    await Promise.resolve().then(() => order.push('this turn'));
    // Something that keeps the loop alive: the callback does not.
    const alive = setTimeout(() => undefined, 10_000);
    await turned;
    clearTimeout(alive);
    expect(order).toEqual(['this turn', 'turn']);
  });

  it('is not to be had where threads cannot sleep so shortly, or not at all', () => {
    expect(nodeClock('win32')).toBeUndefined();
    // As in a window of Electron.
    const refuses = vi.spyOn(Atomics, 'wait').mockImplementation(() => {
      throw new TypeError('Atomics.wait cannot be called in this context');
    });
    expect(nodeClock('linux')).toBeUndefined();
    refuses.mockRestore();
    const shared = globalThis.SharedArrayBuffer;
    Reflect.deleteProperty(globalThis, 'SharedArrayBuffer');
    try {
      expect(nodeClock('linux')).toBeUndefined();
    } finally {
      Object.defineProperty(globalThis, 'SharedArrayBuffer', { value: shared, configurable: true, writable: true });
    }
    expect(nodeClock('linux')).toBeDefined();
  });

  it('begins its measure anew with each wait, so that short waits beside a long one are not lengthened', async () => {
    const { state, clock, takeTurns } = handClock(0.1);
    const rests = new Rests(clock);
    // Of one Gpu that computes for long, or one that was lost and told nobody.
    rests.during(new Promise(() => undefined));
    takeTurns(100);
    const before = state.slept.length;
    expect(before).toBeGreaterThan(0);
    for (let i = 0; i < 10; i++) {
      const wait = Promise.resolve();
      rests.during(wait);
      takeTurns(5);
      await wait;
    }
    expect(state.slept).toHaveLength(before);
  });

  it('is told of what a Gpu awaits, and of what is awaited of its device', async () => {
    const gpu = await lentGpu();
    const told: Promise<unknown>[] = [];
    const before = onDeviceWait((wait) => told.push(wait));
    // Who opened the device had Node's rests told.
    expect(before).toBeDefined();
    try {
      await gpu.finished();
      expect(told).toHaveLength(1);
      const wait = gpu.device.queue.onSubmittedWorkDone();
      expect(awaitDevice(wait)).toBe(wait);
      await wait;
      expect(told[1]).toBe(wait);
    } finally {
      onDeviceWait(before);
    }
  });
});
