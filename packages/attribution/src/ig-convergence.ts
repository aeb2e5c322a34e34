// Whether m points on the path are enough: the scores of m against those of 4m, by rank and by the edges on top.
import type { HookedModel } from '@limn/hooks';
import { LimnError } from '@limn/gpu';
import { agreementAt } from './agreement.js';
import type { Agreement, TopOverlap } from './agreement.js';
import { headlineSizes } from './faithfulness.js';
import type { EapIgOptions } from './eap-ig-inputs.js';
import type { Pair } from './pairs.js';
import { scoreEdges } from './score-edges.js';
import type { Scores } from './scores.js';

/** Which path, and how much finer to compare with. */
export interface IgConvergenceOptions extends EapIgOptions {
  /** Default 'eap-ig-inputs'. */
  readonly method?: 'eap-ig-inputs' | 'eap-ig-activations' | undefined;
  /** The finer path has this many times as many points. Default 4. */
  readonly factor?: number | undefined;
  /** Sizes at which the selected edges are compared. Default: the headline sizes below the edge count. */
  readonly sizes?: readonly number[] | undefined;
}

/** How far scores still move with the number of points. */
export interface IgConvergence {
  readonly steps: number;
  readonly referenceSteps: number;
  /** Spearman, Kendall, Pearson and signs over all edges, the finer path as the reference. */
  readonly agreement: Agreement;
  /** |top-n ∩ top-n| / n by |score|. */
  readonly overlaps: readonly TopOverlap[];
  /** Σ |difference| / Σ |score of the finer path|; null where the finer path gives nothing. */
  readonly relativeChange: number | null;
  readonly scores: Scores;
  readonly reference: Scores;
}

/**
 * Scores with m (`steps`, default 5) and with `factor` · m points and compares. Upstream has seen no monotone gain of faithfulness
 * with m: this tells whether the scores have settled, not whether they are right.
 * @throws LimnError `usage/ig-factor`, and as `eapIgInputs` or `eapIgActivations`; AbortedError
 */
export async function igConvergence(
  model: HookedModel,
  pairs: readonly Pair[],
  options: IgConvergenceOptions,
): Promise<IgConvergence> {
  const { method = 'eap-ig-inputs', steps = 5, factor = 4, onProgress } = options;
  if (!Number.isInteger(factor) || factor < 2)
    throw new LimnError(
      'usage/ig-factor',
      `The finer path has a whole number of times as many points, at least 2; given ${factor}.`,
      {
        details: { factor },
      },
    );
  const run = (points: number, part: number): Promise<Scores> =>
    scoreEdges(model, pairs, {
      ...options,
      method,
      steps: points,
      ...(onProgress && {
        onProgress: ({ unit, done, total }) => onProgress({ unit, done: done + part * total, total: 2 * total }),
      }),
    });
  const scores = await run(steps, 0);
  const reference = await run(factor * steps, 1);
  const { sizes = headlineSizes(scores.graph.edgeCount).slice(0, -1) } = options;
  let change = 0;
  let total = 0;
  for (const { u, v } of reference.graph.edges()) {
    const i = reference.graph.dense(u, v);
    change += Math.abs((scores.values[i] ?? 0) - (reference.values[i] ?? 0));
    total += Math.abs(reference.values[i] ?? 0);
  }
  return {
    steps,
    referenceSteps: factor * steps,
    ...agreementAt(scores, reference, { k: 10, sizes }),
    relativeChange: total === 0 ? null : change / total,
    scores,
    reference,
  };
}
