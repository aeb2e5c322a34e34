// EAP: score(u → v) = mean (z'_u − z_u) · ∂L/∂x_v on the clean input. arXiv 2310.10348, 2403.17806 eq. 2; two forwards, one backward.
import type { HookedModel } from '@limn/hooks';
import type { Pair } from './pairs.js';
import { scoreByGradients } from './score-loop.js';
import type { ScoringOptions } from './score-loop.js';
import type { Scores } from './scores.js';

/** Edge attribution patching. Identically 0 under KL, whose gradient vanishes at the clean input. */
export function eap(model: HookedModel, pairs: readonly Pair[], options: ScoringOptions): Promise<Scores> {
  return scoreByGradients(
    model,
    pairs,
    {
      name: 'eap',
      differentiates: ['clean'],
      points: 1,
      gradientRuns: ({ clean, loss }) => [{ run: clean, loss: loss(clean.logits, 1), weights: [1] }],
    },
    options,
  );
}
