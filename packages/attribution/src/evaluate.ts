// Circuits run sparsely, relative to the ablated model: x_v = x'_v + Σ_{(u,v) ∈ C} (ẑ_u − z'_u), one circuit per batch row; nodes without a kept edge out are never computed.
import { FittingCount, inOrder, lengthBuckets, recordWithin, settleControls } from '@limn/hooks';
import type { HookedModel, RunControls } from '@limn/hooks';
import { LimnError, throwIfAborted } from '@limn/gpu';
import { readFloats } from '@limn/tensor';
import { settleAblation } from './ablation.js';
import type { Ablation } from './ablation.js';
import { EvaluationBase, MetricSum } from './evaluation-base.js';
import type { MetricValues } from './evaluation-base.js';
import { buildGraph } from './graph.js';
import type { Graph } from './graph.js';
import { expectDistinctNames } from './metric-identity.js';
import { checkAnswers } from './metrics.js';
import type { Metric } from './metrics.js';
import { edgesOf, planCircuit } from './neuron-circuit.js';
import type { PlannedCircuit, RunnableCircuit } from './neuron-circuit.js';
import { OutputWeights } from './node-outputs.js';
import { checkPairs } from './pairs.js';
import type { Pair } from './pairs.js';
import { recordCircuits } from './record-circuits.js';
import { pairsWithin } from './pairs-within.js';

/** What circuits are measured by, and what stands in for the edges that they leave out. */
export interface EvaluationOptions extends RunControls {
  readonly metrics: readonly Metric[];
  /** Default 'patch': edges outside of the circuit carry the corrupted run. */
  readonly ablation?: Ablation | undefined;
}

/** Metrics of the full model, of the empty circuit (under 'patch': the corrupted run), and of every circuit, in order. */
export interface Evaluation {
  readonly clean: MetricValues;
  readonly empty: MetricValues;
  readonly circuits: readonly MetricValues[];
}

/** Most circuits in one step; a GPU is full long before. */
const CIRCUITS_AT_ONCE = 32;
/** What a circuit takes besides its nodes' outputs, in their size: the streams it reads and writes. */
const OUTSIDE = 4;

/**
 * Runs every circuit on the clean inputs with everything outside of it ablated. Circuits are pruned first: under 'patch' this
 * changes no output; under 'zero' and means it takes away what nodes without a kept edge in would make of constants alone.
 * Where a circuit names neurons, the others of a node's output are ablated on its kept edges as well.
 * @throws LimnError `usage/metric-loss`, `usage/metric-name`, `usage/ablation`, `data/graph-mismatch`, `data/score-shape`, `data/mean-length`, `data/pairs-…`,
 * `usage/unknown-ablation`, `memory/over-budget`, `usage/batch-size`, `usage/memory`; AbortedError
 */
export async function evaluateCircuits(
  model: HookedModel,
  circuits: readonly RunnableCircuit[],
  pairs: readonly Pair[],
  options: EvaluationOptions,
): Promise<Evaluation> {
  const { metrics, signal, onProgress } = options;
  const ablation = settleAblation(options.ablation);
  const { batchSize, memoryBytes } = settleControls(options);
  checkPairs(pairs, { model: model.info });
  expectDistinctNames(metrics);
  checkAnswers(pairs, metrics);
  const graph = buildGraph(model.info);
  for (const circuit of circuits) expectGraph(circuit, graph);
  const planned = circuits.map(planCircuit);
  const clean = new MetricSum(metrics, pairs.length);
  const empty = new MetricSum(metrics, pairs.length);
  const sums = circuits.map(() => new MetricSum(metrics, pairs.length));
  const lengths = pairs.map((pair) => pair.clean.length);
  const buckets = lengthBuckets(lengths).map((bucket) => {
    const alike = bucket.map((place) => pairs[place] as Pair);
    return { bucket, atOnce: Math.min(batchSize, pairsAtOnce(model, planned, alike, memoryBytes)) };
  });
  const sizes = planned.map(({ circuit }) => circuit.sources().length + OUTSIDE);
  const fitting = new FittingCount(CIRCUITS_AT_ONCE);
  let pairsDone = 0;
  const weights = await OutputWeights.of(model);
  try {
    for (const { bucket, atOnce } of buckets)
      for (let first = 0; first < bucket.length; first += atOnce) {
        throwIfAborted(signal, 'Evaluating circuits');
        const places = inOrder(bucket.slice(first, first + atOnce));
        const batch = places.map((place) => pairs[place] as Pair);
        const base = await EvaluationBase.of(model, weights, batch, metrics, { ablation, signal });
        try {
          clean.add(base.cleanLosses, places);
          empty.add(base.emptyLosses, places);
          for (let done = 0; done < planned.length;) {
            throwIfAborted(signal, 'Evaluating circuits');
            // What a circuit takes grows with the nodes that it computes.
            const size = batch.length * base.T * Math.max(...sizes.slice(done, done + CIRCUITS_AT_ONCE));
            const most = Math.min(fitting.at(size), planned.length - done);
            const { step, count, recorded } = recordWithin({
              what: `Evaluating circuits on ${batch.length} pairs`,
              unit: 'circuit',
              memoryBytes,
              most,
              open: () => model.gpu.step({ label: 'circuits', ...(signal ? { signal } : {}) }),
              record: (step, count) =>
                recordCircuits(step, model, graph, base, planned.slice(done, done + count), batch, metrics),
            });
            fitting.learn(size, count, most);
            try {
              const losses = await Promise.all(recorded.map((loss) => readFloats(step, loss)));
              for (let c = 0; c < count; c++)
                sums[done + c]?.add(
                  losses.map((loss) => loss.subarray(c * batch.length, (c + 1) * batch.length)),
                  places,
                );
            } finally {
              step.dispose();
            }
            done += count;
            onProgress?.({
              unit: 'circuit runs',
              done: pairsDone * planned.length + done * batch.length,
              total: pairs.length * planned.length,
            });
          }
        } finally {
          base.dispose();
        }
        pairsDone += batch.length;
      }
  } finally {
    weights.dispose();
  }
  return { clean: clean.values(), empty: empty.values(), circuits: sums.map((sum) => sum.values()) };
}

/** Neurons belong to a model of their own width; whole outputs to any. */
function expectGraph(given: RunnableCircuit, graph: Graph): void {
  const { graph: own } = edgesOf(given);
  if (own.equals(graph) && (!('neurons' in given) || own.width === graph.width)) return;
  const shapeOf = ({ layers, heads, block, width }: Graph) => ({ layers, heads, block, width });
  throw new LimnError('data/graph-mismatch', 'A circuit belongs to a model of another shape.', {
    details: { circuit: shapeOf(own), model: shapeOf(graph) },
  });
}

/** Pairs whose base (per layer two streams, H + 1 outputs) and whose largest circuit fit. */
function pairsAtOnce(
  model: HookedModel,
  circuits: readonly PlannedCircuit[],
  pairs: readonly Pair[],
  memoryBytes: number,
): number {
  const { layers, heads } = model.info;
  const nodes = Math.max(1, ...circuits.map(({ circuit }) => circuit.sources().length));
  return pairsWithin(model, pairs, {
    what: 'Evaluating circuits',
    kept: nodes + 2 + layers * (heads + 3),
    widest: Math.max(nodes, heads + 1),
    memoryBytes,
  });
}
