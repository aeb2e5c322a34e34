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

/**
 * Refuses more new tokens than a model has positions for; a prompt that alone is too long is for the model to refuse. The last new token
 * needs no position, as it is not read.
 * @throws LimnError `usage/bad-number`
 */
export function expectRoom(maxNewTokens: number, promptTokens: number, maxPositions: number): void {
  const most = maxPositions - promptTokens + 1;
  if (most < 1 || maxNewTokens <= most) return;
  throw new LimnError(
    'usage/bad-number',
    `--max-new-tokens ${maxNewTokens}: the model has ${maxPositions} positions and the prompt ${promptTokens} tokens, so at most ${most} can follow`,
    {
      details: { option: '--max-new-tokens', given: maxNewTokens, most },
      hint: `give --max-new-tokens ${most} or fewer, or a shorter prompt`,
    },
  );
}
