// A circuit as interventions, by its dense definition: x_v ← x_v + Σ_{(u,v) ∉ C} (z'_u − ẑ_u) at every slot, with ẑ of this very run. Composes with other edits.
import { blockHook, tokenBatch } from '@limn/hooks';
import type { HookedModel, HookName, Intervention, InterventionContext, Json } from '@limn/hooks';
import type { Step } from '@limn/gpu';
import { add, fromData, matmul, mul, permute, reshape, slice, type Tensor } from '@limn/tensor';
import { HEAD_INPUTS } from './graph.js';
import type { Graph } from './graph.js';
import { edgesOf, partialNodes } from './neuron-circuit.js';
import type { RunnableCircuit } from './neuron-circuit.js';
import { NodeChanges } from './node-changes.js';
import { layersOf, nodeOutputs, outputCaptures, resultCaptures, resultOutputs } from './node-outputs.js';
import type { OutputWeights, SourceBlock } from './node-outputs.js';

/**
 * The stream itself, and the heads of a layer together: an edit there belongs to no node, so that no edge could carry or cut it.
 */
const NO_NODE = Object.freeze(['hook_attn_out', 'hook_resid_pre', 'hook_resid_mid', 'hook_resid_post'] as const);

/**
 * The outputs z' of every node in a run over `prompts`, for {@link restrictToCircuit}; they live in this step unless kept. With `interventions`,
 * those of the run that has them, as heads' results then are, and not as `weights` have them: a LoRA of the output is in them.
 */
export function recordNodeOutputs(
  step: Step,
  model: HookedModel,
  weights: OutputWeights,
  prompts: readonly (readonly number[])[],
  interventions: readonly Intervention[] = [],
): SourceBlock[] {
  const tokens = tokenBatch(prompts, model.info);
  if (interventions.length === 0) {
    const run = model.run(step, { tokens }, { capture: outputCaptures(model), logits: 'none' });
    return nodeOutputs(step, model, weights, run);
  }
  const run = model.run(step, { tokens }, { capture: resultCaptures(model), interventions, logits: 'none' });
  return resultOutputs(step, model, (name) => run.at(name));
}

/**
 * Interventions that make a run carry only the circuit's edges: every other edge carries `ablated` (blocks of
 * [sources, B, T, C] for the caller's whole batch). One per slot site that loses an edge. Node outputs are read after
 * their own edits, and LoRAs of attention act head by head; an edit of the stream itself (hook_resid_*), or any other of the heads
 * of a layer together (hook_attn_out; edit attn.hook_z), beside them is `hooks/conflicting-sites`. The far cheaper form
 * for many circuits is `evaluateCircuits`. Of a node that keeps only some neurons, the kept edges carry `ablated` in the others.
 * @throws LimnError `data/score-shape`
 */
export function restrictToCircuit(given: RunnableCircuit, ablated: readonly SourceBlock[]): Intervention[] {
  const circuit = edgesOf(given);
  const { graph } = circuit;
  const partial = partialNodes(given);
  const changes = new NodeChanges(graph, ablated);
  return slotSites(graph).flatMap((site) => {
    const { at, columns, sources } = site;
    // removed[h, u]: the edge u → slot h of this site is not in the circuit.
    const removed = Float32Array.from({ length: columns.length * sources }, (_, i) =>
      circuit.has(i % sources, columns[Math.floor(i / sources)] ?? 0) ? 0 : 1,
    );
    const partly = [...partial.keys()].filter((u) => u < sources && columns.some((v) => circuit.has(u, v)));
    if (!removed.includes(1) && partly.length === 0) return [];
    const edges = columns.flatMap((v) => circuit.sourcesOf(v).map((u) => graph.edgeName(u, v)));
    return [
      restrictSite(changes, site, {
        kind: 'restrict-to-circuit',
        options: { at, edges, ...(partly.length > 0 && { neurons: keptNeurons(graph, partly, partial) }) },
        label: `circuit at ${at} (${edges.length} of ${removed.length} edges)`,
        removed: (step) => fromData(step, removed, [columns.length, sources], { label: 'removed edges' }),
        ...(partly.length > 0 && { dropped: (step: Step) => droppedNeurons(step, graph, site, removed, partial) }),
      }),
    ];
  });
}

/** By the name of a node that keeps only some neurons: which, ascending. */
function keptNeurons(
  graph: Graph,
  sources: readonly number[],
  partial: ReadonlyMap<number, Float32Array>,
): Record<string, number[]> {
  const list = (kept: Float32Array | undefined): number[] => [...(kept?.keys() ?? [])].filter((i) => kept?.[i] === 1);
  return Object.fromEntries(sources.map((u) => [graph.nodeName(u), list(partial.get(u))]));
}

/** The edges into a site that stay, and the neurons that its sources drop. `removed` [columns × sources]. */
function droppedNeurons(
  step: Step,
  { width }: Graph,
  { columns, sources }: SlotSite,
  removed: Float32Array,
  partial: ReadonlyMap<number, Float32Array>,
): { readonly kept: Tensor; readonly neurons: Tensor } {
  const kept = removed.map((one) => 1 - one);
  const neurons = new Float32Array(sources * width);
  for (const [u, own] of partial)
    if (u < sources)
      neurons.set(
        own.map((one) => 1 - one),
        u * width,
      );
  return {
    kept: fromData(step, kept, [columns.length, sources], { label: 'kept edges' }),
    neurons: fromData(step, neurons, [sources, 1, 1, width], { label: 'dropped neurons' }),
  };
}

/** A place where slots read the stream: q, k or v of a layer's heads, its MLP, the logits. */
export interface SlotSite {
  readonly at: HookName;
  /** Backward indices of the slots that read there. */
  readonly columns: readonly number[];
  /** Sources that have written by then: edges into these slots come from forward indices 0 … sources − 1. */
  readonly sources: number;
}

/** Every place where slots read, from first to last. */
export function slotSites(graph: Graph): SlotSite[] {
  const site = (at: HookName, columns: readonly number[]): SlotSite => ({
    at,
    columns,
    sources: graph.prev(columns[0] ?? 0),
  });
  return [
    ...layersOf(graph).flatMap((layer) => [
      ...HEAD_INPUTS.map((input) =>
        site(
          blockHook(layer, `hook_${input}_input`),
          Array.from({ length: graph.heads }, (_, head) => graph.backwardIndex({ kind: 'head', layer, head, input })),
        ),
      ),
      site(blockHook(layer, 'hook_mlp_in'), [graph.backwardIndex({ kind: 'mlp', layer })]),
    ]),
    site(blockHook(graph.layers - 1, 'hook_resid_post'), [graph.nBackward - 1]),
  ];
}

/** What removes edges at one site: x_v ← x_v + Σ_u removed[v, u] · (z'_u − ẑ_u), on the tape, so that `removed` may be learnt; `changes` are shared by all sites of a run. */
export function restrictSite(
  changes: NodeChanges,
  { at, columns, sources }: SlotSite,
  {
    kind,
    options,
    label,
    removed,
    dropped,
  }: {
    readonly kind: string;
    readonly options: Readonly<Record<string, Json>>;
    readonly label: string;
    /** [columns, sources] */
    readonly removed: (step: Step) => Tensor;
    /** Of the edges that stay, kept [columns, sources], the neurons that do not, [sources, 1, 1, C]. */
    readonly dropped?: (step: Step) => { readonly kept: Tensor; readonly neurons: Tensor };
  },
): Intervention {
  return Object.freeze({
    at,
    reads: Object.freeze(changes.sites(sources)),
    excludes: NO_NODE,
    spec: Object.freeze({
      kind,
      options: Object.freeze(options),
      tensors: Object.freeze(
        Object.fromEntries(changes.ablated.map(({ first, tensor }) => [`ablated.${first}`, tensor])),
      ),
    }),
    label,
    apply: (x: Tensor, ctx: InterventionContext) => {
      const { step } = ctx;
      const gates = removed(step);
      const part = dropped?.(step);
      let change: Tensor | undefined;
      let shape: readonly number[] = [];
      for (const { first, tensor } of changes.of(ctx, sources)) {
        shape = tensor.shape;
        const [count = 0] = shape;
        const flat = (y: Tensor): Tensor => reshape(y, [count, y.size / count]);
        const of = (edges: Tensor): Tensor => (count === sources ? edges : slice(step, edges, 1, first, count));
        const join = (more: Tensor): void => void (change = change ? add(step, change, more) : more);
        join(matmul(step, of(gates), flat(tensor)));
        if (part === undefined) continue;
        const neurons = slice(step, part.neurons, 0, first, count);
        join(matmul(step, of(part.kept), flat(mul(step, tensor, neurons))));
      }
      if (change === undefined) return x;
      const [B = 0, T = 0, C = 0] = shape.slice(1);
      if (x.shape.length === 3) return add(step, x, reshape(change, x.shape));
      return add(step, x, permute(step, reshape(change, [columns.length, B, T, C]), [1, 2, 0, 3]));
    },
  });
}
