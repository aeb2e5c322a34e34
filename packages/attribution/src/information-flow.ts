// Information-flow routes: importance of u at v = max(0, ‖x_v‖₁ − ‖x_v − z_u‖₁), normalised over v's sources, mean over positions; clean run only. Ferrando & Voita, arXiv 2403.00824 §3.
import { blockHook, inBatches, settleControls } from '@limn/hooks';
import type { HookedModel, HookName, RunControls } from '@limn/hooks';
import type { Step } from '@limn/gpu';
import {
  abs,
  add,
  concat,
  detach,
  div,
  fill,
  fromData,
  mul,
  readFloats,
  relu,
  slice,
  sub,
  sum,
  type Tensor,
} from '@limn/tensor';
import { edgeLayout, ExampleSum } from './example-sum.js';
import { scoresFrom } from './gradient-scores.js';
import { buildGraph } from './graph.js';
import type { Graph } from './graph.js';
import { layersOf, nodeOutputs, outputCaptures, OutputWeights } from './node-outputs.js';
import { pairTokens } from './pair-tokens.js';
import { checkPairs } from './pairs.js';
import type { Pair } from './pairs.js';
import { ResampleSum } from './resampled-scores.js';
import type { Resamples } from './resampled-scores.js';
import type { Scores } from './scores.js';

/** Options of information-flow routes: no metric, since nothing is differentiated or measured. */
export interface InformationFlowOptions extends RunControls {
  /** Keep one matrix per example as well. */
  readonly perExample?: boolean | undefined;
  /** Sum over resamples of the pairs as well. */
  readonly resamples?: Resamples | undefined;
}

/** Far below any L1 norm of a stream and far above the least normal f32: 0 sources of importance 0 share nothing, not 0 / 0. */
const NOTHING = 1e-30;

/**
 * Shares of each slot's input that its sources bring: scores in [0, 1] that sum to 1 over the sources of a slot (to 0 at a
 * position where none brings anything), and are the same for every head and every q, k, v of a layer. Across slots they are not
 * comparable, so that only a greedy selection makes sense of them: top-n does not.
 * @throws LimnError `data/pairs-…`, `data/score-not-finite`, `memory/over-budget`, `usage/batch-size`,
 * `usage/memory`; AbortedError
 */
export async function informationFlow(
  model: HookedModel,
  pairs: readonly Pair[],
  options: InformationFlowOptions = {},
): Promise<Scores> {
  const controls = { ...options, ...settleControls(options) };
  checkPairs(pairs, { model: model.info });
  const graph = buildGraph(model.info);
  const { perExample, resamples } = options;
  const resampled = resamples && new ResampleSum(resamples, graph, pairs);
  const total = new ExampleSum(edgeLayout(graph), pairs.length, { perExample, resampled });
  const weights = await OutputWeights.of(model);
  try {
    await inBatches(
      model.gpu,
      pairs,
      {
        what: 'Information-flow routes',
        unit: 'pair',
        label: 'information flow',
        record: (step, batch) => recordShares(step, model, graph, weights, batch),
        lengthOf: ({ clean }) => clean.length,
        async take(step, recorded, places) {
          const count = places.length;
          const shares = await Promise.all(recorded.map(({ shares }) => readFloats(step, shares)));
          const matrices = new Float32Array(count * graph.nForward * graph.nBackward);
          for (const [i, { slots }] of recorded.entries())
            for (const [at, share] of (shares[i] as Float32Array).entries())
              for (const v of slots) {
                const u = Math.floor(at / count);
                matrices[(at % count) * graph.nForward * graph.nBackward + graph.dense(u, v)] = share;
              }
          await total.add(matrices, places);
        },
      },
      controls,
    );
  } finally {
    weights.dispose();
  }
  return scoresFrom(graph, total);
}

/** Shares [sources, B] at every place of the stream that slots read, and the backward indices of these slots. */
function recordShares(
  step: Step,
  model: HookedModel,
  graph: Graph,
  weights: OutputWeights,
  pairs: readonly Pair[],
): { readonly slots: readonly number[]; readonly shares: Tensor }[] {
  const { info } = model;
  const places = readingPlaces(graph);
  const tokens = pairTokens(pairs, 'clean', info);
  const run = model.run(
    step,
    { tokens },
    { capture: [...new Set([...outputCaptures(model), ...places.map(({ site }) => site)])], logits: 'none' },
  );
  const outputs = nodeOutputs(step, model, weights, run);
  const { B, T, lengths } = run;
  // Mean over the real positions of each row: [B, T] with 1 / length there.
  const mask = fromData(
    step,
    Float32Array.from({ length: B * T }, (_, i) =>
      i % T < (lengths[Math.floor(i / T)] as number) ? 1 / (lengths[Math.floor(i / T)] as number) : 0,
    ),
    [B, T],
    { label: 'mean over positions' },
  );
  return places.map(({ site, slots, sources }) => {
    const x = detach(run.at(site));
    const length = sum(step, abs(step, x), { axes: 2 });
    const proximities = outputs
      .filter(({ first }) => first < sources)
      .map(({ first, tensor }) => {
        const without = sum(step, abs(step, sub(step, tensor, x)), { axes: 3 });
        const proximity = relu(step, sub(step, length, without));
        const count = Math.min(tensor.shape[0] ?? 0, sources - first);
        return count === tensor.shape[0] ? proximity : slice(step, proximity, 0, 0, count);
      });
    const proximity = proximities.length === 1 ? (proximities[0] as Tensor) : concat(step, proximities, 0);
    const all = add(step, sum(step, proximity, { axes: 0 }), fill(step, [B, T], NOTHING));
    return { slots, shares: sum(step, mul(step, div(step, proximity, all), mask), { axes: 2 }) };
  });
}

/** Where slots read the stream, with the slots that read there and the number of sources that have written by then. */
function readingPlaces(
  graph: Graph,
): { readonly site: HookName; readonly slots: readonly number[]; readonly sources: number }[] {
  const heads = (layer: number): number[] =>
    Array.from({ length: 3 * graph.heads }, (_, i) => layer * (3 * graph.heads + 1) + i);
  const places = layersOf(graph).flatMap((layer) => [
    { site: blockHook(layer, 'hook_resid_pre'), slots: heads(layer) },
    {
      site: blockHook(layer, graph.block === 'sequential' ? 'hook_resid_mid' : 'hook_resid_pre'),
      slots: [graph.backwardIndex({ kind: 'mlp', layer })],
    },
  ]);
  return [...places, { site: blockHook(graph.layers - 1, 'hook_resid_post'), slots: [graph.nBackward - 1] }].map(
    (place) => ({ ...place, sources: graph.prev(place.slots[0] as number) }),
  );
}
