// Node scores of a chunk: score(u) = Σ_{t, c} Δ_u[t, c] · ∂L/∂z_u[t, c] for every example; per neuron of the output without the sum over c.
import { blockHook } from '@limn/hooks';
import type { HookName } from '@limn/hooks';
import type { Step } from '@limn/gpu';
import { add, concat, fill, mul, permute, reshape, slice, sum, type Tensor } from '@limn/tensor';
import { edgeScores } from './edge-scores.js';
import { overRepeats, reachesHeads, reachesMlp, siteGradients, streamAfter } from './gradient-run.js';
import type { RunStart } from './gradient-run.js';
import type { Graph } from './graph.js';
import { partsOf, sourcesOfSublayer, sublayersOf } from './node-outputs.js';
import type { SourceRange, Sublayer } from './node-outputs.js';
import type { Chunk, Contraction, RecordedPart } from './score-loop.js';

/**
 * The contraction into [nForward] numbers per example, or [nForward, width] with the `width` of the stream. The gradient is read
 * where a node's output enters the stream, once for all heads of a layer: ∂L/∂z_u is that of the stream it is added to.
 */
export function nodeContraction(graph: Graph, width?: number): Contraction {
  const columns = width ?? 1;
  return {
    size: graph.nForward * columns,
    indices: Array.from({ length: graph.nForward * columns }, (_, i) => i),
    name: (index) =>
      graph.nodeName(Math.floor(index / columns)) + (width === undefined ? '' : `, neuron ${index % columns}`),
    captures: (_, from) => [...new Set(sublayersOf(graph).flatMap((each) => outputSite(each, graph, from) ?? []))],
    record(chunk, parts) {
      const gradients = outputGradients(chunk.step, graph, parts);
      return width === undefined ? perNode(chunk, graph, gradients) : perNeuron(chunk, graph, gradients);
    },
  };
}

interface OutputGradient {
  readonly sources: SourceRange;
  /** ∂L/∂z [1, B, T, C] of each of the sources. */
  readonly gradient: Tensor;
}

/** The gradients at the outputs of all sublayers that some part scores: one backward pass a run. */
function outputGradients(step: Step, graph: Graph, parts: Iterable<RecordedPart>): OutputGradient[] {
  const found = new Map<number, OutputGradient>();
  for (const { runs, sources } of parts)
    for (const run of runs) {
      const wanted = sublayersOf(graph).flatMap((sublayer) => {
        const range = sourcesOfSublayer(sublayer, graph);
        const site = outputSite(sublayer, graph, run.from);
        const inside = range.first >= sources.first && range.first + range.count <= sources.first + sources.count;
        return site !== undefined && inside ? [{ range, site }] : [];
      });
      const at = siteGradients(step, run, [...new Set(wanted.map(({ site }) => site))]);
      for (const { range, site } of wanted) {
        const x = at.get(site) as Tensor;
        const gradient = overRepeats(step, reshape(x, [1, ...x.shape]), run.weights.length);
        const before = found.get(range.first)?.gradient;
        found.set(range.first, { sources: range, gradient: before ? add(step, before, gradient) : gradient });
      }
    }
  return [...found.values()];
}

/** [B, nForward, 1] */
function perNode({ step, clean, deltas }: Chunk, graph: Graph, gradients: readonly OutputGradient[]): Tensor {
  const scores = fill(step, [clean.B, graph.nForward, 1], 0, 'node scores');
  for (const { sources, gradient } of gradients)
    for (const { first, count, tensor } of partsOf(step, deltas, sources, graph.nForward))
      edgeScores(step, scores, tensor, gradient, { row: first, column: 0, sources: count });
  return scores;
}

/** [B, nForward, C] */
function perNeuron({ step, model, clean, deltas }: Chunk, graph: Graph, gradients: readonly OutputGradient[]): Tensor {
  const bySource = new Map<number, Tensor>();
  for (const { sources, gradient } of gradients)
    for (const { first, count, tensor } of partsOf(step, deltas, sources, graph.nForward)) {
      const own = tensor.shape[0] === count ? tensor : slice(step, tensor, 0, 0, count);
      bySource.set(first, sum(step, mul(step, own, gradient), { axes: 2 }));
    }
  const all = sublayersOf(graph).map((sublayer) => {
    const { first, count } = sourcesOfSublayer(sublayer, graph);
    return bySource.get(first) ?? fill(step, [count, clean.B, model.info.width], 0, 'no score');
  });
  return permute(step, concat(step, all, 0), [1, 0, 2]);
}

/** Where a sublayer's output has just been added to the stream, in a run that starts at `from`; undefined before it. */
function outputSite(
  sublayer: Sublayer,
  { layers, block }: Pick<Graph, 'layers' | 'block'>,
  from: RunStart | undefined,
): HookName | undefined {
  if (sublayer.kind === 'input') return from === undefined ? 'hook_embed' : undefined;
  const { layer } = sublayer;
  if (sublayer.kind === 'heads' && block === 'sequential')
    return reachesMlp(layer, from) ? blockHook(layer, 'hook_resid_mid') : undefined;
  return reachesHeads(layer + 1, from) ? streamAfter(layer, layers) : undefined;
}
