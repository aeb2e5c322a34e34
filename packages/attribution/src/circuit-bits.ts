// The edges of a circuit as bits, 32 to a word: two of hundreds of thousands of edges are compared in a few thousand steps.
import type { Circuit } from './circuit.js';

/** The edges of a circuit by dense index. */
export class CircuitBits {
  readonly #words: Uint32Array;
  readonly #size: number;

  constructor(circuit: Circuit) {
    const mask = circuit.mask();
    this.#words = new Uint32Array(Math.ceil(mask.length / 32));
    for (let i = 0; i < mask.length; i++)
      if (mask[i]) this.#words[i >>> 5] = (this.#words[i >>> 5] as number) | (1 << (i & 31));
    this.#size = circuit.edgeCount;
  }

  has(edge: number): boolean {
    return (((this.#words[edge >>> 5] as number) >>> (edge & 31)) & 1) === 1;
  }

  /** |A ∩ B| / |A ∪ B| with a set of the same graph; 1 where both are empty. */
  jaccard(other: CircuitBits): number {
    let shared = 0;
    for (let w = 0; w < this.#words.length; w++)
      shared += bitsOf((this.#words[w] as number) & (other.#words[w] as number));
    const union = this.#size + other.#size - shared;
    return union === 0 ? 1 : shared / union;
  }
}

/** The bits that are set, counted in pairs, fours and eights at once. */
function bitsOf(word: number): number {
  const pairs = word - ((word >>> 1) & 0x55555555);
  const fours = (pairs & 0x33333333) + ((pairs >>> 2) & 0x33333333);
  return Math.imul((fours + (fours >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24;
}
