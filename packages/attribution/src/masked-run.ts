// A run whose edges carry z · ẑ + (1 − z) · z' by gates z that may be learnt: its loss, and the gradient of the mean loss over pairs at every gate.
import { lastRows, tokenBatch } from '@limn/hooks';
import type { HookedModel } from '@limn/hooks';
import type { Step } from '@limn/gpu';
import { add, detach, fill, gradients, scale, sub, sum, type Tensor } from '@limn/tensor';
import type { Ablation } from './ablation.js';
import type { Graph } from './graph.js';
import { metricLoss } from './metric-loss.js';
import type { Metric } from './metrics.js';
import { constantNodeOutputs, type OutputWeights } from './node-outputs.js';
import { NodeChanges } from './node-changes.js';
import type { Pair } from './pairs.js';
import { recordNodeOutputs, restrictSite } from './restrict-to-circuit.js';
import type { SlotSite } from './restrict-to-circuit.js';

/** Where a run is restricted, and to what. */
export interface MaskedRun {
  readonly model: HookedModel;
  readonly graph: Graph;
  readonly sites: readonly SlotSite[];
  readonly weights: OutputWeights;
  readonly metric: Metric;
  readonly ablation: Ablation;
}

/** Loss per pair [B] of the run whose edges into site i carry z · ẑ + (1 − z) · z', with z = `gate(i)` [columns, sources]. */
export function maskedLoss(
  step: Step,
  { model, graph, sites, weights, metric, ablation }: MaskedRun,
  pairs: readonly Pair[],
  gate: (site: number) => Tensor,
): Tensor {
  const prompts = (which: 'clean' | 'corrupted') => pairs.map((pair) => pair[which]);
  const tokens = tokenBatch(prompts('clean'), model.info);
  const clean = metric.usesClean ? detach(model.run(step, { tokens }, { logits: 'last' }).logits) : undefined;
  const ablated =
    ablation === 'patch'
      ? recordNodeOutputs(step, model, weights, prompts('corrupted'))
      : constantNodeOutputs(step, model, weights, ablation, [tokens.B, tokens.T]);
  const changes = new NodeChanges(graph, ablated);
  const interventions = sites.map((site, i) =>
    restrictSite(changes, site, {
      kind: 'learned-mask',
      options: { at: site.at },
      label: `mask at ${site.at}`,
      removed: (within) => {
        const z = gate(i);
        return sub(within, fill(within, z.shape, 1), z);
      },
    }),
  );
  const { logits } = model.run(step, { tokens }, { interventions, logits: lastRows(tokens.lengths, tokens.T) });
  return metricLoss(step, metric, logits, pairs, clean);
}

/**
 * The mean loss [] over the pairs and its gradients at the gates, from parts of at most `atOnce` pairs: each is run and
 * differentiated before the next, so that one part's tape takes memory at a time. Like lengths share a part.
 */
export function meanLossSlopes(
  step: Step,
  run: MaskedRun,
  pairs: readonly Pair[],
  gates: readonly Tensor[],
  atOnce: number,
): { readonly loss: Tensor; readonly slopes: readonly Tensor[] } {
  const leaves = gates.map(detach);
  const sorted = [...pairs].sort((a, b) => a.clean.length - b.clean.length);
  const size = Math.ceil(pairs.length / Math.ceil(pairs.length / atOnce));
  const parts = Array.from({ length: Math.ceil(pairs.length / size) }, (_, p) => {
    const part = sorted.slice(p * size, (p + 1) * size);
    const losses = maskedLoss(step, run, part, (site) => leaves[site] as Tensor);
    const loss = scale(step, sum(step, losses), 1 / pairs.length);
    return { loss: detach(loss), slopes: gradients(step, loss, 'ones', leaves) };
  });
  return parts.reduce((a, b) => ({
    loss: add(step, a.loss, b.loss),
    slopes: a.slopes.map((slope, site) => add(step, slope, b.slopes[site] as Tensor)),
  }));
}
