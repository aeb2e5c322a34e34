// Clean-corrupted: g_v is the mean of the gradients on the two real inputs, ½ (g_v(clean) + g_v(corrupted)); arXiv 2403.17806 §3.
import type { HookedModel } from '@limn/hooks';
import type { Pair } from './pairs.js';
import { scoreByGradients } from './score-loop.js';
import type { ScoringOptions } from './score-loop.js';
import type { Scores } from './scores.js';

/** Two forwards and two backwards: a path of its two ends. */
export function cleanCorrupted(model: HookedModel, pairs: readonly Pair[], options: ScoringOptions): Promise<Scores> {
  return scoreByGradients(
    model,
    pairs,
    {
      name: 'clean-corrupted',
      differentiates: ['clean', 'corrupted'],
      points: 1,
      gradientRuns: ({ clean, corrupted, loss }) =>
        [clean, corrupted].map((run) => ({ run, loss: loss(run.logits, 1), weights: [0.5] })),
    },
    options,
  );
}
