// JumpReLU in float64: a = h·1[h > θ], how many fire, and the straight-through gradients of both with the rectangular kernel.
import type { Reference } from '../tolerance.js';
import { addTerm, zeros } from './shapes.js';

/** Pre-activations with a threshold for each feature. */
export interface JumpReluCase {
  /** [N, F] */
  readonly h: Float64Array;
  /** log θ [F] */
  readonly logThreshold: Float64Array;
  /** ε */
  readonly bandwidth: number;
}

/** exp of a log θ is off by (3 + 2 |log θ|) ULP of two units each. */
const thetaError = (logTheta: number): number => 2 + Math.abs(logTheta);

function each(
  { h, logThreshold }: JumpReluCase,
  visit: (at: number, row: number, feature: number, theta: number) => void,
): void {
  const F = logThreshold.length;
  h.forEach((_, at) => visit(at, Math.floor(at / F), at % F, Math.exp(logThreshold[at % F]!)));
}

/** a [N, F]. */
export function jumpReluForward(about: JumpReluCase): Reference {
  const a = zeros(about.h.length);
  each(about, (at, _row, _feature, theta) => addTerm(a, at, about.h[at]! > theta ? about.h[at]! : 0));
  return a;
}

/** Gradients at h and at log θ for da [N, F]. */
export function jumpReluVjp(
  about: JumpReluCase,
  da: Float64Array,
): { readonly h: Reference; readonly logThreshold: Reference } {
  const dh = zeros(about.h.length);
  const dLog = zeros(about.logThreshold.length);
  each(about, (at, _row, feature, theta) => {
    addTerm(dh, at, about.h[at]! > theta ? da[at]! : 0);
    if (Math.abs(about.h[at]! - theta) >= about.bandwidth / 2) return;
    const term = ((-theta * theta) / about.bandwidth) * da[at]!;
    addTerm(dLog, feature, term, Math.abs(term) * 2 * thetaError(about.logThreshold[feature]!));
  });
  return { h: dh, logThreshold: dLog };
}

/** Σ_f 1[h > θ] of each row, [N]. */
export function jumpReluCountForward(about: JumpReluCase): Reference {
  const y = zeros(about.h.length / about.logThreshold.length);
  each(about, (at, row, _feature, theta) => addTerm(y, row, about.h[at]! > theta ? 1 : 0));
  return y;
}

/** Gradient at log θ for dy [N]. */
export function jumpReluCountVjp(about: JumpReluCase, dy: Float64Array): Reference {
  const dLog = zeros(about.logThreshold.length);
  each(about, (at, row, feature, theta) => {
    if (Math.abs(about.h[at]! - theta) >= about.bandwidth / 2) return;
    const term = (-theta / about.bandwidth) * dy[row]!;
    addTerm(dLog, feature, term, Math.abs(term) * 2 * thetaError(about.logThreshold[feature]!));
  });
  return dLog;
}
