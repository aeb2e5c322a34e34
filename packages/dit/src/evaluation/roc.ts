// How well a score tells what has something from what has not: the receiver operating characteristic, its area, and the false alarms that a share of hits costs.
import { drawAgain, percentileInterval, type Interval } from '@limn/hooks';
import { expectAsMany, expectOption, finiteValues, refuseValues } from './checked-values.js';
import { clusterMembers, type FigureOptions } from './clustered-mean.js';

/** One threshold: an alarm is a score of at least that. */
export interface RocPoint {
  /** null for the threshold above all scores, where nothing alarms. */
  readonly threshold: number | null;
  /** Share of positives that alarm. */
  readonly truePositives: number;
  /** Share of negatives that alarm. */
  readonly falsePositives: number;
}

/** What a share of hits costs. */
export interface FalseAlarms {
  /** The share of positives that at least has to alarm. */
  readonly truePositives: number;
  /** The least share of negatives that alarms with them. */
  readonly falsePositives: number;
  readonly interval: Interval | null;
  /** The highest threshold that has the share. */
  readonly threshold: number;
}

/** A curve and what it comes to. */
export interface RocCurve {
  /** From no alarm to all: a point for every score that occurs. */
  readonly points: readonly RocPoint[];
  /** The chance that a positive scores higher than a negative, equal scores counting half: the area under the curve with straight lines. */
  readonly area: number;
  /** 95 %; null where one cluster holds all positives or all negatives, of whose spread nothing is known. */
  readonly interval: Interval | null;
  readonly atHits: readonly FalseAlarms[];
  readonly positives: number;
  readonly negatives: number;
}

/** What a curve is drawn with. */
export interface RocOptions extends FigureOptions {
  /** Shares of hits whose false alarms are told, each above 0 and at most 1. Default .5, .8, .9 and .95. */
  readonly hits?: readonly number[] | undefined;
}

/**
 * The curve over scores, the higher the more something is there. Intervals draw clusters again, those with positives alone, with negatives alone and with both each among themselves, so that every
 * draw has both.
 * @throws LimnError `data/evaluation` for scores that are none, lists that do not fit, and positives or negatives that there are none of; `usage/evaluation` for shares that are none; `tensor/random` (seed)
 */
export function rocCurve(
  scores: ArrayLike<number>,
  positive: readonly boolean[],
  { hits = [0.5, 0.8, 0.9, 0.95], clusters, seed = 0 }: RocOptions = {},
): RocCurve {
  finiteValues('Scores', scores);
  expectAsMany('the list of what is positive', positive, scores.length);
  for (const share of hits) expectOption('a share of hits', share, 'above 0, at most 1', share > 0 && share <= 1);
  const positives = positive.filter(Boolean).length;
  const negatives = positive.length - positives;
  if (positives === 0 || negatives === 0)
    throw refuseValues('Positives and negatives', `${positives} and ${negatives}`, 'one of each at least');
  const runs = fallingScores(scores, positive);
  const strata = strataOf(clusterMembers(scores.length, clusters), positive);
  const [hit, missed, mixed] = strata.map(({ length }) => length) as [number, number, number];
  const spread = hit + mixed > 1 && missed + mixed > 1;
  const draws = new Map<number, Swept>();
  /** A draw serves all figures, and is made once. */
  const ofDraw = (draw: number): Swept => {
    const swept = draws.get(draw) ?? sweep(runs, countsOf(strata, scores.length, seed, draw), hits);
    draws.set(draw, swept);
    return swept;
  };
  const intervalOf = (figure: (swept: Swept) => number): Interval | null =>
    spread ? percentileInterval((draw) => figure(ofDraw(draw))) : null;
  const { area, alarms } = sweep(runs, new Float64Array(scores.length).fill(1), hits);
  return {
    points: pointsOf(runs, positives, negatives),
    area,
    interval: intervalOf((swept) => swept.area),
    atHits: alarms.map(({ share, threshold }, i) => ({
      truePositives: hits[i] as number,
      falsePositives: share,
      interval: intervalOf((swept) => swept.alarms[i]?.share as number),
      threshold,
    })),
    positives,
    negatives,
  };
}

/** Places by falling score, in runs of equal ones. */
interface Run {
  readonly score: number;
  readonly positives: readonly number[];
  readonly negatives: readonly number[];
}

function fallingScores(scores: ArrayLike<number>, positive: readonly boolean[]): Run[] {
  const order = positive
    .map((_, place) => place)
    .sort((a, b) => (scores[b] as number) - (scores[a] as number) || a - b);
  const runs: { score: number; positives: number[]; negatives: number[] }[] = [];
  for (const place of order) {
    const score = scores[place] as number;
    let run = runs.at(-1);
    if (run?.score !== score) runs.push((run = { score, positives: [], negatives: [] }));
    (positive[place] === true ? run.positives : run.negatives).push(place);
  }
  return runs;
}

function pointsOf(runs: readonly Run[], positives: number, negatives: number): RocPoint[] {
  const points: RocPoint[] = [{ threshold: null, truePositives: 0, falsePositives: 0 }];
  let [hits, alarms] = [0, 0];
  for (const run of runs) {
    hits += run.positives.length;
    alarms += run.negatives.length;
    points.push({ threshold: run.score, truePositives: hits / positives, falsePositives: alarms / negatives });
  }
  return points;
}

interface Swept {
  readonly area: number;
  /** By share of hits. */
  readonly alarms: readonly { readonly share: number; readonly threshold: number }[];
}

/** The figures where every place counts so often, in whole numbers. */
function sweep(runs: readonly Run[], counts: Float64Array, hits: readonly number[]): Swept {
  const weight = (places: readonly number[]): number =>
    places.reduce((sum, place) => sum + (counts[place] as number), 0);
  const [found, alarmed] = [[0], [0]];
  for (const { positives, negatives } of runs) {
    found.push((found.at(-1) as number) + weight(positives));
    alarmed.push((alarmed.at(-1) as number) + weight(negatives));
  }
  const [all, others] = [found.at(-1) as number, alarmed.at(-1) as number];
  let area = 0;
  for (let i = 1; i < found.length; i++) {
    const [before, now] = [alarmed[i - 1] as number, alarmed[i] as number];
    area += ((found[i] as number) - (found[i - 1] as number)) * (others - (before + now) / 2);
  }
  return {
    area: area / (all * others),
    alarms: hits.map((share) => {
      // .9 of 10 are 9, whatever .9 is in binary.
      const needed = Math.max(1, Math.ceil(share * all - 1e-9));
      const at = found.findIndex((count) => count >= needed);
      return { share: (alarmed[at] as number) / others, threshold: runs[at - 1]?.score as number };
    }),
  };
}

/** Clusters with positives alone, with negatives alone and with both, as places of their values. */
function strataOf(members: readonly (readonly number[])[], positive: readonly boolean[]): (readonly number[])[][] {
  const kind = (places: readonly number[]): number =>
    places.every((place) => positive[place]) ? 0 : places.some((place) => positive[place]) ? 2 : 1;
  return [0, 1, 2].map((each) => members.filter((places) => kind(places) === each));
}

/** How often every place counts in a draw. */
function countsOf(strata: readonly (readonly number[])[][], places: number, seed: number, draw: number): Float64Array {
  const counts = new Float64Array(places);
  strata.forEach((clusters, stratum) => {
    for (const drawn of drawAgain(clusters.length, seed, strata.length * draw + stratum))
      for (const place of clusters[drawn] ?? []) counts[place] = (counts[place] as number) + 1;
  });
  return counts;
}
