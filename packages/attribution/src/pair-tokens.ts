// One side of a batch of pairs as the tokens of a run.
import { tokenBatch, type ModelInfo, type TokenBatch } from '@limn/hooks';
import type { Pair } from './pairs.js';

/** The clean or the corrupted prompts, one a row. */
export function pairTokens(
  pairs: readonly Pair[],
  which: 'clean' | 'corrupted',
  info: Pick<ModelInfo, 'vocabulary' | 'maxPositions'>,
): TokenBatch {
  return tokenBatch(
    pairs.map((pair) => pair[which]),
    info,
  );
}
