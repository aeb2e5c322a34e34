// Draws from one stream of the counter-based generator: whole numbers, picks and subsets that depend on seed and stream alone.
import { randomU32 } from '@limn/tensor';

/** A sequence of draws. The same seed and stream give the same sequence on every machine. */
export class RandomDraws {
  readonly #seed: number;
  readonly #stream: number;
  #index = 0;

  /** `seed` is a whole number below 2⁵³, `stream` a u32. Refused at the first draw as `tensor/random` when they are not. */
  constructor(seed: number, stream = 0) {
    this.#seed = seed;
    this.#stream = stream;
  }

  /** Uniform on [0, 1), 32 bits. */
  uniform(): number {
    return randomU32(this.#seed, this.#stream, this.#index++) / 2 ** 32;
  }

  /** A whole number in [0, count); bias below count · 2⁻³². */
  below(count: number): number {
    return Math.floor(this.uniform() * count);
  }

  /** One of the items. */
  pick<T>(items: readonly T[]): T {
    return items[this.below(items.length)] as T;
  }

  /** `count` of the items, none twice, in the order in which they were drawn. */
  subset<T>(items: readonly T[], count: number): T[] {
    const left = [...items];
    return Array.from({ length: Math.min(count, left.length) }, (_, i) => {
      const j = i + this.below(left.length - i);
      [left[i], left[j]] = [left[j] as T, left[i] as T];
      return left[i] as T;
    });
  }
}
