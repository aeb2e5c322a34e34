// Shares buffers among values that are never alive together: greedy by size over lifetimes (Pisarchyk & Lee 2020, shared objects).

/** A value's size and the first and last command that touches it, both inclusive. */
export interface Lifetime {
  readonly bytes: number;
  readonly first: number;
  readonly last: number;
}

/** Which buffer each value gets, and how large the buffers are. */
export interface Assignment {
  readonly bufferOf: readonly number[];
  readonly bufferBytes: readonly number[];
}

/**
 * Assigns a buffer to every lifetime so that no two values in one buffer overlap in time.
 * Largest first; each takes the smallest buffer that is free for its whole life, so a buffer never has to grow.
 * Deterministic: ties go to the earlier value and the earlier buffer.
 */
export function assignBuffers(lifetimes: readonly Lifetime[]): Assignment {
  const order = lifetimes.map((_, i) => i);
  order.sort((a, b) => lifetimes[b]!.bytes - lifetimes[a]!.bytes || lifetimes[a]!.first - lifetimes[b]!.first || a - b);
  const bufferOf = Array.from<number>({ length: lifetimes.length });
  const buffers: { bytes: number; busy: Lifetime[] }[] = [];
  for (const i of order) {
    const life = lifetimes[i]!;
    let best = -1;
    // Buffers are made in descending size, so the last one that is free is the smallest that fits.
    for (let b = buffers.length - 1; b >= 0 && best < 0; b -= 1) if (isFree(buffers[b]!.busy, life)) best = b;
    if (best < 0) best = buffers.push({ bytes: life.bytes, busy: [] }) - 1;
    insert(buffers[best]!.busy, life);
    bufferOf[i] = best;
  }
  return { bufferOf, bufferBytes: buffers.map((b) => b.bytes) };
}

/** Largest sum of bytes alive at one command: no plan can need less. */
export function lowerBound(lifetimes: readonly Lifetime[]): number {
  const change = new Map<number, number>();
  const add = (at: number, bytes: number): void => void change.set(at, (change.get(at) ?? 0) + bytes);
  for (const { bytes, first, last } of lifetimes) {
    add(first, bytes);
    add(last + 1, -bytes);
  }
  let live = 0;
  let most = 0;
  for (const at of [...change.keys()].sort((a, b) => a - b)) most = Math.max(most, (live += change.get(at)!));
  return most;
}

/** First position in `busy` (sorted by time, disjoint) whose life ends at or after `from`. */
function position(busy: readonly Lifetime[], from: number): number {
  let low = 0;
  let high = busy.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (busy[middle]!.last < from) low = middle + 1;
    else high = middle;
  }
  return low;
}

function isFree(busy: readonly Lifetime[], life: Lifetime): boolean {
  const next = busy[position(busy, life.first)];
  return next === undefined || next.first > life.last;
}

function insert(busy: Lifetime[], life: Lifetime): void {
  busy.splice(position(busy, life.first), 0, life);
}
