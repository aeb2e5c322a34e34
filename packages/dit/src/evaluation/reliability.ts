// Whether probabilities are what they say: how often the likeliest candidate is right, by how likely it was said to be. Guo et al. 2017, arXiv 1706.04599.
import { expectOption } from './checked-values.js';
import { rankOf } from './ranks.js';
import { checkAnswers, probabilitiesAt, type ScoredAnswer } from './temperature.js';

/** Answers whose likeliest candidate has a probability in (from, to]. */
export interface ReliabilityRow {
  readonly from: number;
  readonly to: number;
  readonly answers: number;
  /** Their mean probability; null of none. */
  readonly confidence: number | null;
  /** How many of them were right, candidates of equal scores by lot; null of none. */
  readonly accuracy: number | null;
}

/** A table and the error it comes to. */
export interface Reliability {
  readonly rows: readonly ReliabilityRow[];
  /** Expected calibration error: Σ answers of a row / all · |accuracy − confidence|. */
  readonly error: number;
}

/**
 * The table over rows of equal width.
 * @throws LimnError `data/evaluation` as `fitTemperature`, `usage/evaluation` for a temperature or a number of rows that is none
 */
export function reliability(
  answers: readonly ScoredAnswer[],
  {
    temperature = 1,
    rows = 10,
  }: { readonly temperature?: number | undefined; readonly rows?: number | undefined } = {},
): Reliability {
  checkAnswers(answers);
  expectOption('rows', rows, 'whole numbers from 1 to 1000', Number.isInteger(rows) && rows >= 1 && rows <= 1000);
  const sums = Array.from({ length: rows }, () => ({ answers: 0, confidence: 0, accuracy: 0 }));
  for (const { scores, right } of answers) {
    const confidence = probabilitiesAt(scores, temperature).reduce((most, p) => Math.max(most, p), 0);
    const row = sums[Math.max(0, Math.ceil(confidence * rows) - 1)] as (typeof sums)[number];
    row.answers += 1;
    row.confidence += confidence;
    row.accuracy += rankOf(scores, right).top1;
  }
  const error = sums.reduce((all, row) => all + Math.abs(row.accuracy - row.confidence), 0) / answers.length;
  const table = sums.map(({ answers: count, confidence, accuracy }, i) => ({
    from: i / rows,
    to: (i + 1) / rows,
    answers: count,
    confidence: count === 0 ? null : confidence / count,
    accuracy: count === 0 ? null : accuracy / count,
  }));
  return { rows: table, error };
}
