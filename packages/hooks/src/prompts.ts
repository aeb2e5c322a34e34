// Prompts as callers have them, read into a checked batch: the one reader of every call that takes tokens.
import type { HookedModel } from './model.js';
import { checkBatch, isRecord, notIds, tokenBatch, type TokenBatch } from './token-batch.js';

/** A prompt with its ids under that name, as a tokenizer's `encode` gives it; what else it holds is not looked at. */
export interface EncodedPrompt {
  readonly ids: ArrayLike<number>;
  /** Only batches have these. */
  readonly B?: never;
  readonly T?: never;
}

/** A prompt's ids, or what a tokenizer's `encode` gave. */
export type Prompt = ArrayLike<number> | EncodedPrompt;

/** One prompt, several, or a batch. Never text: a model takes ids, which its tokenizer makes. */
export type Tokens = TokenBatch | Prompt | readonly Prompt[];

/**
 * Prompts as a checked batch; one that is given is checked against the model and given back.
 * @throws LimnError `tokens/not-ids` for text and whatever else holds no ids, `tokens/empty`, `tokens/not-in-vocabulary`,
 * `tokens/too-long`, `tokens/bad-batch`
 */
export function asTokenBatch(tokens: Tokens, { info }: Pick<HookedModel, 'info'>): TokenBatch {
  const given: unknown = tokens;
  if (!isRecord(given)) throw notIds('the tokens', given);
  if ('B' in given || 'T' in given || 'lengths' in given) {
    checkBatch(given, info);
    return given;
  }
  const several = Array.isArray(given) && (given.length === 0 || given.some((row) => typeof row === 'object'));
  const prompts = (several ? given : [given]) as readonly Prompt[];
  return tokenBatch(prompts.map(idsOf), info);
}

function idsOf(prompt: Prompt): ArrayLike<number> {
  return isRecord(prompt) && 'ids' in prompt ? (prompt.ids as ArrayLike<number>) : (prompt as ArrayLike<number>);
}
