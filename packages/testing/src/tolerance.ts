// |gpu − ref| ≤ c · u · √n · magnitude + tiny: a bound from the arithmetic, not from taste.
import { recordCase } from './ledger.js';

/** Unit round-off of f32. */
export const UNIT_F32 = 2 ** -24;
/** Unit round-off of f16. */
export const UNIT_F16 = 2 ** -11;

/** Float64 values of one output, with Σ|terms| per element: the size of what was added up to make it. */
export interface Reference {
  readonly values: Float64Array;
  readonly magnitude: Float64Array;
}

/** What was run, and the length of its sums. */
export interface ClosenessCase {
  readonly kernel: string;
  readonly variant?: string;
  readonly case: string;
  /** Length of the longest sum behind one element. */
  readonly n: number;
  /** 4 unless a comment at the call says why more. */
  readonly c?: number;
  readonly unit?: number;
  /** Absolute floor: results this small may be lost to flush-to-zero. */
  readonly tiny?: number;
}

/** Throws with kernel[variant], case, worst index, got, expected and allowed; records the case in the ledger. Returns error / bound. */
export function expectClose(got: ArrayLike<number>, expected: Reference, about: ClosenessCase): number {
  const { kernel, variant = '', n, c = 4, unit = UNIT_F32, tiny = 1e-35 } = about;
  const name = variant === '' ? kernel : `${kernel}[${variant}]`;
  if (got.length !== expected.values.length) {
    throw new Error(`${name}, ${about.case}: ${got.length} elements, expected ${expected.values.length}`);
  }
  let ratio = 0;
  let worst = 0;
  for (let i = 0; i < got.length; i++) {
    const bound = c * unit * Math.sqrt(n) * expected.magnitude[i]! + tiny;
    const error = Math.abs(got[i]! - expected.values[i]!) / bound;
    if (!(error <= ratio)) {
      ratio = error;
      worst = i;
      if (Number.isNaN(error)) break;
    }
  }
  recordCase({ kernel, variant, case: about.case, ratio, elements: got.length });
  if (!(ratio <= 1)) {
    const allowed = c * unit * Math.sqrt(n) * expected.magnitude[worst]! + tiny;
    throw new Error(
      `${name}, ${about.case}: element ${worst} is ${got[worst]}, expected ${expected.values[worst]} ± ${allowed} (error/bound ${ratio})`,
    );
  }
  return ratio;
}

/** Throws at the first element whose bits differ. */
export function expectSameBits(first: ArrayBufferView, second: ArrayBufferView, what: string): void {
  const a = new Uint8Array(first.buffer, first.byteOffset, first.byteLength);
  const b = new Uint8Array(second.buffer, second.byteOffset, second.byteLength);
  if (a.length !== b.length) throw new Error(`${what}: ${a.length} bytes, then ${b.length}`);
  const at = a.findIndex((byte, i) => byte !== b[i]);
  if (at >= 0) throw new Error(`${what}: two runs differ at byte ${at} (element ${at >> 2})`);
}
