// EAP-IG (inputs): score(u → v) = mean (z'_u − z_u) · Σ_k w_k ∂L/∂x_v (e' + α_k (e − e')), e token embeddings. arXiv 2403.17806 eq. 4.
import type { HookedModel } from '@limn/hooks';
import { add, detach, fromData, mul, reshape, sub } from '@limn/tensor';
import type { Pair } from './pairs.js';
import { igPath } from './path.js';
import type { IgRule, PathPoint } from './path.js';
import type { GradientRun } from './gradient-run.js';
import { scoreByGradients } from './gradient-scores.js';
import type { EdgeScoringOptions } from './gradient-scores.js';
import { repeated } from './score-loop.js';
import type { Chunk, GradientMethod } from './score-loop.js';
import type { Scores } from './scores.js';

/** The path that gradients are integrated along. */
export interface PathOptions {
  /** m, points on the path. Default 5: the paper's and MIB's choice, of cost and not of accuracy. */
  readonly steps?: number | undefined;
  /** Where the points lie. */
  readonly rule?: IgRule | undefined;
}

/** Options of EAP-IG: those of every scorer, and the path; `rule` is 'left' by default, as in MIB (the paper used 'right'). */
export interface EapIgOptions extends EdgeScoringOptions, PathOptions {}

/**
 * The gradients along the path between the two embeddings.
 * @throws LimnError `usage/ig-steps`, `usage/ig-rule`
 */
export function eapIgInputsMethod({ steps = 5, rule = 'left' }: PathOptions): GradientMethod {
  const points = igPath(steps, rule);
  return {
    name: 'eap-ig-inputs',
    differentiates: [],
    points: points.length,
    patchOnly: true,
    gradientParts: (chunk, { start, count }) => [{ runs: [pathRun(chunk, points.slice(start, start + count))] }],
  };
}

/**
 * Edge attribution with gradients integrated over the inputs: two forwards and m forwards and backwards.
 * @throws LimnError `usage/unknown-ablation`, `usage/ig-steps`, `usage/ig-rule`, `usage/ablation`, `data/pairs-…`,
 * `data/score-not-finite`, `usage/metric`, `usage/metric-loss`,
 * `memory/over-budget`, `usage/batch-size`, `usage/memory`; AbortedError
 */
export async function eapIgInputs(model: HookedModel, pairs: readonly Pair[], options: EapIgOptions): Promise<Scores> {
  return scoreByGradients(model, pairs, eapIgInputsMethod(options), options);
}

/** Points of the path as rows of one run, point-major. */
function pathRun(chunk: Chunk, points: readonly PathPoint[]): GradientRun {
  const { step, model, clean, corrupted, lengths, loss } = chunk;
  const from = detach(corrupted.at('hook_embed'));
  const to = detach(clean.at('hook_embed'));
  const [B = 0, T = 0, C = 0] = from.shape;
  const alphas = fromData(
    step,
    points.map(({ alpha }) => alpha),
    [points.length, 1],
    { label: 'path' },
  );
  const along = mul(step, alphas, reshape(sub(step, to, from), [1, B * T * C]));
  const embeddings = reshape(add(step, along, reshape(from, [B * T * C])), [points.length * B, T, C]);
  const run = model.run(
    step,
    { embeddings, lengths: repeated(lengths, points.length) },
    { capture: chunk.captures(), logits: 'last' },
  );
  return { run, loss: loss(run.logits, points.length), weights: points.map(({ weight }) => weight) };
}
