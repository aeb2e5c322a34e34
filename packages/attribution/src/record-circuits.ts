// One step that runs several circuits, one per batch row: x_v = x'_v + Σ_{(u,v) ∈ C} k_u ∘ (ẑ_u − z'_u), node after node, in the order of the model; each sum by the shorter way (slot-sums.ts).
import { lastRows } from '@limn/hooks';
import type { HookedModel } from '@limn/hooks';
import type { Step } from '@limn/gpu';
import { expand, reshape, type Tensor } from '@limn/tensor';
import { ChangeRows } from './change-rows.js';
import type { ReferenceOutput } from './change-rows.js';
import { circuitSlots } from './circuit-kernels.js';
import type { EvaluationBase } from './evaluation-base.js';
import { HEAD_INPUTS } from './graph.js';
import type { Graph } from './graph.js';
import { metricLoss } from './metric-loss.js';
import type { Metric } from './metrics.js';
import type { PlannedCircuit } from './neuron-circuit.js';
import { layersOf } from './node-outputs.js';
import type { Pair } from './pairs.js';
import { repeated } from './score-loop.js';

/** Losses [circuits · B] per metric, row c·B + b. */
export function recordCircuits(
  step: Step,
  model: HookedModel,
  graph: Graph,
  base: EvaluationBase,
  circuits: readonly PlannedCircuit[],
  pairs: readonly Pair[],
  metrics: readonly Metric[],
): Tensor[] {
  const { info } = model;
  const changes = new ChangeRows(step, base.inputChange, circuits);
  const slots = (which: readonly number[], v: number, stream: Tensor): Tensor => {
    const [B = 0, T = 0, C = 0] = stream.shape;
    const edges = which.map((c) => changes.into(c, v));
    return reshape(circuitSlots(step, stream, changes.tensor, edges), [which.length * B, T, C]);
  };
  const compute = (u: number, reference: ReferenceOutput, run: (which: readonly number[]) => Tensor): void => {
    const which = changes.circuitsWith(u);
    if (which.length > 0) changes.put(u, which, run(which), reference);
  };
  for (const layer of layersOf(info)) {
    const tensor = base.outputs[layer] as Tensor;
    const stream = base.beforeHeads[layer] as Tensor;
    for (let head = 0; head < info.heads; head++)
      compute(graph.forwardIndex({ kind: 'head', layer, head }), { tensor, which: head }, (which) => {
        const [q, k, v] = HEAD_INPUTS.map((input) =>
          slots(which, graph.backwardIndex({ kind: 'head', layer, head, input }), stream),
        ) as [Tensor, Tensor, Tensor];
        const lengths = repeated(base.lengths, which.length);
        return model.attention(step, layer, { q, k, v }, { heads: [head], lengths });
      });
    compute(graph.forwardIndex({ kind: 'mlp', layer }), { tensor, which: info.heads }, (which) =>
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
  return metrics.map((metric) => metricLoss(step, metric, logits, repeated(pairs, circuits.length), clean));
}
