// Wilson's interval of a share: what share of all a count of a sample speaks for. Wilson 1927.

/** A count with its share and the 95 % interval of that. */
export interface CountedShare {
  readonly count: number;
  /** NaN where nothing was counted. */
  readonly share: number;
  readonly low: number;
  readonly high: number;
}

/** The normal quantile of 97.5 %. */
const Z = 1.959_963_984_540_054;

/** (p + z²/2n ± z·√(p(1 − p)/n + z²/4n²)) / (1 + z²/n) of `count` in `total`. */
export function wilsonShare(count: number, total: number): CountedShare {
  if (total === 0) return { count, share: Number.NaN, low: 0, high: 1 };
  const p = count / total;
  const zz = Z ** 2 / total;
  const middle = (p + zz / 2) / (1 + zz);
  const half = (Z * Math.sqrt((p * (1 - p)) / total + zz / (4 * total))) / (1 + zz);
  // None and all of a sample reach the ends exactly.
  return {
    count,
    share: p,
    low: count === 0 ? 0 : Math.max(0, middle - half),
    high: count === total ? 1 : Math.min(1, middle + half),
  };
}
