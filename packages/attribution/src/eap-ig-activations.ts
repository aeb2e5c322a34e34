// EAP-IG (activations): score(u → v) = mean Δ_u · Σ_k w_k ∂L/∂x_v with u's own sublayer at z + (1 − α_k) Δ and all else recomputed. Marks et al., arXiv 2403.19647 §3; MIB's baseline.
import { blockHook, lastRows, patch } from '@limn/hooks';
import type { HookedModel, HookName, ModelInfo, Run } from '@limn/hooks';
import { LimnError } from '@limn/gpu';
import { add, detach, fromData, mul, reshape, slice, sum, type Tensor } from '@limn/tensor';
import type { PathOptions } from './eap-ig-inputs.js';
import { logitsRun } from './gradient-run.js';
import type { GradientRun, RunStart } from './gradient-run.js';
import { scoreByGradients } from './gradient-scores.js';
import type { EdgeScoringOptions } from './gradient-scores.js';
import { layersOf, partsOf, sourcesOfSublayer, sublayersOf } from './node-outputs.js';
import type { Sublayer } from './node-outputs.js';
import { pairTokens } from './pair-tokens.js';
import type { Pair } from './pairs.js';
import { igPath } from './path.js';
import type { PathPoint } from './path.js';
import { repeated } from './score-loop.js';
import type { Chunk, GradientMethod } from './score-loop.js';
import type { Scores } from './scores.js';

/** Options of EAP-IG over activations; `rule` is 'right' by default, as in the reference implementation. */
export interface EapIgActivationsOptions extends EdgeScoringOptions, PathOptions {
  /**
   * 'per-source' (default): an edge's gradient is integrated while its own source moves. 'reference': as the reference
   * implementation computes it, where every pass, whichever sublayer moves in it, adds Δ_u · g_v for all edges, and the sum is
   * divided by m(2L + 1). Under a mean the reference moves towards zeros; here every variant moves towards what the ablation says.
   */
  readonly variant?: 'per-source' | 'reference' | undefined;
}

/**
 * The gradients along 2L + 1 paths, one for each sublayer.
 * @throws LimnError `usage/ig-steps`, `usage/ig-rule`, `usage/ig-variant`
 */
export function eapIgActivationsMethod(
  { layers, block }: Pick<ModelInfo, 'layers' | 'block'>,
  { steps = 5, rule = 'right', variant = 'per-source' }: PathOptions & Pick<EapIgActivationsOptions, 'variant'>,
): GradientMethod {
  const path = igPath(steps, rule);
  if (variant !== 'per-source' && variant !== 'reference')
    throw new LimnError(
      'usage/ig-variant',
      `There is no variant "${String(variant)}"; there are per-source and reference.`,
      {
        details: { given: variant, allowed: ['per-source', 'reference'] },
      },
    );
  const sublayers = sublayersOf({ layers });
  return {
    name: 'eap-ig-activations',
    differentiates: [],
    reads: layersOf({ layers }).flatMap((layer) =>
      variant === 'reference'
        ? [blockHook(layer, 'hook_attn_out')]
        : [
            ...(block === 'sequential' ? [blockHook(layer, 'hook_resid_mid')] : []),
            blockHook(layer, 'hook_resid_post'),
          ],
    ),
    points: sublayers.length * path.length,
    *gradientParts(chunk, { start, count }) {
      for (const [s, sublayer] of sublayers.entries()) {
        const first = Math.max(start - s * path.length, 0);
        const points = path.slice(first, Math.max(first, start + count - s * path.length));
        if (points.length === 0) continue;
        yield variant === 'per-source'
          ? { runs: [movedFrom(chunk, sublayer, points)], sources: sublayer }
          : { runs: [movedWhole(chunk, sublayer, points, sublayers.length)] };
      }
    },
  };
}

/**
 * Edge attribution with gradients integrated over each sublayer's output: a forward (and, under 'patch', a second), and
 * m(2L + 1) forwards and backwards, of the part of the model behind the sublayer only.
 * @throws LimnError `usage/ablation`, `usage/unknown-ablation`, `usage/ig-steps`, `usage/ig-rule`,
 * `usage/ig-variant`, `usage/metric`, `usage/metric-loss`, `data/pairs-…`, `data/score-not-finite`,
 * `memory/over-budget`, `usage/batch-size`, `usage/memory`; AbortedError
 */
export async function eapIgActivations(
  model: HookedModel,
  pairs: readonly Pair[],
  options: EapIgActivationsOptions,
): Promise<Scores> {
  return scoreByGradients(model, pairs, eapIgActivationsMethod(model.info, options), options);
}

/** Rows k·B + b of `x` + (1 − α_k) · Δ, [m · B, T, C], for x and Δ [B, T, C]. */
function moved({ step }: Chunk, x: Tensor, delta: Tensor, points: readonly PathPoint[]): Tensor {
  const [B = 0, T = 0, C = 0] = x.shape;
  const away = fromData(
    step,
    points.map(({ alpha }) => 1 - alpha),
    [points.length, 1],
    { label: 'path' },
  );
  const along = mul(step, away, reshape(delta, [1, B * T * C]));
  return reshape(add(step, along, reshape(x, [1, B * T * C])), [points.length * B, T, C]);
}

/** Δ that the sublayer's sources write together, [B, T, C]. */
function sublayerDelta({ step, model, deltas }: Chunk, sublayer: Sublayer): Tensor {
  const range = sourcesOfSublayer(sublayer, model.info);
  const [part] = [...partsOf(step, deltas, range, range.first + range.count)];
  const { tensor } = part as { readonly tensor: Tensor };
  const [found = 0, ...shape] = tensor.shape;
  const own = found === range.count ? tensor : slice(step, tensor, 0, 0, range.count);
  return range.count === 1 ? reshape(own, shape) : sum(step, own, { axes: 0 });
}

/** The part of the model behind a sublayer, with that sublayer moved: nothing before it can differ from the clean run. */
function movedFrom(chunk: Chunk, sublayer: Sublayer, points: readonly PathPoint[]): GradientRun {
  const { step, model, clean } = chunk;
  const { layers, block } = model.info;
  const m = points.length;
  const lengths = repeated(chunk.lengths, m);
  const delta = sublayerDelta(chunk, sublayer);
  const end = (run: Run, from?: RunStart): GradientRun => ({
    run,
    loss: chunk.loss(run.logits, m),
    weights: points.map(({ weight }) => weight),
    from,
  });
  if (sublayer.kind === 'input') {
    const embeddings = moved(chunk, detach(clean.at('hook_embed')), delta, points);
    return end(model.run(step, { embeddings, lengths }, { capture: chunk.captures(), logits: 'last' }));
  }
  const { layer } = sublayer;
  const atMid = sublayer.kind === 'heads' && block === 'sequential';
  const site: HookName = blockHook(layer, atMid ? 'hook_resid_mid' : 'hook_resid_post');
  const resid = moved(chunk, detach(clean.at(site)), delta, points);
  const from: RunStart = atMid ? { layer, at: 'mid' } : { layer: layer + 1, at: 'pre' };
  if (from.layer === layers)
    return end(logitsRun(resid, lengths, model.logits(step, resid, lastRows(lengths, clean.T))), from);
  return end(model.run(step, { resid, ...from, lengths }, { capture: chunk.captures(from), logits: 'last' }), from);
}

/** The whole model with one sublayer's output in the place of its own: what the reference implementation differentiates. */
function movedWhole(chunk: Chunk, sublayer: Sublayer, points: readonly PathPoint[], sublayers: number): GradientRun {
  const { step, model, clean, pairs } = chunk;
  const m = points.length;
  const delta = sublayerDelta(chunk, sublayer);
  const options = { capture: chunk.captures(), logits: 'last' } as const;
  const weights = points.map(({ weight }) => weight / sublayers);
  const end = (run: Run): GradientRun => ({ run, loss: chunk.loss(run.logits, m), weights, severed: true });
  if (sublayer.kind === 'input') {
    const embeddings = moved(chunk, detach(clean.at('hook_embed')), delta, points);
    return end(model.run(step, { embeddings, lengths: repeated(chunk.lengths, m) }, options));
  }
  const site = blockHook(sublayer.layer, sublayer.kind === 'heads' ? 'hook_attn_out' : 'hook_mlp_out');
  const output = moved(chunk, detach(clean.at(site)), delta, points);
  const tokens = pairTokens(repeated(pairs, m), 'clean', model.info);
  return end(model.run(step, { tokens }, { ...options, interventions: [patch(site, output)] }));
}
