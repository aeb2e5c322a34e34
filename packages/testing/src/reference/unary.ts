// f(x) and f′(x) · dy in float64, with magnitudes from WGSL's accuracy table (1 ULP = 2 u).
import type { Reference } from '../tolerance.js';

interface Curve {
  f(x: number): number;
  slope(x: number): number;
  /** Size of f's error in units of 4 u, absolute. */
  size(x: number, y: number): number;
  /** The same for f′ computed from x and from y with its own error. */
  slopeSize(x: number, y: number): number;
}

const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x));

/** Every function of the unary op. */
export const curves: Readonly<Record<string, Curve>> = {
  square: { f: (x) => x * x, slope: (x) => 2 * x, size: (_x, y) => y, slopeSize: (x) => 2 * Math.abs(x) },
  // √x may be computed as 1 / inverseSqrt(x): 2 + 2.5 ULP.
  sqrt: { f: Math.sqrt, slope: (x) => 0.5 / Math.sqrt(x), size: (_x, y) => 3 * y, slopeSize: (_x, y) => 5 * (0.5 / y) },
  rsqrt: {
    f: (x) => 1 / Math.sqrt(x),
    slope: (x) => -0.5 * x ** -1.5,
    size: (_x, y) => 4 * y,
    slopeSize: (_x, y) => 14 * (0.5 * y ** 3),
  },
  reciprocal: {
    f: (x) => 1 / x,
    slope: (x) => -1 / x ** 2,
    size: (_x, y) => 2 * Math.abs(y),
    slopeSize: (_x, y) => 5 * y * y,
  },
  // exp: (3 + 2 |x|) ULP.
  exp: {
    f: Math.exp,
    slope: Math.exp,
    size: (x, y) => y * (2 + Math.abs(x)),
    slopeSize: (x, y) => y * (3 + Math.abs(x)),
  },
  // log: 3 ULP, or 2⁻²¹ = 8 u absolute between 0.5 and 2.
  log: { f: Math.log, slope: (x) => 1 / x, size: (_x, y) => 2 * Math.abs(y) + 2, slopeSize: (x) => 2 / Math.abs(x) },
  relu: { f: (x) => Math.max(x, 0), slope: (x) => (x > 0 ? 1 : 0), size: (_x, y) => y, slopeSize: () => 1 },
  sigmoid: {
    f: sigmoid,
    slope: (x) => sigmoid(x) * (1 - sigmoid(x)),
    size: (x, y) => y * (4 + Math.abs(x)),
    slopeSize: (x, y) => y * (6 + Math.abs(x)),
  },
  // Above 0.1, 1 − e loses what exp was off by: (3 + 4 |x|) ULP of e ≤ 0.82.
  tanh: {
    f: Math.tanh,
    slope: (x) => 1 - Math.tanh(x) ** 2,
    size: (x, y) => (Math.abs(x) < 0.1 ? 2 * Math.abs(y) : 2 + Math.abs(y)),
    slopeSize: () => 8,
  },
  abs: { f: Math.abs, slope: Math.sign, size: (_x, y) => y, slopeSize: () => 1 },
};

/** y = f(x). */
export function unaryForward(name: string, x: Float64Array): Reference {
  const curve = curves[name]!;
  const values = x.map((value) => curve.f(value));
  return { values, magnitude: x.map((value, at) => curve.size(value, values[at]!)) };
}

/** dx = f′(x) · dy. */
export function unaryVjp(name: string, x: Float64Array, dy: Float64Array): Reference {
  const curve = curves[name]!;
  return {
    values: x.map((value, at) => curve.slope(value) * dy[at]!),
    magnitude: x.map((value, at) => curve.slopeSize(value, curve.f(value)) * Math.abs(dy[at]!)),
  };
}
