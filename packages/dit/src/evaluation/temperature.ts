// The temperature at which an adapter's probabilities are as sure as it is right: maximum likelihood over validation answers. Guo et al. 2017, arXiv 1706.04599.
import { expectAsMany, expectOption, finiteValues, refuseValues } from './checked-values.js';

/** What was answered to one question, as scores of candidates. */
export interface ScoredAnswer {
  /** Log-probabilities, or anything of which softmax makes probabilities; as many candidates for every answer. */
  readonly scores: ArrayLike<number>;
  /** The place of the right candidate. */
  readonly right: number;
}

/** A fitted temperature. */
export interface FittedTemperature {
  /** T of softmax(scores / T). */
  readonly temperature: number;
  /**
   * Whether the likelihood still rises at the end of what is allowed: 'cold' where the right candidate is ahead in every answer, so that no T is low enough, 'hot' where scores say nothing about
   * what is right.
   */
  readonly limit: 'cold' | 'hot' | null;
  /** Mean −ln p(right) at T = 1 and at T, in nats. */
  readonly loss: { readonly before: number; readonly after: number };
}

/** What T may be. */
const COLDEST = 1 / 32;
const HOTTEST = 32;

/**
 * p of every candidate, softmax(scores / T), in float64.
 * @throws LimnError `data/evaluation` for scores that are none, `usage/evaluation` for a temperature that is none
 */
export function probabilitiesAt(scores: ArrayLike<number>, temperature: number): Float64Array {
  expectOption('temperature', temperature, 'above 0', temperature > 0 && Number.isFinite(temperature));
  finiteValues('Scores', scores);
  return softmaxOf(scores, 1 / temperature);
}

function softmaxOf(scores: ArrayLike<number>, beta: number): Float64Array {
  let most = Number.NEGATIVE_INFINITY;
  for (let i = 0; i < scores.length; i++) most = Math.max(most, scores[i] as number);
  const weights = Float64Array.from(scores, (score) => Math.exp(beta * (score - most)));
  const sum = weights.reduce((all, weight) => all + weight, 0);
  return weights.map((weight) => weight / sum);
}

/**
 * The T that makes the right candidates likeliest: the loss is convex in 1/T, and its slope, mean of E[score] − score of the right one, is found 0 by halving between 1/32 and 32.
 * @throws LimnError `data/evaluation` for no answers, other numbers of candidates, scores that are none and places that are none
 */
export function fitTemperature(answers: readonly ScoredAnswer[]): FittedTemperature {
  checkAnswers(answers);
  const mean = (of: (answer: ScoredAnswer) => number): number =>
    answers.reduce((sum, answer) => sum + of(answer), 0) / answers.length;
  const slope = (beta: number): number =>
    mean(({ scores, right }) => {
      const expected = softmaxOf(scores, beta).reduce((sum, p, i) => sum + p * (scores[i] as number), 0);
      return expected - (scores[right] as number);
    });
  const loss = (beta: number): number =>
    mean(({ scores, right }) => -Math.log(softmaxOf(scores, beta)[right] as number));
  let [low, high] = [1 / HOTTEST, 1 / COLDEST];
  // Without a slope every T is as good: 1 is none.
  const flat = answers.every(({ scores }) => Array.from(scores).every((score) => score === scores[0]));
  const limit = flat ? null : slope(high) < 0 ? 'cold' : slope(low) > 0 ? 'hot' : null;
  let beta = flat ? 1 : limit === 'cold' ? high : low;
  // Halved on a scale of ratios until neighbours are the same float.
  if (limit === null && !flat)
    for (let halvings = 0; halvings < 60; halvings++) {
      beta = Math.sqrt(low * high);
      if (slope(beta) < 0) low = beta;
      else high = beta;
    }
  return { temperature: 1 / beta, limit, loss: { before: loss(1), after: loss(beta) } };
}

/**
 * Refuses answers that cannot be calibrated.
 * @throws LimnError `data/evaluation`
 */
export function checkAnswers(answers: readonly ScoredAnswer[]): void {
  const [first] = answers;
  if (!first) throw refuseValues('Answers', 'none', 'one at least');
  answers.forEach(({ scores, right }, i) => {
    expectAsMany(`the scores of answer ${i}`, scores, first.scores.length);
    finiteValues(`Scores of answer ${i}`, scores);
    if (!Number.isInteger(right) || right < 0 || right >= scores.length)
      throw refuseValues(`The right candidate of answer ${i}`, right, `places from 0 to ${scores.length - 1}`);
  });
}
