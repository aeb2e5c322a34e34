// Circuits run sparsely, relative to the ablated model: x_v = x'_v + Σ_{(u,v) ∈ C} (ẑ_u − z'_u), one circuit per batch row; nodes without a kept edge out are never computed.
import { lastRows, recordWithin } from '@limn/hooks';
import type { HookedModel } from '@limn/hooks';
import { LimnError, throwIfAborted, type Step } from '@limn/gpu';
import { allocate, expand, readFloats, reshape, type Tensor } from '@limn/tensor';
import { settleAblation } from './ablation.js';
import type { Ablation } from './ablation.js';
import { circuitChanges, circuitSlots } from './circuit-kernels.js';
import type { Circuit } from './circuit.js';
import { EvaluationBase, MetricSum } from './evaluation-base.js';
import type { MetricValues } from './evaluation-base.js';
import { HEAD_INPUTS, buildGraph } from './graph.js';
import type { Graph } from './graph.js';
import { checkAnswers } from './metrics.js';
import type { Metric } from './metrics.js';
import { layersOf, OutputWeights } from './node-outputs.js';
import { checkPairs } from './pairs.js';
import type { Pair } from './pairs.js';
import { prune } from './prune.js';
import { pairsWithin, settleControls } from './run-options.js';
import type { RunControls } from './run-options.js';
import { repeated } from './score-loop.js';

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

/**
 * Runs every circuit on the clean inputs with everything outside of it ablated. Circuits are pruned first: under 'patch' this
 * changes no output; under 'zero' and means it takes away what nodes without a kept edge in would make of constants alone.
 * @throws LimnError `usage/ablation`, `data/graph-mismatch`, `data/mean-length`, `data/pairs-…`,
 * `usage/unknown-ablation`, `memory/over-budget`, `usage/batch-size`, `usage/memory`; AbortedError
 */
export async function evaluateCircuits(
  model: HookedModel,
  circuits: readonly Circuit[],
  pairs: readonly Pair[],
  options: EvaluationOptions,
): Promise<Evaluation> {
  const { metrics, signal, onProgress } = options;
  const ablation = settleAblation(options.ablation);
  const { batchSize, memoryBytes } = settleControls(options);
  checkPairs(pairs, { model: model.info });
  checkAnswers(pairs, metrics);
  const graph = buildGraph(model.info);
  for (const circuit of circuits)
    if (!circuit.graph.equals(graph))
      throw new LimnError('data/graph-mismatch', 'A circuit belongs to a model of another shape.', {
        details: { model: { layers: graph.layers, heads: graph.heads, block: graph.block } },
      });
  const pruned = circuits.map(prune);
  const clean = new MetricSum(metrics, pairs.length);
  const empty = new MetricSum(metrics, pairs.length);
  const sums = circuits.map(() => new MetricSum(metrics, pairs.length));
  const atOnce = Math.min(batchSize, pairsAtOnce(model, pruned, pairs, memoryBytes));
  const weights = await OutputWeights.of(model);
  try {
    for (let start = 0; start < pairs.length; start += atOnce) {
      throwIfAborted(signal, 'Evaluating circuits');
      const batch = pairs.slice(start, start + atOnce);
      const base = await EvaluationBase.of(model, weights, batch, metrics, { ablation, signal });
      try {
        clean.add(base.cleanLosses, start);
        empty.add(base.emptyLosses, start);
        let most = CIRCUITS_AT_ONCE;
        for (let done = 0; done < pruned.length;) {
          throwIfAborted(signal, 'Evaluating circuits');
          const wanted = Math.min(most, pruned.length - done);
          const { step, count, recorded } = recordWithin({
            what: `Evaluating circuits on ${batch.length} pairs`,
            unit: 'circuit',
            memoryBytes,
            most: wanted,
            open: () => model.gpu.step({ label: 'circuits', ...(signal ? { signal } : {}) }),
            record: (step, count) =>
              recordCircuits(step, model, graph, base, pruned.slice(done, done + count), batch, metrics),
          });
          if (count < wanted) most = count;
          try {
            const losses = await Promise.all(recorded.map((loss) => readFloats(step, loss)));
            for (let c = 0; c < count; c++)
              sums[done + c]?.add(
                losses.map((loss) => loss.subarray(c * batch.length, (c + 1) * batch.length)),
                start,
              );
          } finally {
            step.dispose();
          }
          done += count;
          onProgress?.({
            unit: 'circuit runs',
            done: start * pruned.length + done * batch.length,
            total: pairs.length * pruned.length,
          });
        }
      } finally {
        base.dispose();
      }
    }
  } finally {
    weights.dispose();
  }
  return { clean: clean.values(), empty: empty.values(), circuits: sums.map((sum) => sum.values()) };
}

/** Pairs whose base (per layer two streams, H + 1 outputs) and whose largest circuit fit. */
function pairsAtOnce(
  model: HookedModel,
  circuits: readonly Circuit[],
  pairs: readonly Pair[],
  memoryBytes: number,
): number {
  const { layers, heads } = model.info;
  const nodes = Math.max(1, ...circuits.map((circuit) => circuit.sources().length));
  return pairsWithin(model, pairs, {
    what: 'Evaluating circuits',
    kept: nodes + 1 + layers * (heads + 3),
    widest: Math.max(nodes, heads + 1),
    memoryBytes,
  });
}

/** Losses [circuits · B] per metric, row c·B + b. */
function recordCircuits(
  step: Step,
  model: HookedModel,
  graph: Graph,
  base: EvaluationBase,
  circuits: readonly Circuit[],
  pairs: readonly Pair[],
  metrics: readonly Metric[],
): Tensor[] {
  const { info } = model;
  const [, B = 0, T = 0, C = 0] = base.inputChange.shape;
  const nodes = circuits.map((circuit) => circuit.sources().filter((u) => u !== 0));
  const count = 1 + nodes.reduce((total, list) => total + list.length, 0);
  // Row 0 is the input's change, the same in every circuit; the other nodes have one row per circuit that contains them.
  const changes = allocate(step, [count, B, T, C], 'circuit changes');
  step.copy(base.inputChange.storage, changes.storage, { byteLength: base.inputChange.storage.byteLength });
  const rowOf = circuits.map(() => new Map([[0, 0]]));
  let next = 1;
  const slots = (which: readonly number[], v: number, stream: Tensor): Tensor => {
    const edges = which.map((c) => (circuits[c] as Circuit).sourcesOf(v).map((u) => rowOf[c]?.get(u) as number));
    return reshape(circuitSlots(step, stream, changes, edges), [which.length * B, T, C]);
  };
  const compute = (
    u: number,
    reference: { readonly tensor: Tensor; readonly which: number },
    run: (which: readonly number[]) => Tensor,
  ): void => {
    const which = circuits.map((_, c) => c).filter((c) => nodes[c]?.includes(u));
    if (which.length === 0) return;
    circuitChanges(step, changes, next, run(which), reference);
    for (const c of which) rowOf[c]?.set(u, next++);
  };
  for (const layer of layersOf(info)) {
    const reference = base.outputs[layer] as Tensor;
    const stream = base.beforeHeads[layer] as Tensor;
    for (let head = 0; head < info.heads; head++)
      compute(graph.forwardIndex({ kind: 'head', layer, head }), { tensor: reference, which: head }, (which) => {
        const [q, k, v] = HEAD_INPUTS.map((input) =>
          slots(which, graph.backwardIndex({ kind: 'head', layer, head, input }), stream),
        ) as [Tensor, Tensor, Tensor];
        return model.attention(
          step,
          layer,
          { q, k, v },
          { heads: [head], lengths: repeated(base.lengths, which.length) },
        );
      });
    compute(graph.forwardIndex({ kind: 'mlp', layer }), { tensor: reference, which: info.heads }, (which) =>
      model.mlp(
        step,
        layer,
        slots(which, graph.backwardIndex({ kind: 'mlp', layer }), base.beforeMlp[layer] as Tensor),
      ),
    );
  }
  const all = circuits.map((_, c) => c);
  const last = slots(all, graph.nBackward - 1, base.last);
  const logits = model.logits(step, last, lastRows(repeated(base.lengths, circuits.length), base.T));
  const clean = metrics.some(({ usesClean }) => usesClean)
    ? reshape(expand(step, base.cleanLogits, [circuits.length, ...base.cleanLogits.shape]), logits.shape)
    : undefined;
  return metrics.map((metric) => metric.loss(step, logits, repeated(pairs, circuits.length), clean));
}
