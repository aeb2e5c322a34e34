// Counter-based random numbers: draw i of a stream is mix(mix(i·φ + k0) ^ k1), 32-bit integers only, so equal bits everywhere.

/** The finalizer of MurmurHash3: a bijection on 32-bit integers in which every input bit reaches every output bit. */
export function mix(x: number): number {
  let h = x >>> 0;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}

/** Folds integers and strings into one 32-bit key; order matters. */
export function hash(...parts: readonly (number | string)[]): number {
  let h = 0x9e3779b9;
  for (const part of parts) {
    if (typeof part === 'number') {
      h = mix(Math.imul(h, 31) + (part | 0));
      continue;
    }
    h = mix(Math.imul(h, 31) + part.length);
    for (let i = 0; i < part.length; i++) h = mix(Math.imul(h, 31) + part.charCodeAt(i));
  }
  return h;
}

/** A stream of random numbers named by its parts: the same parts give the same numbers on every platform. */
export class Random {
  readonly #k0: number;
  readonly #k1: number;
  #counter = 0;

  constructor(...parts: readonly (number | string)[]) {
    this.#k0 = hash('k0', ...parts);
    this.#k1 = hash('k1', ...parts);
  }

  /** The next u32. */
  next(): number {
    const x = Math.imul(this.#counter++, 0x9e3779b1) + this.#k0;
    return mix(mix(x) ^ this.#k1);
  }

  /** An integer in [0, n), n ≤ 2^20; the bias of the multiply-shift is below n / 2^32. */
  below(n: number): number {
    return Math.floor((this.next() * n) / 4294967296);
  }

  /** An integer in [low, high], both ends included. */
  between(low: number, high: number): number {
    return low + this.below(high - low + 1);
  }

  /** True with probability `percent` / 100. */
  percent(percent: number): boolean {
    return this.next() < percent * 42949672.96;
  }

  /** One element, uniformly. */
  pick<T>(items: readonly T[]): T {
    const item = items[this.below(items.length)];
    if (item === undefined) throw new RangeError('pick: the list is empty');
    return item;
  }

  /** One key, with probability proportional to its weight. */
  weighted<K extends string>(weights: Readonly<Record<K, number>>): K {
    const entries = Object.entries(weights) as [K, number][];
    let total = 0;
    for (const [, weight] of entries) total += weight;
    let left = (this.next() / 4294967296) * total;
    for (const [key, weight] of entries) {
      left -= weight;
      if (left < 0) return key;
    }
    const last = entries.at(-1);
    if (last === undefined) throw new RangeError('weighted: there are no weights');
    return last[0];
  }
}
