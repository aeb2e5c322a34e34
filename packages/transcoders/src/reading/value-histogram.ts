// Histograms of what features fire with, and quantiles from them.
import type { FeatureTally } from './feature-tally.js';

/** Bins that are counted for each one that is shown: what quantiles are exact to. */
export const FINER = 8;

/** Counts of values above 0 in equal bins from 0 to each feature's greatest. */
export class ValueHistograms {
  readonly #counts: Uint32Array;
  readonly #fine: number;

  constructor(
    private readonly tally: FeatureTally,
    /** Bins that are shown. */
    private readonly bins: number,
  ) {
    this.#fine = FINER * bins;
    this.#counts = new Uint32Array(tally.features * this.#fine);
  }

  /** Takes one activation above 0. */
  offer(feature: number, value: number): void {
    const bin = Math.min(this.#fine - 1, Math.floor((value / this.tally.max(feature)) * this.#fine));
    const at = feature * this.#fine + bin;
    this.#counts[at] = (this.#counts[at] as number) + 1;
  }

  /** Firings by bin. */
  of(feature: number): number[] {
    const first = feature * this.#fine;
    return Array.from({ length: this.bins }, (_, bin) =>
      this.#counts.subarray(first + bin * FINER, first + (bin + 1) * FINER).reduce((sum, count) => sum + count, 0),
    );
  }

  /** The value that a share of the firings does not exceed: within the width of a counted bin, max / (8 · bins). */
  quantile(feature: number, share: number): number {
    const { tally } = this;
    const [fired, max] = [tally.fired(feature), tally.max(feature)];
    if (fired === 0) return 0;
    const wanted = share * fired;
    const first = feature * this.#fine;
    let below = 0;
    for (let bin = 0; bin < this.#fine; bin++) {
      const count = this.#counts[first + bin] as number;
      if (count > 0 && below + count >= wanted) {
        const value = ((bin + (wanted - below) / count) / this.#fine) * max;
        return Math.min(max, Math.max(tally.leastFiring(feature), value));
      }
      below += count;
    }
    return max;
  }
}
