// What `limn generate` asks of the model: its options as those of `generate` in @limn/hooks, checked where the words are known.
import { LimnError } from '@limn/gpu';
import type { Sampling } from '@limn/hooks';

/** The options that say how a token is chosen; each is absent unless it was given. */
export interface SamplingOptions {
  readonly temperature?: number;
  readonly topK?: number;
  readonly topP?: number;
  readonly seed?: number;
  readonly repetitionPenalty?: number;
}

/**
 * Greedy, unless an option asks for chance.
 * @throws LimnError `usage/bad-number` for a share of nothing.
 */
export function samplingOf({ temperature, topK, topP, seed, repetitionPenalty }: SamplingOptions): Sampling {
  const penalty = repetitionPenalty === undefined ? {} : { repetitionPenalty };
  if (topP === 0) {
    throw new LimnError('usage/bad-number', '--top-p 0: expected a number above zero, and up to 1', {
      details: { option: '--top-p', given: '0' },
      hint: 'for example --top-p 0.95',
    });
  }
  if ([temperature, topK, topP, seed].every((given) => given === undefined)) return { kind: 'greedy', ...penalty };
  return {
    kind: 'sample',
    seed: seed ?? 0,
    ...(temperature === undefined ? {} : { temperature }),
    ...(topK === undefined ? {} : { topK }),
    ...(topP === undefined ? {} : { topP }),
    ...penalty,
  };
}
