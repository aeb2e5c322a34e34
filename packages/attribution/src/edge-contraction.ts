// Edge scores of a chunk: score(u → v) = Σ_{t, c} Δ_u[t, c] · g_v[t, c] for every example, or for every position of it.
import type { Step } from '@limn/gpu';
import type { HookedModel } from '@limn/hooks';
import { add, allocate, fill, MAX_BINDING_BYTES, reshape, type Tensor } from '@limn/tensor';
import { edgeScores } from './edge-scores.js';
import type { GradientRun } from './gradient-run.js';
import type { Graph } from './graph.js';
import { partsOf } from './node-outputs.js';
import type { Contraction } from './score-loop.js';
import { ownSlotCaptures, ownSlotGradients, slotCaptures, slotGradients, type SlotBlock } from './slot-gradients.js';

/** How the gradients at slots are had. */
export interface SlotReader {
  readonly captures: Contraction['captures'];
  gradients(step: Step, model: HookedModel, runs: readonly GradientRun[]): Iterable<SlotBlock>;
}

/** Through the model's own weights. */
const PULLED_BACK: SlotReader = {
  captures: slotCaptures,
  gradients: (step, model, runs) => slotGradients(step, model, runs, headsAtOnce(model, runs)),
};

/** At the slots themselves, whatever edits did to the weights. */
export const AT_SLOTS: SlotReader = { captures: ownSlotCaptures, gradients: ownSlotGradients };

/**
 * The contraction into dense [nForward, nBackward] matrices: one an example, or, with `positions`, one for each of as many
 * positions of each example.
 */
export function edgeContraction(graph: Graph, positions?: number, slots: SlotReader = PULLED_BACK): Contraction {
  const matrix = graph.nForward * graph.nBackward;
  const edges = [...graph.edges()].map(({ u, v }) => graph.dense(u, v));
  return {
    size: matrix * (positions ?? 1),
    indices:
      positions === undefined
        ? edges
        : Array.from({ length: positions }, (_, t) => edges.map((edge) => t * matrix + edge)).flat(),
    name: (index) =>
      positions === undefined
        ? graph.denseName(index)
        : `${graph.denseName(index % matrix)} at position ${Math.floor(index / matrix)}`,
    captures: slots.captures,
    record(chunk, parts) {
      const { step, model, clean } = chunk;
      const { B, T } = clean;
      // Per position: each (example, position) is contracted over the width alone.
      const rows = (x: Tensor): Tensor =>
        positions === undefined ? x : reshape(x, [x.shape[0] ?? 0, B * T, x.shape[3] ?? 0]);
      const shape = [positions === undefined ? B : B * T, graph.nForward, graph.nBackward];
      let scores: Tensor | undefined;
      for (const { runs, sources } of parts) {
        const all = sources.count === graph.nForward;
        const into = all ? allocate(step, shape, 'edge scores') : (scores ??= fill(step, shape, 0, 'edge scores'));
        for (const block of slots.gradients(step, model, runs))
          for (const { first, count, tensor } of partsOf(step, chunk.deltas, sources, graph.prev(block.first)))
            edgeScores(step, into, rows(tensor), rows(block.tensor), {
              row: first,
              column: block.first,
              sources: count,
              ...(block.run === undefined ? {} : { run: block.run }),
              ...(block.stride === undefined ? {} : { stride: block.stride }),
            });
        if (all) scores = scores ? add(step, scores, into) : into;
      }
      return scores ?? fill(step, shape, 0, 'edge scores');
    },
  };
}

/** Heads per pull-back: its result [3, heads, examples, T, C] must stay a quarter of what one binding may hold on every device. */
function headsAtOnce({ info }: HookedModel, runs: readonly GradientRun[]): number {
  const rows = Math.max(...runs.map(({ run, weights }) => run.B / weights.length));
  const bytesPerHead = 3 * rows * (runs[0]?.run.T ?? 1) * info.width * 4;
  return Math.max(1, Math.min(info.heads, Math.floor(MAX_BINDING_BYTES / 4 / bytesPerHead)));
}
