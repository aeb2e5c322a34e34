// Exact edge patching: score(u → v) = L(all edges clean but u → v) − L(clean), many edges of one sublayer in one run, which starts behind it.
import type { RunControls } from '@limn/hooks';
import { recordWithin, settleControls, type HookedModel } from '@limn/hooks';
import { throwIfAborted } from '@limn/gpu';
import { readFloats } from '@limn/tensor';
import { settleAblation } from './ablation.js';
import type { Ablation } from './ablation.js';
import type { Circuit } from './circuit.js';
import { cutBlocks, edgeBlocks, edgeCountOf, edgesOfBlock } from './edge-block.js';
import { circuitOfEdges } from './edge-subset.js';
import type { EdgeSubset } from './edge-subset.js';
import { CleanBase } from './exact-base.js';
import { edgeLayout, ExampleSum } from './example-sum.js';
import { scoresFrom } from './gradient-scores.js';
import { buildGraph } from './graph.js';
import { expectDistinctNames } from './metric-identity.js';
import { checkAnswers } from './metrics.js';
import type { Metric } from './metrics.js';
import { OutputWeights } from './node-outputs.js';
import { checkPairs } from './pairs.js';
import type { Pair } from './pairs.js';
import { patchedLosses } from './patched-losses.js';
import { ResampleSum } from './resampled-scores.js';
import type { Resamples } from './resampled-scores.js';
import { pairsWithin } from './pairs-within.js';
import type { Scores } from './scores.js';

/** Options of exact patching under one metric. */
export interface ExactOptions extends RunControls {
  readonly metric: Metric;
  /** What a patched edge carries. Default 'patch': the corrupted run. */
  readonly ablation?: Ablation | undefined;
  /** The edges that are patched; all others are left without a score, NaN. Default: all edges. */
  readonly edges?: EdgeSubset | undefined;
  /** Keep one matrix per example as well: 280 kB a pair of GPT-2 small. */
  readonly perExample?: boolean | undefined;
  /** Sum over resamples of the pairs as well, for `selectionStability`; only where all edges are patched. */
  readonly resamples?: Resamples | undefined;
}

/** Options of exact patching under several metrics. */
export interface ExactSweepOptions extends RunControls {
  /** All are read from the same runs. */
  readonly metrics: readonly Metric[];
  /** What a patched edge carries. Default 'patch': the corrupted run. */
  readonly ablation?: Ablation | undefined;
  /** The edges that are patched; all others are left without a score, NaN. Default: all edges. */
  readonly edges?: EdgeSubset | undefined;
  /** Keep one matrix per example as well: 280 kB a pair of GPT-2 small. */
  readonly perExample?: boolean | undefined;
  /** Sum over resamples of the pairs as well, for `selectionStability`; only where all edges are patched. */
  readonly resamples?: Resamples | undefined;
}

/**
 * Scores of every edge, or of those that are asked for, by patching it. Cost: edges × pairs runs of the layers behind the edge, in
 * 2 · layers + 1 steps at most where the budget holds a sublayer's edges at once; {@link exactCost} says how much that is.
 * @throws LimnError `data/graph-mismatch`, `data/unknown-edge`, `usage/metric-loss`, `usage/metric-name`, `usage/ablation`, `usage/unknown-ablation`, `data/pairs-…`, `data/score-not-finite`,
 * `memory/over-budget`, `usage/batch-size`, `usage/memory`; AbortedError
 */
export async function exactEdges(model: HookedModel, pairs: readonly Pair[], options: ExactOptions): Promise<Scores> {
  const [scores] = await exactSweep(model, pairs, { ...options, metrics: [options.metric] });
  return scores as Scores;
}

/**
 * Exact scores under several metrics from one sweep, in the metrics' order.
 * @throws LimnError `usage/metric-name`, `data/mean-length`, `usage/unknown-ablation`, and as {@link exactEdges}
 */
export async function exactSweep(
  model: HookedModel,
  pairs: readonly Pair[],
  options: ExactSweepOptions,
): Promise<Scores[]> {
  const { metrics, signal, onProgress, perExample, resamples } = options;
  const { batchSize, memoryBytes } = settleControls(options);
  const ablation = settleAblation(options.ablation);
  checkPairs(pairs, { model: model.info });
  expectDistinctNames(metrics);
  checkAnswers(pairs, metrics);
  const graph = buildGraph(model.info);
  const wanted = circuitOfEdges(graph, options.edges);
  const layout = edgeLayout(
    graph,
    Array.from(wanted.edges(), ({ u, v }) => graph.dense(u, v)),
  );
  const sums = metrics.map(() => {
    const resampled =
      resamples && wanted.edgeCount === graph.edgeCount ? new ResampleSum(resamples, graph, pairs) : undefined;
    return new ExampleSum(layout, pairs.length, { perExample, resampled });
  });
  // Kept per layer: four streams, H results, and Δ of H heads and the MLP; besides them Δ of the input.
  const { layers, heads } = model.info;
  const atOnce = Math.min(
    batchSize,
    pairsWithin(model, pairs, {
      what: 'Patching edges one by one',
      kept: 1 + layers * (2 * heads + 5),
      widest: heads + 1,
      memoryBytes,
    }),
  );
  const weights = await OutputWeights.of(model);
  const total = wanted.edgeCount * pairs.length;
  let done = 0;
  try {
    for (let start = 0; start < pairs.length; start += atOnce) {
      throwIfAborted(signal, 'Exact edge patching');
      const batch = pairs.slice(start, start + atOnce);
      const base = await CleanBase.of(model, weights, batch, metrics, { ablation, signal });
      try {
        await patchAll(model, wanted, base, batch, { metrics, memoryBytes, signal }, ({ edges, losses }) => {
          for (const [m, values] of losses.entries()) {
            const sum = sums[m] as ExampleSum;
            for (const [row, loss] of values.entries()) {
              const edge = edges[Math.floor(row / batch.length)] as number;
              const b = row % batch.length;
              sum.addOne(loss - (base.losses[m]?.[b] ?? Number.NaN), edge, start + b);
            }
          }
          done += edges.length * batch.length;
          onProgress?.({ unit: 'patched runs', done, total });
        });
      } finally {
        base.dispose();
      }
    }
  } finally {
    weights.dispose();
  }
  return sums.map((sum) => scoresFrom(graph, sum));
}

/** Losses [edges · B] per metric, row e·B + b. */
interface PatchedBlock {
  /** Dense indices. */
  readonly edges: readonly number[];
  readonly losses: readonly Float32Array[];
}

/** Patches the edges of a circuit on one batch: as many of a sublayer in one step as fit the budget. */
async function patchAll(
  model: HookedModel,
  wanted: Circuit,
  base: CleanBase,
  pairs: readonly Pair[],
  {
    metrics,
    memoryBytes,
    signal,
  }: {
    readonly metrics: readonly Metric[];
    readonly memoryBytes: number;
    readonly signal: AbortSignal | undefined;
  },
  take: (patched: PatchedBlock) => void,
): Promise<void> {
  let most = edgesWithin(model, base, pairs.length, memoryBytes);
  const waiting = edgeBlocks(wanted).reverse();
  for (let blocks = waiting.pop(); blocks; blocks = waiting.pop()) {
    throwIfAborted(signal, 'Exact edge patching');
    const whole = blocks;
    const atOnce = Math.min(most, edgeCountOf(whole));
    const { step, count, recorded } = recordWithin({
      what: 'Patching edges one by one',
      unit: 'edge of this batch of pairs; a smaller batch size',
      memoryBytes,
      most: atOnce,
      open: () => model.gpu.step({ label: 'exact', ...(signal ? { signal } : {}) }),
      record: (step, count) => {
        const [first, rest] = cutBlocks(whole, count);
        return { first, rest, losses: patchedLosses(step, model, base, first, pairs, metrics) };
      },
    });
    if (count < atOnce) most = count;
    const [next, ...others] = recorded.rest;
    if (next) waiting.push([next, ...others]);
    try {
      const losses = await Promise.all(recorded.losses.map((loss) => readFloats(step, loss)));
      take({ edges: recorded.first.flatMap((block) => edgesOfBlock(wanted.graph, block)), losses });
    } finally {
      step.dispose();
    }
  }
}

/** No more edges than have room for one stream [B, T, C] each, within the budget and in one binding: a plan says what they take in all. */
function edgesWithin({ info, gpu }: HookedModel, { T }: CleanBase, B: number, memoryBytes: number): number {
  const bytes = Math.min(memoryBytes, gpu.capabilities.limits.maxStorageBufferBindingSize);
  return Math.max(1, Math.floor(bytes / (B * T * info.width * 4)));
}
