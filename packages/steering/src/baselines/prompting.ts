// Steering by words: an instruction in the prompt, one for each sign of the strength.
import { LimnError } from '@limn/gpu';
import type { Steerer } from '../steerer.js';

/** What to say. */
export interface PromptEdit {
  /** Token ids put in for strengths above 0, and for those below; an empty list leaves the prompt as it is. */
  readonly plus: readonly number[];
  readonly minus: readonly number[];
  /** In front of which token they go: 1 behind BOS. Default 0. */
  readonly at?: number | undefined;
}

/**
 * A steerer that edits no activation. The size of a strength says nothing, only its sign; at 0 the prompt is its own.
 * @throws LimnError `usage/steering-option` for a place that is none; from `prompt`, `data/steering-prompt` for a prompt that is too short for it
 */
export function prompting(name: string, { plus, minus, at = 0 }: PromptEdit): Steerer {
  if (!Number.isInteger(at) || at < 0)
    throw new LimnError('usage/steering-option', `Words cannot go in front of token ${at}.`, {
      details: { at },
      hint: 'Give a whole number from 0; 1 is behind BOS.',
    });
  return {
    name,
    parameters: 0,
    nonZero: 0,
    interventions: () => [],
    prompt: ({ example: { prompt }, strength }) => {
      if (at > prompt.length)
        throw new LimnError(
          'data/steering-prompt',
          `Words go in front of token ${at} of a prompt of ${prompt.length}.`,
          {
            details: { at, tokens: prompt.length },
            hint: 'Put them further to the front.',
          },
        );
      if (strength === 0) return prompt;
      return [...prompt.slice(0, at), ...(strength > 0 ? plus : minus), ...prompt.slice(at)];
    },
  };
}
