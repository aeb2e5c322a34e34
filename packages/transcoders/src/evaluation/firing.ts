// How often features fire: L0, the share that never does, and a histogram of the logarithm of the frequency.

/** Of a dictionary's features over some tokens. */
export interface FiringFigures {
  /** Mean over tokens of #{i : a_i > 0}. */
  readonly l0: number;
  /** Share of features that fired on no token. */
  readonly deadShare: number;
  /** Features with log₁₀ frequency > −4. */
  readonly live: number;
  /** Features by log₁₀ of their frequency; those that never fired are in none of the bins. */
  readonly histogram: readonly { readonly from: number; readonly to: number; readonly features: number }[];
}

/** A feature counts as live above this log₁₀ of its frequency. */
const LIVE = -4;
/** Width of a bin, in powers of ten, and the lowest edge. */
const BIN = 0.5;
const LOWEST = -7;

/** The figures of features that fired on `fired` [F] of `tokens` tokens. */
export function firingFigures(fired: ArrayLike<number>, tokens: number): FiringFigures {
  const counts = Array.from(fired);
  const exponents = counts.filter((count) => count > 0).map((count) => Math.log10(count / tokens));
  const bins = Array.from({ length: -LOWEST / BIN }, () => 0);
  for (const exponent of exponents) {
    const bin = Math.min(bins.length - 1, Math.max(0, Math.floor((exponent - LOWEST) / BIN)));
    bins[bin] = (bins[bin] as number) + 1;
  }
  return {
    l0: counts.reduce((sum, count) => sum + count, 0) / tokens,
    deadShare: (counts.length - exponents.length) / counts.length,
    live: exponents.filter((exponent) => exponent > LIVE).length,
    histogram: bins.map((features, bin) => ({
      from: LOWEST + bin * BIN,
      to: LOWEST + (bin + 1) * BIN,
      features,
    })),
  };
}
