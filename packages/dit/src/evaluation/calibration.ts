// When an adapter's answer is taken and when it is "none": a temperature, and a threshold that keeps false alarms to a chosen share; both fitted on validation diffs, never on those that figures are of.
import { expectAsMany, expectOption, finiteValues, refuseValues } from './checked-values.js';
import { reliability, type Reliability } from './reliability.js';
import { fitTemperature, probabilitiesAt, type FittedTemperature, type ScoredAnswer } from './temperature.js';

/** A threshold on a score: something is said to be there where the score is above it. */
export interface NoneThreshold {
  readonly threshold: number;
  /** The share of false alarms that was asked for. */
  readonly rate: number;
  /** What is to be expected of new negatives like those given, (k + 1) / (n + 1) with k of n above the threshold: above `rate` only where so few negatives allow no less. */
  readonly expected: number;
  /** Share of the positives above it; null where none was given. */
  readonly truePositives: number | null;
  readonly negatives: number;
}

/**
 * The lowest threshold, among the scores of negatives, whose expected share of false alarms is at most `rate`: the score of the (k+1)-th highest with the largest k for which (k + 1) / (n + 1) ≤ rate, so
 * that the share holds for negatives to come and not only for these n (Vovk et al. 2005). For a rate of .05 that takes 19 negatives.
 * @throws LimnError `data/evaluation` for no negatives and scores that are none, `usage/evaluation` for a rate that is none
 */
export function noneThreshold(
  scores: ArrayLike<number>,
  something: readonly boolean[],
  { rate }: { readonly rate: number },
): NoneThreshold {
  expectOption('rate', rate, 'between 0 and 1', rate > 0 && rate < 1);
  finiteValues('Scores', scores);
  expectAsMany('the list of what has something', something, scores.length);
  const of = (wanted: boolean): number[] => Array.from(scores).filter((_, i) => something[i] === wanted);
  const [positives, negatives] = [of(true), of(false).sort((a, b) => b - a)];
  const n = negatives.length;
  if (n === 0) throw refuseValues('Diffs with nothing to tell', 'none', 'one at least');
  const above = Math.max(0, Math.floor(rate * (n + 1) + 1e-9) - 1);
  const threshold = negatives[above] as number;
  return {
    threshold,
    rate,
    expected: (above + 1) / (n + 1),
    truePositives:
      positives.length === 0 ? null : positives.filter((score) => score > threshold).length / positives.length,
    negatives: n,
  };
}

/** How an adapter's scores are read. */
export interface Calibration {
  readonly temperature: number;
  /** On 1 − p(none) at that temperature. */
  readonly noneThreshold: number;
}

/** A calibration and what it was fitted to. */
export interface FittedCalibration extends Calibration {
  readonly fitted: FittedTemperature;
  readonly none: NoneThreshold;
  readonly reliability: { readonly before: Reliability; readonly after: Reliability };
}

/**
 * Fits both on validation answers, "none" being one of the candidates, and the right one where a diff has nothing to tell.
 * @throws LimnError `data/evaluation` for answers that `fitTemperature` refuses and where "none" is never right, `usage/evaluation` for a rate that is none
 */
export function calibrate(
  answers: readonly ScoredAnswer[],
  { none, rate = 0.05 }: { readonly none: number; readonly rate?: number | undefined },
): FittedCalibration {
  const fitted = fitTemperature(answers);
  const { temperature } = fitted;
  const found = noneThreshold(
    answers.map(({ scores }) => somethingProbability(scores, { none, temperature })),
    answers.map(({ right }) => right !== none),
    { rate },
  );
  return {
    temperature,
    noneThreshold: found.threshold,
    fitted,
    none: found,
    reliability: { before: reliability(answers), after: reliability(answers, { temperature }) },
  };
}

/**
 * 1 − p(none) at a temperature, from the other candidates' sum, so that it is exact near 0: what a threshold is compared with.
 * @throws LimnError `data/evaluation` for scores that are none and a place that is none, `usage/evaluation` for a temperature that is none
 */
export function somethingProbability(
  scores: ArrayLike<number>,
  { none, temperature }: { readonly none: number; readonly temperature: number },
): number {
  const p = probabilitiesAt(scores, temperature);
  if (!Number.isInteger(none) || none < 0 || none >= p.length)
    throw refuseValues('The place of "none"', none, `whole numbers from 0 to ${p.length - 1}`);
  // Shares that are rounded may add up to an ulp more.
  return Math.min(
    1,
    p.reduce((sum, each, i) => (i === none ? sum : sum + each), 0),
  );
}

/** A calibrated answer. */
export interface CalibratedAnswer {
  /** The likeliest candidate, or "none" where too little speaks against it; of equal ones the first. */
  readonly candidate: number;
  /** Of that candidate. */
  readonly probability: number;
  /** 1 − p(none). */
  readonly something: number;
}

/**
 * The answer of one diff: "none" unless 1 − p(none) is above the threshold, then the likeliest of the others.
 * @throws LimnError as `somethingProbability`
 */
export function calibratedAnswer(
  scores: ArrayLike<number>,
  { temperature, noneThreshold: threshold }: Calibration,
  { none }: { readonly none: number },
): CalibratedAnswer {
  const p = probabilitiesAt(scores, temperature);
  const something = somethingProbability(scores, { none, temperature });
  const best = p.reduce((most, each, i) => (i !== none && (most < 0 || each > (p[most] as number)) ? i : most), -1);
  const candidate = something > threshold && best >= 0 ? best : none;
  return { candidate, probability: p[candidate] as number, something };
}
