// Token ids of several prompts as one right-padded rectangle, checked against a model before anything runs.
import { LimnError } from '@limn/gpu';

/** Right-padded token ids. Padding repeats id 0; nothing at a real position can depend on it (attention is causal). */
export interface TokenBatch {
  /** Row-major [B, T]. */
  readonly ids: Uint32Array;
  readonly B: number;
  /** Length of the longest row. */
  readonly T: number;
  /** Real tokens of each row, 1…T; in decoding 0 for a row that has ended. */
  readonly lengths: readonly number[];
}

/** The parts of a model's info that decide which ids and lengths are allowed. */
export interface TokenLimits {
  readonly vocabulary: number;
  readonly maxPositions: number;
}

/**
 * Makes a batch from lists of token ids.
 * @throws LimnError `tokens/empty`, `tokens/not-in-vocabulary` or `tokens/too-long`, naming row and position.
 */
export function tokenBatch(list: readonly ArrayLike<number>[], limits: TokenLimits): TokenBatch {
  if (list.length === 0) throw new LimnError('tokens/empty', 'a batch needs at least one prompt, got none');
  const lengths = list.map((row) => row.length);
  const T = Math.max(...lengths);
  lengths.forEach((length, row) => {
    if (length === 0) {
      throw new LimnError('tokens/empty', `prompt ${row} has no tokens`, {
        details: { row },
        hint: 'Give at least one token id; with a tokenizer, keep the BOS token in front.',
      });
    }
    if (length > limits.maxPositions) {
      throw new LimnError(
        'tokens/too-long',
        `prompt ${row} has ${length} tokens; the model has ${limits.maxPositions} positions`,
        {
          details: { row, length, maxPositions: limits.maxPositions },
          hint: `Shorten it to ${limits.maxPositions} tokens or use a model with more positions.`,
        },
      );
    }
  });
  const ids = new Uint32Array(list.length * T);
  list.forEach((row, r) => {
    for (let t = 0; t < row.length; t++) {
      const id = row[t] as number;
      if (!Number.isInteger(id) || id < 0 || id >= limits.vocabulary) {
        throw new LimnError(
          'tokens/not-in-vocabulary',
          `prompt ${r}, position ${t}: token id ${String(id)} is not in the vocabulary (0–${limits.vocabulary - 1})`,
          {
            details: { row: r, position: t, id, vocabulary: limits.vocabulary },
            hint: 'Use the tokenizer that belongs to this model.',
          },
        );
      }
      ids[r * T + t] = id;
    }
  });
  return { ids, B: list.length, T, lengths };
}

/** Flat indices b·T + t of the last real position of each row; of the first one in a row of length 0, which has ended. */
export function lastRows(lengths: readonly number[], T: number): Uint32Array {
  return Uint32Array.from(lengths, (length, b) => b * T + Math.max(length, 1) - 1);
}
