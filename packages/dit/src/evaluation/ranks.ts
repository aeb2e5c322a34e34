// Where the right one stands among candidates. Equal scores are broken by lot, and figures are what that gives on average, so that a guesser who knows nothing has chance.
import { clusteredShare, type FigureOptions, type MeanFigure } from './clustered-mean.js';
import { finiteValues, refuseValues } from './checked-values.js';

/** The right candidate's place by falling score; of candidates with its score every order is as likely, and these are expectations over them. */
export interface CandidateRank {
  /** 1 + how many score higher + half of the others that score the same. */
  readonly rank: number;
  /** The chance to be first. */
  readonly top1: number;
  /** The chance to be among the first five. */
  readonly top5: number;
  /** E[1 / rank]. */
  readonly reciprocal: number;
}

/**
 * The rank of candidate `right` by scores, one for each candidate, the higher the better.
 * @throws LimnError `data/evaluation` for no scores, for NaN and for a place that is none. −∞ is a score, as the log-probability of what is impossible; +∞ is none.
 */
export function rankOf(scores: ArrayLike<number>, right: number): CandidateRank {
  const own = scores[right];
  if (!Number.isInteger(right) || own === undefined)
    throw refuseValues('The place of the right candidate', right, `whole numbers from 0 to ${scores.length - 1}`);
  let [higher, same] = [0, 0];
  for (let i = 0; i < scores.length; i++) {
    const score = scores[i] as number;
    if (Number.isNaN(score) || score === Number.POSITIVE_INFINITY)
      throw refuseValues(`The score of candidate ${i}`, score, 'numbers below infinity');
    if (score > own) higher++;
    else if (score === own) same++;
  }
  let reciprocal = 0;
  for (let place = higher + 1; place <= higher + same; place++) reciprocal += 1 / place;
  const within = (most: number): number => Math.min(1, Math.max(0, (most - higher) / same));
  return { rank: higher + (same + 1) / 2, top1: within(1), top5: within(5), reciprocal: reciprocal / same };
}

/** Figures over questions, each with its 95 % interval. */
export interface RankFigures {
  readonly top1: MeanFigure;
  readonly top5: MeanFigure;
  /** Mean reciprocal rank. */
  readonly mrr: MeanFigure;
  readonly questions: number;
}

/**
 * Means over questions; with `clusters`, such as the diff of each question, intervals are by drawing whole clusters again.
 * @throws LimnError `data/evaluation` for no ranks and for clusters that do not fit, `tensor/random` (seed)
 */
export function rankFigures(ranks: readonly CandidateRank[], options: FigureOptions = {}): RankFigures {
  const over = (of: (rank: CandidateRank) => number): MeanFigure =>
    clusteredShare(finiteValues('Ranks', ranks.map(of)), options);
  return {
    top1: over(({ top1 }) => top1),
    top5: over(({ top5 }) => top5),
    mrr: over(({ reciprocal }) => reciprocal),
    questions: ranks.length,
  };
}
