// Token ids of several prompts as one right-padded rectangle, checked against a model before anything runs.
import { LimnError, shownValue } from '@limn/gpu';

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
 * @throws LimnError `tokens/not-ids`, `tokens/empty`, `tokens/not-in-vocabulary` or `tokens/too-long`, naming row and position.
 */
export function tokenBatch(list: readonly ArrayLike<number>[], limits: TokenLimits): TokenBatch {
  if (!Array.isArray(list)) throw notIds('the list of prompts', list);
  if (list.length === 0)
    throw new LimnError('tokens/empty', 'no tokens were given: the list is empty', { hint: SOME_TOKEN });
  const lengths = list.map((row: unknown, r) => {
    if (isRecord(row) && typeof row['length'] === 'number') return row['length'];
    throw notIds(`prompt ${r}`, row);
  });
  const T = Math.max(...lengths);
  lengths.forEach((length, row) => {
    if (length === 0) {
      throw new LimnError('tokens/empty', `prompt ${row} has no tokens`, { details: { row }, hint: SOME_TOKEN });
    }
    if (length > limits.maxPositions) throw tooLong(row, length, limits);
  });
  const ids = new Uint32Array(list.length * T);
  list.forEach((row, r) => {
    for (let t = 0; t < row.length; t++) {
      expectId(row[t], r, t, limits);
      ids[r * T + t] = row[t] as number;
    }
  });
  return { ids, B: list.length, T, lengths };
}

/**
 * Refuses what is no batch of this model: of the wrong shape, or with ids or lengths beyond the model's. `fewest` is the least length of
 * a row: 0 in decoding, where a row may have ended.
 * @throws LimnError `tokens/bad-batch`, `tokens/not-ids`, `tokens/not-in-vocabulary`, `tokens/too-long`
 */
export function checkBatch(
  given: unknown,
  limits: TokenLimits,
  { fewest = 1 }: { readonly fewest?: 0 | 1 } = {},
): asserts given is TokenBatch {
  if (!isRecord(given)) throw badBatch(shownValue(given), 'an object with ids, B, T and lengths');
  const { ids, B, T, lengths } = given;
  for (const [name, side] of [
    ['B', B],
    ['T', T],
  ] as const)
    if (!isCount(side, 1)) throw badBatch(`${name} is ${shownValue(side)}`, 'a whole number from 1');
  const [rows, width] = [B as number, T as number];
  if (!(ids instanceof Uint32Array) || ids.length !== rows * width)
    throw badBatch(`ids are ${shownIds(ids)}`, `a Uint32Array of B·T = ${rows * width} ids`);
  if (!Array.isArray(lengths) || lengths.length !== rows || !lengths.every((n) => isCount(n, fewest) && n <= width))
    throw badBatch(
      `lengths are ${Array.isArray(lengths) ? shownValue(lengths.join(', ')) : shownValue(lengths)}`,
      `${rows} whole numbers from ${fewest} to T = ${width}`,
    );
  for (let row = 0; row < rows; row++) {
    const length = lengths[row] as number;
    if (length > limits.maxPositions) throw tooLong(row, length, limits);
    for (let t = 0; t < length; t++) expectId(ids[row * width + t], row, t, limits);
  }
}

/** Whether a value has fields that can be asked for. */
export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null;
}

const SOME_TOKEN =
  'Give at least one token id; with a tokenizer, keep the BOS token in front: tokenizer.encode(text, { prependBos: true }).';

/** `tokens/not-ids`: something else stands where token ids belong. */
export function notIds(what: string, given: unknown, expected = 'list of token ids'): LimnError {
  const shown = typeof given === 'bigint' ? `${given}n` : shownValue(given);
  return new LimnError('tokens/not-ids', `${what}: ${shown} is no ${expected}`, {
    hint: 'Give token ids, which are numbers. Of text they are tokenizer.encode(text, { prependBos: true }), with the tokenizer of the model.',
  });
}

function badBatch(what: string, allowed: string): LimnError {
  return new LimnError('tokens/bad-batch', `a batch of tokens: ${what}; expected ${allowed}`, {
    hint: 'Make the batch with tokenBatch(prompts, model.info).',
  });
}

function tooLong(row: number, length: number, { maxPositions }: TokenLimits): LimnError {
  return new LimnError(
    'tokens/too-long',
    `prompt ${row} has ${length} tokens; the model has ${maxPositions} positions`,
    {
      details: { row, length, maxPositions },
      hint: `Shorten it to ${maxPositions} tokens or use a model with more positions.`,
    },
  );
}

function expectId(id: unknown, row: number, position: number, { vocabulary }: TokenLimits): void {
  if (typeof id !== 'number') throw notIds(`prompt ${row}, position ${position}`, id, 'token id');
  if (Number.isInteger(id) && id >= 0 && id < vocabulary) return;
  throw new LimnError(
    'tokens/not-in-vocabulary',
    `prompt ${row}, position ${position}: token id ${id} is not in the vocabulary (0–${vocabulary - 1})`,
    {
      details: { row, position, id, vocabulary },
      hint: 'Use the tokenizer that belongs to this model.',
    },
  );
}

const isCount = (value: unknown, least: number): value is number =>
  Number.isInteger(value) && (value as number) >= least;

function shownIds(ids: unknown): string {
  return ids instanceof Uint32Array ? `${ids.length} ids` : shownValue(ids);
}

/** Flat indices b·T + t of the last real position of each row; of the first one in a row of length 0, which has ended. */
export function lastRows(lengths: readonly number[], T: number): Uint32Array {
  return Uint32Array.from(lengths, (length, b) => b * T + Math.max(length, 1) - 1);
}
