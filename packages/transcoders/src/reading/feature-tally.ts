// How often and how strongly features fire: counts, ranges, and a token on which each is silent.
import type { FiringBlock } from './firing-blocks.js';

/** Running figures of features over `tokens` tokens; the order in which blocks come makes no difference. */
export class FeatureTally {
  readonly #fired: Uint32Array;
  readonly #most: Float32Array;
  readonly #least: Float32Array;
  readonly #silent: Float64Array;
  /** Rows of a block in a row, from its first, on which a feature fires. */
  readonly #leading: Uint32Array;

  constructor(
    readonly features: number,
    readonly tokens: number,
  ) {
    this.#fired = new Uint32Array(features);
    this.#most = new Float32Array(features);
    this.#least = new Float32Array(features).fill(Infinity);
    this.#silent = new Float64Array(features).fill(Infinity);
    this.#leading = new Uint32Array(features);
  }

  /** Counts a block. */
  add({ places, rowStarts, columns, values }: FiringBlock): void {
    this.#leading.fill(0);
    for (let row = 0; row < places.length; row++)
      for (let e = rowStarts[row] as number; e < (rowStarts[row + 1] as number); e++) {
        const f = columns[e] as number;
        const value = values[e] as number;
        this.#fired[f] = (this.#fired[f] as number) + 1;
        if (value > (this.#most[f] as number)) this.#most[f] = value;
        if (value < (this.#least[f] as number)) this.#least[f] = value;
        if (this.#leading[f] === row) this.#leading[f] = row + 1;
      }
    for (let f = 0; f < this.features; f++) {
      const row = this.#leading[f] as number;
      const place = places[row];
      if (place !== undefined && place < (this.#silent[f] as number)) this.#silent[f] = place;
    }
  }

  /** On how many tokens it fires. */
  fired(feature: number): number {
    return this.#fired[feature] as number;
  }

  /** The greatest activation, 0 of a feature that never fires. */
  max(feature: number): number {
    return this.#most[feature] as number;
  }

  /** The least activation over all tokens: 0 where it is silent anywhere. */
  min(feature: number): number {
    return this.fired(feature) < this.tokens ? 0 : this.leastFiring(feature);
  }

  /** The least activation above 0, Infinity of a feature that never fires. */
  leastFiring(feature: number): number {
    return this.#least[feature] as number;
  }

  /** The first token on which it is silent. */
  silentPlace(feature: number): number {
    return this.#silent[feature] as number;
  }
}
