// Inputs that everybody gets alike, and the comparison of results with float64. Runs in Node and in browsers.

/** `count` numbers from −scale to scale: a hash of the index and the seed (MurmurHash3's finaliser), equal on every machine. */
export function numbers(count: number, seed: number, scale = 1): Float32Array<ArrayBuffer> {
  const out = new Float32Array(count);
  for (let i = 0; i < count; i++) {
    let x = (i + Math.imul(seed + 1, 0x9e3779b9)) | 0;
    x = Math.imul(x ^ (x >>> 16), 0x85ebca6b);
    x = Math.imul(x ^ (x >>> 13), 0xc2b2ae35);
    out[i] = (((x ^ (x >>> 16)) >>> 8) / 2 ** 23 - 1) * scale;
  }
  return out;
}

/** `count` places spread over 0 … below, the first and the last among them. */
export function places(count: number, below: number): number[] {
  if (below <= count) return Array.from({ length: below }, (_, i) => i);
  return Array.from({ length: count }, (_, i) => Math.round((i * (below - 1)) / (count - 1)));
}

/** A value in float64, and how far a result may be off. */
export interface Expected {
  readonly at: number;
  readonly value: number;
  readonly bound: number;
}

/** Compares a result at some places; throws for the first that is off, and says how large the largest error is beside its bound. */
export function compare(result: Float32Array, length: number, expected: readonly Expected[]): string {
  if (result.length !== length) throw new Error(`${result.length} values where there should be ${length}`);
  let worst = 0;
  for (const { at, value, bound } of expected) {
    const got = result[at] ?? Number.NaN;
    const error = Math.abs(got - value);
    if (!(error <= bound))
      throw new Error(`value ${at} is ${got}, in float64 ${value}; it may be off by ${bound.toExponential(1)}`);
    worst = Math.max(worst, bound > 0 ? error / bound : 0);
  }
  return `${expected.length} values against float64, worst ${(100 * worst).toFixed(0)} % of the bound`;
}

/** GPT-2's gelu, x/2 · (1 + tanh(√(2/π) (x + .044715 x³))), in float64. */
export const geluTanh = (x: number): number =>
  (x / 2) * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3)));
