// Sorting indices by float64 keys in linear time: a stable radix sort by 11 bits at a time, for rankings of hundreds of thousands of edges.

const DIGIT = 11;
const BUCKETS = 1 << DIGIT;
/** 6 digits of 11 bits hold the 64 of a key. */
const DIGITS = 6;

/** Indices 0 … n − 1 by ascending key; equal keys, 0 and −0 among them, stay in the order of their indices. */
export function ascendingOrder(keys: Float64Array): Uint32Array {
  const n = keys.length;
  // −0 + 0 is 0, so that both have the same bits.
  const bits = new Uint32Array(keys.map((x) => x + 0).buffer);
  const low = new Uint32Array(n);
  const high = new Uint32Array(n);
  for (let i = 0; i < n; i++) {
    // Little-endian words. As whole numbers, floats below 0 run backwards: they are turned over, the others put behind them.
    const word = bits[2 * i + 1] as number;
    const turn = word >>> 31 === 1 ? 0xffffffff : 0;
    low[i] = (bits[2 * i] as number) ^ turn;
    high[i] = word ^ (turn | 0x80000000);
  }
  let order = Uint32Array.from({ length: n }, (_, i) => i);
  let next = new Uint32Array(n);
  const starts = new Uint32Array(BUCKETS);
  for (let digit = 0; digit < DIGITS; digit++) {
    starts.fill(0);
    for (let i = 0; i < n; i++) {
      const bucket = digitOf(low[i] as number, high[i] as number, digit);
      starts[bucket] = (starts[bucket] as number) + 1;
    }
    let start = 0;
    for (let bucket = 0; bucket < BUCKETS; bucket++) {
      const count = starts[bucket] as number;
      starts[bucket] = start;
      start += count;
    }
    for (let at = 0; at < n; at++) {
      const i = order[at] as number;
      const bucket = digitOf(low[i] as number, high[i] as number, digit);
      const place = starts[bucket] as number;
      next[place] = i;
      starts[bucket] = place + 1;
    }
    [order, next] = [next, order];
  }
  return order;
}

/** Bits 11 · digit … 11 · digit + 10 of a 64-bit key. */
function digitOf(low: number, high: number, digit: number): number {
  const shift = DIGIT * digit;
  if (shift >= 32) return (high >>> (shift - 32)) & (BUCKETS - 1);
  // The third digit lies across both words.
  return shift + DIGIT <= 32
    ? (low >>> shift) & (BUCKETS - 1)
    : ((low >>> shift) | (high << (32 - shift))) & (BUCKETS - 1);
}
