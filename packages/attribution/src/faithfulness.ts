// Normalised faithfulness f(C) = (m(C) − m(∅)) / (m(full) − m(∅)), the sizes it is read at, and the areas under its curve (MIB, arXiv 2504.13151).

/** f, or null with the reason why it does not exist. Not clipped: it may be below 0 or above 1. */
export interface Faithfulness {
  readonly value: number | null;
  readonly reason?: string;
}

/** `metric`, `clean` (full circuit) and `corrupted` (empty circuit) are means over the data set, taken first. */
export function normalisedFaithfulness(metric: number, clean: number, corrupted: number): Faithfulness {
  for (const [name, value] of Object.entries({ circuit: metric, clean, corrupted }))
    if (!Number.isFinite(value)) return { value: null, reason: `the ${name} metric is ${value}` };
  if (clean === corrupted)
    return { value: null, reason: `clean and corrupted runs score the same (${clean}): nothing to normalise by` };
  return { value: (metric - corrupted) / (clean - corrupted) };
}

/** MIB's ten sizes as fractions of the edges. */
export const MIB_PROPORTIONS = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1] as const;

/** One size of a curve. */
export interface CurveSize {
  /** Edges asked for, before pruning. */
  readonly n: number;
  /** n as MIB states it: a fraction of all edges. */
  readonly proportion: number;
  /** No edge at all: the circuit is the corrupted run. Happens on small graphs. */
  readonly zero: boolean;
  /** Equal to the size before it, so that the point adds nothing. Happens on small graphs. */
  readonly duplicate: boolean;
}

/** ⌊k · edges⌋ for MIB's proportions; 32,491 edges → 32, 64, 162, 324, 649, 1624, 3249, 6498, 16245, 32491. */
export function mibSizes(edgeCount: number): CurveSize[] {
  let last = -1;
  return MIB_PROPORTIONS.map((proportion) => {
    const n = Math.floor(proportion * edgeCount);
    const duplicate = n === last;
    last = n;
    return { n, proportion, zero: n === 0, duplicate };
  });
}

/** 1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48 … below the edge count, then the edge count: even steps on a log axis. */
export function headlineSizes(edgeCount: number): number[] {
  const sizes = [1, 2, 3];
  for (let power = 4; power < edgeCount; power *= 2) sizes.push(power, (power * 3) / 2);
  return [...sizes.filter((size) => size < edgeCount), edgeCount];
}

/** One evaluated size; f is null where it does not exist. */
export interface CurveValue {
  readonly n: number;
  readonly faithfulness: number | null;
}

/** CPR: trapezoid area under f over the proportions .001 … 1, linear axis (signed selection). null when some f is. */
export function cprArea(faithfulness: readonly (number | null)[]): number | null {
  return trapezoid(MIB_PROPORTIONS, faithfulness);
}

/** CMD: trapezoid area of |1 − f| over the same axis (absolute selection). 0 is perfect. */
export function cmdArea(faithfulness: readonly (number | null)[]): number | null {
  return trapezoid(
    MIB_PROPORTIONS,
    faithfulness.map((f) => (f === null ? null : Math.abs(1 - f))),
  );
}

/** Mean of f over ln n: trapezoid area on a log axis of sizes divided by its length, so that f ≡ 1 gives 1. */
export function logAxisArea(points: readonly CurveValue[]): number | null {
  const kept = points.filter(({ n }) => n > 0);
  const axis = kept.map(({ n }) => Math.log(n));
  const length = (axis.at(-1) ?? 0) - (axis[0] ?? 0);
  if (!(length > 0)) return null;
  const area = trapezoid(
    axis,
    kept.map(({ faithfulness }) => faithfulness),
  );
  return area === null ? null : area / length;
}

/** The smallest evaluated n with f ≥ threshold, or null when no evaluated size reaches it. */
export function smallestSize(points: readonly CurveValue[], threshold: number): number | null {
  const reaching = points.filter(({ faithfulness }) => faithfulness !== null && faithfulness >= threshold);
  return reaching.length === 0 ? null : Math.min(...reaching.map(({ n }) => n));
}

/** Σ ½ (x_{i+1} − x_i)(y_i + y_{i+1}); null when a y is missing. */
function trapezoid(x: readonly number[], y: readonly (number | null)[]): number | null {
  if (x.length !== y.length)
    throw new RangeError(`a curve over ${x.length} sizes needs as many values; given ${y.length}`);
  let area = 0;
  for (let i = 0; i + 1 < x.length; i++) {
    const left = y[i] ?? null;
    const right = y[i + 1] ?? null;
    if (left === null || right === null) return null;
    area += (((x[i + 1] ?? 0) - (x[i] ?? 0)) * (left + right)) / 2;
  }
  return area;
}
