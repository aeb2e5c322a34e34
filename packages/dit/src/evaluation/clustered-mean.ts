// Means and paired differences with the intervals that other diffs would have given: what belongs to one diff is drawn again together. Field and Welsh 2007.
import { drawAgain, percentileInterval, type Interval } from '@limn/hooks';
import { expectAsMany, finiteValues, refuseValues } from './checked-values.js';

/** How an interval is drawn. */
export interface FigureOptions {
  /** Of every value the cluster that it belongs to, such as its diff: values of one are drawn together. Default: each value by itself. */
  readonly clusters?: readonly (number | string)[] | undefined;
  /** Default 0. The same seed draws the same clusters, whatever the values. */
  readonly seed?: number | undefined;
}

/** A mean and how far it would move with other clusters. */
export interface MeanFigure {
  readonly mean: number;
  /** 95 %, percentiles over a thousand draws of as many clusters; null for one cluster, of whose spread nothing is known. */
  readonly interval: Interval | null;
  readonly values: number;
  readonly clusters: number;
}

/**
 * The mean over values. In a draw it is Σ of sums / Σ of counts over the clusters drawn, so that large clusters count by their values.
 * @throws LimnError `data/evaluation` for no values, NaN, infinities and clusters that do not fit; `tensor/random` (seed)
 */
export function clusteredMean(values: ArrayLike<number>, { clusters, seed = 0 }: FigureOptions = {}): MeanFigure {
  finiteValues('Values of a mean', values);
  const members = clusterMembers(values.length, clusters);
  const sums = members.map((places) => places.reduce((sum, place) => sum + (values[place] as number), 0));
  const mean = (drawn: readonly number[]): number => {
    let [sum, count] = [0, 0];
    for (const cluster of drawn) {
      sum += sums[cluster] as number;
      count += members[cluster]?.length ?? 0;
    }
    return sum / count;
  };
  const n = members.length;
  return {
    mean: mean([...members.keys()]),
    interval: n < 2 ? null : percentileInterval((draw) => mean(drawAgain(n, seed, draw))),
    values: values.length,
    clusters: n,
  };
}

/**
 * The mean of values from 0 to 1, such as hits. Where all are 0 or all are 1, draws of them show no spread, and the interval is that of Clopper and Pearson (1934) for as many clusters, each one
 * trial: [0, 1 − .025^(1/n)] or [.025^(1/n), 1].
 * @throws LimnError `data/evaluation` as `clusteredMean` and for values outside; `tensor/random` (seed)
 */
export function clusteredShare(values: ArrayLike<number>, options: FigureOptions = {}): MeanFigure {
  const figure = clusteredMean(values, options);
  const odd = Array.from(values).find((value) => value < 0 || value > 1);
  if (odd !== undefined) throw refuseValues('A share', odd, 'values from 0 to 1');
  const { mean, interval, clusters } = figure;
  if (interval === null || (mean !== 0 && mean !== 1)) return figure;
  const end = 0.025 ** (1 / clusters);
  return { ...figure, interval: mean === 0 ? [0, 1 - end] : [end, 1] };
}

/**
 * The mean of `values[i] − others[i]`: of two methods on the same questions, whose intervals apart would be too wide for what they differ by.
 * @throws LimnError `data/evaluation` as `clusteredMean` and for lists of different lengths; `tensor/random` (seed)
 */
export function pairedDifference(
  values: ArrayLike<number>,
  others: ArrayLike<number>,
  options: FigureOptions = {},
): MeanFigure {
  finiteValues('Values of a difference', values);
  finiteValues('Values to compare with', others);
  expectAsMany('the values to compare with', others, values.length);
  return clusteredMean(
    Float64Array.from(values, (value, i) => value - (others[i] as number)),
    options,
  );
}

/**
 * Places of the values of every cluster, clusters in the order in which they come.
 * @throws LimnError `data/evaluation` for clusters of another number of values
 */
export function clusterMembers(count: number, clusters: FigureOptions['clusters']): number[][] {
  if (clusters === undefined) return Array.from({ length: count }, (_, place) => [place]);
  expectAsMany('the list of clusters', clusters, count);
  const members = new Map<number | string, number[]>();
  clusters.forEach((cluster, place) => {
    const known = members.get(cluster);
    if (known) known.push(place);
    else members.set(cluster, [place]);
  });
  return [...members.values()];
}
