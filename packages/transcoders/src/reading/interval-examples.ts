// Examples at equal steps of activation: 50 values from the least to the most, of each the nearest token, in five bands. Dunefsky et al. 2024.
import type { FeatureTally } from './feature-tally.js';

/** Values that examples are looked for at. */
export const TARGETS = 50;
/** Bands of equal width from the least value to the most; a fifth of the targets each. */
export const BANDS = 5;
const GAPS = TARGETS - 1;
const PER_BAND = TARGETS / BANDS;

/** One of the examples. */
export interface NearestToken {
  readonly value: number;
  readonly place: number;
}

/** A fifth of the range. */
export interface ValueBand {
  readonly from: number;
  readonly to: number;
  /** Scored tokens whose value lies in it. */
  readonly tokens: number;
  /** Of rising targets; a token stands at the target that it is nearest to. */
  readonly examples: readonly NearestToken[];
}

/**
 * Between neighbouring targets only the least and the greatest value can be nearest to one, so that those two are all that is kept: 49
 * pairs a feature. Values that are equal count once, by the token with the lower number.
 */
export class IntervalExamples {
  /** [features, gap, least | greatest] */
  readonly #values: Float32Array;
  readonly #places: Uint32Array;
  readonly #filled: Uint8Array;
  readonly #bands: Uint32Array;

  constructor(private readonly tally: FeatureTally) {
    const { features } = tally;
    this.#values = new Float32Array(features * GAPS * 2);
    this.#places = new Uint32Array(features * GAPS * 2);
    this.#filled = new Uint8Array(features * GAPS);
    this.#bands = new Uint32Array(features * BANDS);
    // Where a feature is silent, one token stands for all that are.
    for (let f = 0; f < features; f++) {
      const silent = tally.tokens - tally.fired(f);
      if (silent > 0 && tally.fired(f) > 0) this.#take(f, 0, tally.silentPlace(f), silent, true);
    }
  }

  /** Takes one activation above 0, which may be counted alone. */
  offer(feature: number, value: number, place: number, isExample: boolean): void {
    this.#take(feature, value, place, 1, isExample);
  }

  /** The bands of a feature that fires; none of one that does not. */
  of(feature: number): readonly ValueBand[] {
    const { tally } = this;
    if (tally.fired(feature) === 0) return [];
    const [min, max] = [tally.min(feature), tally.max(feature)];
    const chosen = new Map<number, { readonly target: number; readonly distance: number; readonly place: number }>();
    for (let target = 0; target < TARGETS; target++) {
      const aim = min + (target * (max - min)) / GAPS;
      const { value, place } = this.#nearest(feature, target, aim);
      const distance = Math.abs(value - aim);
      const before = chosen.get(value);
      if (!before || distance < before.distance) chosen.set(value, { target, distance, place });
    }
    const list = [...chosen].sort(([, a], [, b]) => a.target - b.target);
    return Array.from({ length: BANDS }, (_, band) => ({
      from: min + (band * (max - min)) / BANDS,
      to: min + ((band + 1) * (max - min)) / BANDS,
      tokens: this.#bands[feature * BANDS + band] as number,
      examples: list
        .filter(([, { target }]) => Math.floor(target / PER_BAND) === band)
        .map(([value, { place }]) => ({ value, place })),
    }));
  }

  #take(feature: number, value: number, place: number, tokens: number, isExample: boolean): void {
    const [min, max] = [this.tally.min(feature), this.tally.max(feature)];
    const share = max > min ? (value - min) / (max - min) : 0;
    const band = feature * BANDS + Math.min(BANDS - 1, Math.floor(share * BANDS));
    this.#bands[band] = (this.#bands[band] as number) + tokens;
    if (!isExample) return;
    const gap = feature * GAPS + Math.min(GAPS - 1, Math.floor(share * GAPS));
    const [least, greatest] = [2 * gap, 2 * gap + 1];
    const isFirst = this.#filled[gap] === 0;
    this.#filled[gap] = 1;
    const put = (i: number, beyond: boolean): void => {
      const same = value === this.#values[i] && place < (this.#places[i] as number);
      if (!isFirst && !beyond && !same) return;
      this.#values[i] = value;
      this.#places[i] = place;
    };
    put(least, value < (this.#values[least] as number));
    put(greatest, value > (this.#values[greatest] as number));
  }

  /** Of equally near ones the token with the lower number. */
  #nearest(feature: number, target: number, aim: number): NearestToken {
    const first = feature * GAPS;
    const at = (i: number): NearestToken => ({
      value: this.#values[i] as number,
      place: this.#places[i] as number,
    });
    let below: NearestToken | undefined;
    for (let gap = Math.min(target, GAPS) - 1; gap >= 0 && !below; gap--)
      if (this.#filled[first + gap]) below = at(2 * (first + gap) + 1);
    let above: NearestToken | undefined;
    for (let gap = target; gap < GAPS && !above; gap++) if (this.#filled[first + gap]) above = at(2 * (first + gap));
    if (!below || !above) return (below ?? above) as NearestToken;
    const [under, over] = [Math.abs(below.value - aim), Math.abs(above.value - aim)];
    return under < over || (under === over && below.place < above.place) ? below : above;
  }
}
