// Activations on the tokens around chosen examples, filled in by one more pass.
import type { FiringBlock } from './firing-blocks.js';
import type { TokenPlaces } from './token-places.js';

/** Activations at the 2·reach + 1 tokens around each of some examples. */
export class ExampleWindows {
  readonly #values: Float32Array;
  /** Of the examples in the order of their tokens. */
  readonly #features: Uint32Array;
  readonly #places: Uint32Array;

  /** `examples(f)` are the tokens of feature f, by number among the wanted. */
  constructor(
    private readonly tokens: TokenPlaces,
    features: number,
    examples: (feature: number) => readonly { readonly place: number }[],
    /** Tokens on each side. */
    readonly reach: number,
  ) {
    // One number for each pair, below 2⁵³ for 10¹¹ tokens of 65,536 features.
    const keys: number[] = [];
    for (let feature = 0; feature < features; feature++)
      for (const place of new Set(examples(feature).map((each) => each.place))) keys.push(place * features + feature);
    const order = Float64Array.from(keys).sort();
    this.#features = Uint32Array.from(order, (key) => key % features);
    this.#places = Uint32Array.from(order, (key) => Math.floor(key / features));
    this.#values = new Float32Array(order.length * (2 * reach + 1));
  }

  /** Takes what of a block lies around the examples in it. */
  add({ places, rowStarts, columns, values }: FiringBlock): void {
    const width = 2 * this.reach + 1;
    // Rows of a sequence follow one another, and so do the numbers of its tokens.
    for (let first = 0; first < places.length;) {
      const [, end] = this.#bounds(places[first] as number);
      let rows = first;
      while (rows < places.length && (places[rows] as number) < end) rows++;
      const [low, high] = [places[first] as number, places[rows - 1] as number];
      for (let e = this.#from(low); e < this.#places.length && (this.#places[e] as number) <= high; e++) {
        const place = this.#places[e] as number;
        const [from, to] = this.tokens.window(place, this.reach);
        for (let token = Math.max(from, low); token < to; token++) {
          const row = first + token - low;
          const found = indexIn(columns, this.#features[e] as number, rowStarts[row], rowStarts[row + 1]);
          if (found >= 0) this.#values[e * width + token - from] = values[found] as number;
        }
      }
      first = rows;
    }
  }

  /** The activations of an example, the first `count` of its window. */
  of(feature: number, place: number, count: number): number[] {
    let e = this.#from(place);
    while (this.#features[e] !== feature) e++;
    const first = e * (2 * this.reach + 1);
    return [...this.#values.subarray(first, first + count)];
  }

  #bounds(place: number): readonly [number, number] {
    const sequence = this.tokens.sequenceOf(place);
    return [this.tokens.starts[sequence] as number, this.tokens.starts[sequence + 1] as number];
  }

  /** The first example at this token or behind it. */
  #from(place: number): number {
    let [low, high] = [0, this.#places.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#places[middle] as number) < place) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

/** Where in [from, to) of a rising list a number stands, or −1. */
function indexIn(list: Uint32Array, wanted: number, from = 0, to = list.length): number {
  let [low, high] = [from, to];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((list[middle] as number) < wanted) low = middle + 1;
    else high = middle;
  }
  return low < to && list[low] === wanted ? low : -1;
}
