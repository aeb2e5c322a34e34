// What every pair must fit: ids of the vocabulary, prompts of equal length, no longer than the model reads.
import { LimnError } from '@limn/gpu';
import { describeMismatch } from './pair-alignment.js';
import type { Pair, PairTokenizer, ParsePairsOptions } from './pairs.js';

const FIELDS = ['clean', 'corrupted', 'correct', 'incorrect'] as const;

/**
 * Checks pairs that were made by a program; the same codes as `parsePairs`.
 * @throws LimnError `data/pairs-empty`, `data/pairs-answers` (an answer twice, or both correct and incorrect), `data/pairs-unknown-id`, `data/pairs-length-mismatch`, `data/pairs-field`, `data/pairs-too-long`
 */
export function checkPairs(
  pairs: readonly Pair[],
  options: Pick<ParsePairsOptions, 'model' | 'tokenizer' | 'file'>,
): void {
  if (pairs.length === 0)
    throw new LimnError('data/pairs-empty', `${options.file ?? 'The list of pairs'} holds no pair.`, {
      hint: 'One JSON object a line: {"clean": […], "corrupted": […], "correct": […], "incorrect": […]}.',
    });
  for (const [index, pair] of pairs.entries()) checkPair(pair, `pair ${index + 1}`, options);
}

/** Checks one pair; `where` opens the message. */
export function checkPair(
  pair: Pair,
  where: string,
  { model, tokenizer }: Pick<ParsePairsOptions, 'model' | 'tokenizer'>,
): void {
  for (const field of FIELDS)
    for (const [position, id] of pair[field].entries())
      if (!Number.isInteger(id) || id < 0 || id >= model.vocabulary)
        throw new LimnError(
          'data/pairs-unknown-id',
          `${where}: "${field}"[${position}] is ${id}; this model has token ids 0 to ${model.vocabulary - 1}.`,
          {
            details: { where, field, position, id, vocabulary: model.vocabulary },
            hint: "Ids belong to one tokenizer: make the pairs with this model's own.",
          },
        );
  checkAnswerLists(pair, where, tokenizer);
  if (pair.clean.length !== pair.corrupted.length)
    throw new LimnError(
      'data/pairs-length-mismatch',
      `${where}: ${describeMismatch(pair.clean, pair.corrupted, tokenizer)}`,
      {
        details: { where, clean: pair.clean.length, corrupted: pair.corrupted.length },
        hint: 'Edges are patched position by position: rewrite one prompt so that both have the same number of tokens.',
      },
    );
  if (pair.clean.length === 0)
    throw new LimnError('data/pairs-field', `${where}: the prompts have no token.`, {
      details: { where },
      hint: 'A prompt needs at least one token, e.g. the BOS.',
    });
  if (pair.clean.length > model.maxPositions)
    throw new LimnError(
      'data/pairs-too-long',
      `${where}: the prompts have ${pair.clean.length} tokens; this model reads at most ${model.maxPositions}.`,
      {
        details: { where, tokens: pair.clean.length, maxPositions: model.maxPositions },
        hint: 'Shorten both prompts.',
      },
    );
}

/** An answer on both sides cancels out, and one that stands twice in a list weighs double: neither is what a metric means. */
function checkAnswerLists({ correct, incorrect }: Pair, where: string, tokenizer: PairTokenizer | undefined): void {
  const refuse = (id: number, what: string, hint: string): never => {
    const name = tokenizer ? `${JSON.stringify(tokenizer.decode([id]))} (id ${id})` : `id ${id}`;
    throw new LimnError('data/pairs-answers', `${where}: the answer ${name} ${what}.`, {
      details: { where, id },
      hint,
    });
  };
  for (const [side, ids] of Object.entries({ correct, incorrect })) {
    const twice = ids.find((id, i) => ids.indexOf(id) < i);
    if (twice !== undefined) refuse(twice, `stands twice in "${side}"`, 'Name each answer once.');
  }
  const right = new Set(correct);
  const both = incorrect.find((id) => right.has(id));
  if (both !== undefined) refuse(both, 'is both correct and incorrect', 'An answer belongs to one side.');
}
