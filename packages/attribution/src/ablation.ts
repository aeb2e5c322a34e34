// What stands in for a node's output where an edge or a node is taken away: the corrupted run's, nothing, or a mean.
import { LimnError } from '@limn/gpu';
import { nearest } from '@limn/hooks';
import { MeanOutputs } from './mean-outputs.js';

/**
 * What a removed edge carries instead of z_u: 'patch' z'_u, the node's output in the corrupted run; 'zero' nothing, so that
 * only positions and biases are left (b_V stays inside the heads, and goes with them); or the node's mean output over some
 * prompts, from {@link meanOutputs}.
 */
export type Ablation = 'patch' | 'zero' | MeanOutputs;

/** Names of the kinds of ablation, as files and the command line have them. */
export type AblationName = 'patch' | 'zero' | 'mean' | 'mean-positional';
/** All of them. */
export const ABLATIONS: readonly AblationName[] = ['patch', 'zero', 'mean', 'mean-positional'];

/** The kind of an ablation. */
export function ablationName(ablation: Ablation): AblationName {
  if (ablation instanceof MeanOutputs) return ablation.positional ? 'mean-positional' : 'mean';
  return ablation;
}

/**
 * The ablation of a request, 'patch' unless it says otherwise.
 * @throws LimnError `usage/unknown-ablation`; `usage/ablation` where `only` is given and another one was asked for
 */
export function settleAblation(ablation: Ablation | undefined, only?: { readonly method: string }): Ablation {
  const settled = ablation ?? 'patch';
  if (settled !== 'patch' && settled !== 'zero' && !(settled instanceof MeanOutputs))
    throw new LimnError(
      'usage/unknown-ablation',
      `There is no ablation ${JSON.stringify(String(settled)).slice(0, 80)}; there are patch, zero, and what meanOutputs gives.`,
      {
        details: { given: String(settled).slice(0, 80), allowed: ABLATIONS },
        hint: `Did you mean "${nearest(String(settled), ABLATIONS)}"? The mean of a set of prompts comes from meanOutputs(model, prompts).`,
      },
    );
  if (only && settled !== 'patch')
    throw new LimnError(
      'usage/ablation',
      `${only.method} follows a path between the clean and the corrupted prompt, and so takes the ablation patch only; given ${ablationName(settled)}.`,
      {
        details: { method: only.method, given: ablationName(settled), allowed: ['patch'] },
        hint: 'EAP, EAP-IG over activations, exact patching and circuit evaluation take every ablation.',
      },
    );
  return settled;
}

/**
 * Means for each position fit prompts of their own length only.
 * @throws LimnError `data/mean-length`
 */
export function expectLengths(ablation: Ablation, lengths: readonly number[]): void {
  if (ablation instanceof MeanOutputs) for (const length of lengths) ablation.expectLength(length);
}
