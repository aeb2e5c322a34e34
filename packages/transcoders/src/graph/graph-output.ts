// What a graph explains: by default the likeliest next tokens, each by its logit less the mean logit.
import { LimnError } from '@limn/gpu';
import { topTokens } from '@limn/hooks';
import type { FrozenPrompt } from './frozen-prompt.js';
import type { GraphTarget } from './graph-target.js';

/** One output of a graph. */
export interface GraphOutput {
  readonly target: GraphTarget;
  readonly label: string;
  /** Its share of the influence. Default 1. */
  readonly weight?: number;
  readonly token?: number;
  readonly probability?: number;
}

/** How many logits. */
export interface LogitOutputOptions {
  /** Default 10. */
  readonly most?: number;
  /** Tokens are taken until their probabilities together reach this. Default 0.95. */
  readonly mass?: number;
}

/**
 * The fewest likeliest tokens at the last position whose probabilities reach `mass`, at most `most`; each weighs its probability.
 * @throws LimnError `usage/graph-logits`
 */
export function logitOutputs(prompt: FrozenPrompt, { most = 10, mass = 0.95 }: LogitOutputOptions = {}): GraphOutput[] {
  if (!Number.isInteger(most) || most < 1 || !(mass > 0 && mass <= 1))
    throw new LimnError('usage/graph-logits', `A graph of at most ${most} logits that reach ${mass} cannot be made.`, {
      details: { most, mass },
      hint: 'most is a whole number from 1, mass a probability above 0.',
    });
  const outputs: GraphOutput[] = [];
  let reached = 0;
  for (const { id, probability } of topTokens(prompt.host.logits, most)) {
    if (reached >= mass) break;
    reached += probability;
    outputs.push({ ...logitOutput(id, prompt.length - 1), weight: probability, probability });
  }
  return outputs;
}

/** One token's logit less the mean logit. */
export function logitOutput(token: number, position: number): GraphOutput {
  return { target: { kind: 'logits', position, up: [token], down: [], demeaned: true }, label: String(token), token };
}

/** The sum of the logits of `up` less that of `down`: a logit difference. */
export function logitDifferenceOutput(up: readonly number[], down: readonly number[], position: number): GraphOutput {
  return {
    target: { kind: 'logits', position, up, down, demeaned: false },
    label: `${up.join('+')}-${down.join('-')}`,
  };
}
