// EAP: score(u → v) = mean (z'_u − z_u) · ∂L/∂x_v on the clean input. arXiv 2310.10348, 2403.17806 eq. 2; two forwards, one backward.
import type { HookedModel } from '@limn/hooks';
import type { Pair } from './pairs.js';
import { scoreByGradients } from './gradient-scores.js';
import type { EdgeScoringOptions } from './gradient-scores.js';
import type { GradientMethod } from './score-loop.js';
import type { Scores } from './scores.js';

/** The gradient on the clean input alone. */
export const eapMethod: GradientMethod = {
  name: 'eap',
  differentiates: ['clean'],
  points: 1,
  gradientParts: ({ clean, loss }) => [{ runs: [{ run: clean, loss: loss(clean.logits, 1), weights: [1] }] }],
};

/**
 * Edge attribution patching. Identically 0 under KL, whose gradient vanishes at the clean input.
 * @throws LimnError `usage/metric`, `usage/metric-loss`, `usage/ablation`, `usage/unknown-ablation`, `data/pairs-…`, `data/score-not-finite`,
 * `memory/over-budget`, `usage/batch-size`, `usage/memory`; AbortedError
 */
export function eap(model: HookedModel, pairs: readonly Pair[], options: EdgeScoringOptions): Promise<Scores> {
  return scoreByGradients(model, pairs, eapMethod, options);
}
