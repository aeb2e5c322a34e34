// EAP-IG between two states of one model: score(u → v) = mean (z_u(0) − z_u(1)) · Σ_k w_k ∂L/∂x_v (α_k), α the strength of a change, such as a fine-tune's; the tokens stay.
import type { HookedModel, Intervention } from '@limn/hooks';
import type { EapIgOptions } from './eap-ig-inputs.js';
import type { GradientRun } from './gradient-run.js';
import { scoreByGradients } from './gradient-scores.js';
import { pairTokens } from './pair-tokens.js';
import type { Pair } from './pairs.js';
import { igPath, type PathPoint } from './path.js';
import type { Chunk, GradientMethod } from './score-loop.js';
import type { Scores } from './scores.js';

/** A prompt, and which next tokens are right and wrong behind it with the change. */
export interface ChangeExample extends Pick<Pair, 'correct' | 'incorrect'> {
  readonly prompt: readonly number[];
}

/** Options of {@link eapIgChange}. `rule` is 'midpoint' by default: there are no two inputs, one of which a convention would leave out. */
export interface EapIgChangeOptions extends Omit<EapIgOptions, 'ablation'> {
  /** The edits of the model at a strength: 0 is the model that is compared with, 1 the change as it is. Called anew for every run. */
  readonly change: (strength: number) => readonly Intervention[];
}

/**
 * Which edges carry what a change of the model does to an answer: nodes write z_u(0) without the change and z_u(1) with it, gradients are integrated over its strength. `change` gives any
 * interventions, of which some may always be there: `(strength) => [...diff.interventions({ strength }), ...adapter.interventions()]` of two LoRAs asks what reads the diff. What the change adds
 * within a node's own output counts at the edges out of it. Two forwards, and m forwards and backwards, in which every head has its own input: 3·H residual streams for each layer.
 * @throws LimnError `usage/ig-steps`, `usage/ig-rule`, `usage/ablation`, `usage/unknown-ablation`, `data/pairs-…`, `data/score-not-finite`, `usage/metric`, `usage/metric-loss`, `memory/over-budget`, `usage/batch-size`, `usage/memory`, and what
 * the interventions throw; AbortedError
 */
export async function eapIgChange(
  model: HookedModel,
  examples: readonly ChangeExample[],
  { change, steps = 5, rule = 'midpoint', ...options }: EapIgChangeOptions,
): Promise<Scores> {
  const points = igPath(steps, rule);
  const method: GradientMethod = {
    name: 'eap-ig-change',
    differentiates: [],
    points: points.length,
    patchOnly: true,
    change,
    gradientParts: (chunk, { start, count }) => [
      { runs: points.slice(start, start + count).map((point) => runAt(chunk, change, point)) },
    ],
  };
  const pairs = examples.map(({ prompt, correct, incorrect }): Pair => {
    return { clean: prompt, corrupted: prompt, correct, incorrect };
  });
  return scoreByGradients(model, pairs, method, options);
}

function runAt(
  { step, model, pairs, captures, loss }: Chunk,
  change: EapIgChangeOptions['change'],
  { alpha, weight }: PathPoint,
): GradientRun {
  const tokens = pairTokens(pairs, 'clean', model.info);
  const run = model.run(step, { tokens }, { capture: captures(), logits: 'last', interventions: change(alpha) });
  return { run, loss: loss(run.logits, 1), weights: [weight] };
}
