// Scores of every token of the vocabulary for some directions, table block by table block, of which only the ends are kept.
import type { Step } from '@limn/gpu';
import { throwIfAborted } from '@limn/gpu';
import { settleControls, tokenBatch, type HookedModel, type RunControls } from '@limn/hooks';
import { MAX_TOP_K, matmul, readFloats, readWords, reshape, scale, slice, sum, topK, type Tensor } from '@limn/tensor';
import { partsOf } from '../row-parts.js';
import type { ScoredTokens, TokenScore } from './dashboard.js';

/** Which table, in which order, and what is kept. */
export interface VocabularyRequest extends RunControls {
  readonly table: 'embedding' | 'unembedding';
  /** Tokens at either end, at most 64. */
  readonly count: number;
  /** Scores are given less their mean over the vocabulary. */
  readonly demeaned: boolean;
  /** Every score is given too. */
  readonly all: boolean;
}

/** Of one direction. */
export interface VocabularyScores extends ScoredTokens {
  /** [V], with `all`. */
  readonly scores?: Float32Array;
}

/** Most bytes of one block of rows, and of one block of scores. */
const BLOCK_BYTES = 32 * 2 ** 20;

/**
 * Ends of directions·tableᵀ; `directions(step, first, count)` records rows [count, C]. Blocks of the table and of directions are as large
 * as 32 MiB hold; the vocabulary-sized table is never bound whole. Equal scores by the lower token.
 */
export async function vocabularyScores(
  model: HookedModel,
  rows: number,
  directions: (step: Step, first: number, count: number) => Tensor,
  request: VocabularyRequest,
): Promise<VocabularyScores[]> {
  const { vocabulary: V, width: C } = model.info;
  const { memoryBytes } = settleControls(request);
  const bytes = Math.min(BLOCK_BYTES, memoryBytes / 4);
  const blocks = partsOf(V, Math.max(1, Math.floor(bytes / (4 * C))));
  const longest = Math.max(...blocks.map(([, length]) => length));
  const found: VocabularyScores[] = [];
  for (const [first, count] of partsOf(rows, Math.max(1, Math.floor(bytes / (4 * longest))))) {
    throwIfAborted(request.signal, 'Scoring the vocabulary');
    found.push(...(await ofRows(model, (step) => directions(step, first, count), count, blocks, request)));
  }
  return found;
}

type Block = readonly [start: number, length: number];

async function ofRows(
  model: HookedModel,
  directions: (step: Step) => Tensor,
  rows: number,
  blocks: readonly Block[],
  { table, count, demeaned, all, signal }: VocabularyRequest,
): Promise<VocabularyScores[]> {
  const { vocabulary: V } = model.info;
  const step = model.gpu.step({ label: 'vocabulary scores', ...(signal ? { signal } : {}) });
  try {
    const d = directions(step);
    const parts = await Promise.all(
      blocks.map(async ([start, length]) => {
        const scores = matmul(step, d, tableRows(step, model, table, start, length), { transposeB: true });
        const k = Math.min(count, length, MAX_TOP_K);
        const [most, least] = [topK(step, scores, k), topK(step, scale(step, scores, -1), k)];
        const [values, places, negated, others, sums, every] = await Promise.all([
          readFloats(step, most.values),
          readWords(step, most.indices),
          readFloats(step, least.values),
          readWords(step, least.indices),
          demeaned ? readFloats(step, sum(step, scores, { axes: 1 })) : undefined,
          all ? readFloats(step, scores) : undefined,
        ]);
        return { start, length, k, values, places, negated, others, sums, every };
      }),
    );
    return Array.from({ length: rows }, (_, row) => {
      const mean = demeaned ? parts.reduce((total, { sums }) => total + (sums?.[row] as number), 0) / V : 0;
      const ends = (side: (part: (typeof parts)[number]) => readonly [Float32Array, Uint32Array], sign: 1 | -1) =>
        parts
          .flatMap((part): TokenScore[] => {
            const [values, places] = side(part);
            return Array.from({ length: part.k }, (__, i) => ({
              token: part.start + (places[row * part.k + i] as number),
              value: sign * (values[row * part.k + i] as number),
            }));
          })
          .sort((a, b) => sign * (b.value - a.value) || a.token - b.token)
          .slice(0, count)
          .map(({ token, value }) => ({ token, value: value - mean }));
      const scores = all ? new Float32Array(V) : undefined;
      if (scores)
        for (const { start, length, every } of parts)
          scores.set(
            (every as Float32Array).subarray(row * length, (row + 1) * length).map((value) => value - mean),
            start,
          );
      return {
        most: ends(({ values, places }) => [values, places], 1),
        least: ends(({ negated, others }) => [negated, others], -1),
        ...(scores ? { scores } : {}),
      };
    });
  } finally {
    step.dispose();
  }
}

/** Rows [length, C] of W_E or of W_U for the tokens from `start` on. */
function tableRows(
  step: Step,
  model: HookedModel,
  table: VocabularyRequest['table'],
  start: number,
  length: number,
): Tensor {
  const ids = Array.from({ length }, (_, i) => start + i);
  if (table === 'unembedding') return model.unembedRows(step, ids);
  const { maxPositions, width } = model.info;
  const T = Math.min(length, maxPositions);
  const texts = Array.from({ length: Math.ceil(length / T) }, (_, b) => ids.slice(b * T, (b + 1) * T));
  const embedded = model.embed(step, tokenBatch(texts, model.info));
  const flat = reshape(embedded, [texts.length * T, width]);
  return texts.length * T === length ? flat : slice(step, flat, 0, 0, length);
}
