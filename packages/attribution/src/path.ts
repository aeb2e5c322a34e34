// The integration path of EAP-IG: points α from corrupted (0) to clean (1) embeddings with their quadrature weights, arXiv 2403.17806 §3.
import { LimnError } from '@limn/gpu';
import { nearest } from '@limn/hooks';

/**
 * Where the m points lie: 'left' k/m, k = 0 … m − 1 (with the corrupted end, as MIB and today's reference code);
 * 'right' k = 1 … m (with the clean end, as the paper); 'midpoint' (k + ½)/m; 'trapezoid' m + 1 points, ends halved.
 */
export type IgRule = 'left' | 'right' | 'midpoint' | 'trapezoid';
/** All rules. */
export const IG_RULES: readonly IgRule[] = ['left', 'right', 'midpoint', 'trapezoid'];

/** One point of the path, α from corrupted (0) to clean (1). */
export interface PathPoint {
  readonly alpha: number;
  /** Weights of a path sum to 1. */
  readonly weight: number;
}

/**
 * The points of a rule with m = `steps`, from corrupted to clean.
 * @throws LimnError `usage/ig-steps`, `usage/ig-rule`
 */
export function igPath(steps: number, rule: IgRule): PathPoint[] {
  if (!Number.isInteger(steps) || steps < 1)
    throw new LimnError('usage/ig-steps', `EAP-IG takes a whole number of steps of at least 1; given ${steps}.`, {
      details: { steps },
    });
  if (!IG_RULES.includes(rule))
    throw new LimnError('usage/ig-rule', `There is no integration rule "${rule}"; there are ${IG_RULES.join(', ')}.`, {
      details: { given: rule, allowed: IG_RULES },
      hint: `Did you mean "${nearest(rule, IG_RULES)}"?`,
    });
  if (rule === 'trapezoid')
    return Array.from({ length: steps + 1 }, (_, k) => ({
      alpha: k / steps,
      weight: (k === 0 || k === steps ? 0.5 : 1) / steps,
    }));
  const shift = { left: 0, midpoint: 0.5, right: 1 }[rule];
  return Array.from({ length: steps }, (_, k) => ({ alpha: (k + shift) / steps, weight: 1 / steps }));
}
