// The k strongest tokens of every feature, one for each context, from activations in any order.
import type { TokenPlaces } from './token-places.js';

/**
 * Of each feature the k largest values with their tokens; of equal values the token with the lower number. Of tokens in the same context
 * only the first by that order counts. What was seen in which order makes no difference: a context that was dropped had k others above
 * it, whose best only rise.
 */
export class TopExamples {
  readonly #values: Float32Array;
  readonly #places: Uint32Array;
  readonly #counts: Uint32Array;

  constructor(
    private readonly tokens: TokenPlaces,
    features: number,
    /** k */
    readonly most: number,
    /** Tokens on each side that make a context. */
    private readonly reach: number,
  ) {
    this.#values = new Float32Array(features * most);
    this.#places = new Uint32Array(features * most);
    this.#counts = new Uint32Array(features);
  }

  /** Takes one activation above 0. */
  offer(feature: number, value: number, place: number): void {
    const first = feature * this.most;
    const count = this.#counts[feature] as number;
    if (count === this.most && (count === 0 || !this.#isBefore(value, place, first + count - 1))) return;
    // Where what moves up for it ends: at the one of the same context, or at the list's end.
    let last = first + count;
    for (let i = first; i < first + count; i++)
      if (this.tokens.sameContext(place, this.#places[i] as number, this.reach)) {
        if (!this.#isBefore(value, place, i)) return;
        last = i;
        break;
      }
    if (last === first + count) {
      if (count < this.most) this.#counts[feature] = count + 1;
      else last--;
    }
    let i = last;
    for (; i > first && this.#isBefore(value, place, i - 1); i--) {
      this.#values[i] = this.#values[i - 1] as number;
      this.#places[i] = this.#places[i - 1] as number;
    }
    this.#values[i] = value;
    this.#places[i] = place;
  }

  /** The strongest first. */
  of(feature: number): readonly { readonly value: number; readonly place: number }[] {
    const first = feature * this.most;
    return Array.from({ length: this.#counts[feature] as number }, (_, i) => ({
      value: this.#values[first + i] as number,
      place: this.#places[first + i] as number,
    }));
  }

  #isBefore(value: number, place: number, i: number): boolean {
    const other = this.#values[i] as number;
    return value > other || (value === other && place < (this.#places[i] as number));
  }
}
