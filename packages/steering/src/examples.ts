// What steering is learnt from: a prompt and two answers that compete behind it. No corrupted prompt: the contrast is between the answers.
import { LimnError } from '@limn/gpu';
import type { ModelInfo } from '@limn/hooks';

/** A prompt with two answers. */
export interface SteeringExample {
  /** Token ids, the token in front (BOS) included where the model is given one. */
  readonly prompt: readonly number[];
  /** c: the answer that strength +1 is to favour. */
  readonly correct: number;
  /** w: the one that strength −1 is to favour. */
  readonly wrong: number;
  /** A name per token, or undefined where a token has none; needed for positions by role. */
  readonly roles?: readonly (string | undefined)[] | undefined;
  /** What the prompt is about (countries, names): a split never has one of them on both sides. */
  readonly entities?: readonly string[] | undefined;
}

/**
 * Refuses examples that a model cannot be steered by, naming the first bad one.
 * @throws LimnError `data/steering-empty`, `data/steering-prompt`, `data/steering-answer`, `data/steering-roles`
 */
export function checkExamples(
  examples: readonly SteeringExample[],
  info: Pick<ModelInfo, 'vocabulary' | 'maxPositions'>,
): void {
  if (examples.length === 0)
    throw new LimnError('data/steering-empty', 'Steering was given no examples.', {
      hint: 'Give prompts, each with a correct and a wrong answer.',
    });
  examples.forEach(({ prompt, correct, wrong, roles }, example) => {
    const isToken = (id: number): boolean => Number.isInteger(id) && id >= 0 && id < info.vocabulary;
    const bad = prompt.findIndex((id) => !isToken(id));
    if (prompt.length === 0 || prompt.length > info.maxPositions || bad >= 0)
      throw new LimnError(
        'data/steering-prompt',
        bad >= 0
          ? `Example ${example}: token ${bad} of its prompt is ${prompt[bad]}, which is not in the vocabulary (0–${info.vocabulary - 1}).`
          : `Example ${example}: its prompt has ${prompt.length} tokens; the model takes 1 to ${info.maxPositions}.`,
        {
          details: { example, tokens: prompt.length },
          hint: 'Encode prompts with the tokenizer of the model.',
        },
      );
    if (!isToken(correct) || !isToken(wrong) || correct === wrong)
      throw new LimnError(
        'data/steering-answer',
        `Example ${example}: the answers are ${correct} and ${wrong}; they are two different ids of the vocabulary (0–${info.vocabulary - 1}).`,
        {
          details: { example, correct, wrong },
          hint: 'Give each answer as the one token that would come next, with the space in front of it.',
        },
      );
    if (roles !== undefined && roles.length !== prompt.length)
      throw new LimnError(
        'data/steering-roles',
        `Example ${example}: ${roles.length} roles for ${prompt.length} tokens.`,
        {
          details: { example, roles: roles.length, tokens: prompt.length },
          hint: 'Give one name per token, or undefined for a token without one.',
        },
      );
  });
}
