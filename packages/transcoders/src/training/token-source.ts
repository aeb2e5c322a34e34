// Where tokens come from: batches of sequences by number, so that a stream goes on anywhere without replaying what was before.

/**
 * The sequences of a batch: token ids, each list as the model is to read it. A pure function of the batch's number (0, 1, …): a resumed
 * run asks for a batch again and must be given the same.
 */
export type TokenSource = (batch: number) => readonly ArrayLike<number>[];

/** Flat indices b·T + t of the tokens at positions ≥ `skip`, T being the length of the longest sequence. */
export function keptRows(lengths: readonly number[], T: number, skip: number): Uint32Array {
  return Uint32Array.from(
    lengths.flatMap((length, b) => Array.from({ length: Math.max(0, length - skip) }, (_, i) => b * T + skip + i)),
  );
}

/** Tokens at positions ≥ `skip`. */
export const keptCount = (sequences: readonly ArrayLike<number>[], skip: number): number =>
  sequences.reduce((sum, { length }) => sum + Math.max(0, length - skip), 0);
