// A ranking without gradients, to hold scores against: every edge out of u gets the mean over examples of Σ_t ‖Δ_u[t]‖₂, t over real positions.
import { inBatches, settleControls } from '@limn/hooks';
import type { Step } from '@limn/gpu';
import type { HookedModel, Run, RunControls } from '@limn/hooks';
import { readFloats, square, sum } from '@limn/tensor';
import { expectLengths, settleAblation } from './ablation.js';
import type { Ablation } from './ablation.js';
import { buildGraph } from './graph.js';
import { nodeDeltas, outputCaptures, OutputWeights } from './node-outputs.js';
import { pairTokens } from './pair-tokens.js';
import { checkPairs } from './pairs.js';
import type { Pair } from './pairs.js';
import { scoresOf } from './scores.js';
import type { Scores } from './scores.js';

/** What Δ is, and whether to keep the examples. */
export interface DeltaRankingOptions extends RunControls {
  /** What stands in for a node's output: Δ_u = that − z_u. Default 'patch'. */
  readonly ablation?: Ablation | undefined;
  /** Keep one matrix per example as well. */
  readonly perExample?: boolean | undefined;
}

/**
 * How much each node's output changes, as a score of all its edges: what an edge ranking must beat to have used its gradients.
 * Equal scores of one node's edges are ranked by their index, as everywhere. Two forwards per pair.
 * @throws LimnError `usage/ablation`, `data/pairs-…`, `data/mean-length`, `usage/unknown-ablation`,
 * `memory/over-budget`, `usage/batch-size`,
 * `usage/memory`; AbortedError
 */
export async function deltaRanking(
  model: HookedModel,
  pairs: readonly Pair[],
  options: DeltaRankingOptions = {},
): Promise<Scores> {
  const { perExample = false } = options;
  const ablation = settleAblation(options.ablation);
  const controls = { ...options, ...settleControls(options) };
  checkPairs(pairs, { model: model.info });
  expectLengths(
    ablation,
    pairs.map(({ clean }) => clean.length),
  );
  const graph = buildGraph(model.info);
  /** Σ_t ‖Δ_u[t]‖ by pair, [nForward] each. */
  const norms: Float64Array[] = [];
  let kept: OutputWeights | undefined;
  try {
    await inBatches(
      model.gpu,
      pairs,
      {
        what: 'Ranking by |Δ|',
        unit: 'pair',
        label: 'delta ranking',
        record(step, batch) {
          const weights = kept ?? OutputWeights.within(step, model);
          return { weights, ...squaredNorms(step, model, weights, batch, ablation) };
        },
        lengthOf: ({ clean }) => clean.length,
        async take(step, recorded, places) {
          kept ??= recorded.weights.keep(step);
          const squares = await Promise.all(recorded.squares.map((tensor) => readFloats(step, tensor)));
          const { T, lengths } = recorded;
          for (const [b, length] of lengths.entries()) {
            const own = new Float64Array(graph.nForward);
            let u = 0;
            for (const block of squares)
              for (let s = 0; s < block.length / (lengths.length * T); s++, u++)
                for (let t = 0; t < length; t++)
                  own[u] = (own[u] ?? 0) + Math.sqrt(block[(s * lengths.length + b) * T + t] ?? Number.NaN);
            norms[places[b] as number] = own;
          }
        },
      },
      controls,
    );
  } finally {
    kept?.dispose();
  }
  const mean = (u: number): number => norms.reduce((total, own) => total + (own[u] ?? 0), 0) / norms.length;
  const means = graph.nodes.map((_, u) => mean(u));
  const scores = scoresOf(graph, (u) => means[u] ?? 0);
  if (!perExample) return scores;
  const examples = norms.map((own) => Float32Array.from(scoresOf(graph, (u) => own[u] ?? 0).values));
  return { ...scores, perExample: examples };
}

/** ‖Δ_u[b, t]‖² of every source, [sources, B, T] by block. */
function squaredNorms(
  step: Step,
  model: HookedModel,
  weights: OutputWeights,
  pairs: readonly Pair[],
  ablation: Ablation,
) {
  const runOf = (which: 'clean' | 'corrupted'): Run =>
    model.run(
      step,
      {
        tokens: pairTokens(pairs, which, model.info),
      },
      { capture: outputCaptures(model), logits: 'none' },
    );
  const clean = runOf('clean');
  const runs = ablation === 'patch' ? { clean, corrupted: runOf('corrupted') } : { clean };
  const squares = nodeDeltas(step, model, weights, runs, ablation).map(({ tensor }) =>
    sum(step, square(step, tensor), { axes: -1 }),
  );
  return { squares, lengths: clean.lengths, T: clean.T };
}
