// Clean-corrupted: g_v is the mean of the gradients on the two real inputs, ½ (g_v(clean) + g_v(corrupted)); arXiv 2403.17806 §3.
import type { HookedModel } from '@limn/hooks';
import type { Pair } from './pairs.js';
import { scoreByGradients } from './gradient-scores.js';
import type { EdgeScoringOptions } from './gradient-scores.js';
import type { GradientMethod } from './score-loop.js';
import type { Scores } from './scores.js';

/** The gradients on the clean and on the corrupted input. */
export const cleanCorruptedMethod: GradientMethod = {
  name: 'clean-corrupted',
  differentiates: ['clean', 'corrupted'],
  points: 1,
  patchOnly: true,
  gradientParts: ({ clean, corrupted, loss }) => [
    { runs: [clean, corrupted].map((run) => ({ run, loss: loss(run.logits, 1), weights: [0.5] })) },
  ],
};

/**
 * Two forwards and two backwards: a path of its two ends.
 * @throws LimnError `usage/metric`, `usage/metric-loss`, `usage/unknown-ablation`, `data/pairs-…`, `data/score-not-finite`, `memory/over-budget`,
 * `usage/ablation`, `usage/batch-size`, `usage/memory`; AbortedError
 */
export function cleanCorrupted(
  model: HookedModel,
  pairs: readonly Pair[],
  options: EdgeScoringOptions,
): Promise<Scores> {
  return scoreByGradients(model, pairs, cleanCorruptedMethod, options);
}
