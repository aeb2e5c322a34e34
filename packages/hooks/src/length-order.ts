// The order of work on prompts of many lengths: a step pads its prompts to the longest of them, so only like lengths share one, and how many fit is known from one step to the next.

/** Longest over shortest prompt of a step, at most: what padding may cost. */
const ALIKE = 1.5;

/**
 * The places of all lengths in buckets of like length, the longest first, so that what does not fit at all is refused before
 * anything ran; equal lengths in their order. Depends on nothing but the lengths.
 */
export function lengthBuckets(lengths: readonly number[]): number[][] {
  const lengthAt = (place: number): number => lengths[place] as number;
  const order = [...lengths.keys()].sort((a, b) => lengthAt(b) - lengthAt(a) || a - b);
  const buckets: number[][] = [];
  let longest = Number.POSITIVE_INFINITY;
  for (const place of order) {
    if (lengthAt(place) * ALIKE < longest) {
      longest = lengthAt(place);
      buckets.push([]);
    }
    buckets.at(-1)?.push(place);
  }
  return buckets;
}

/** Places in the order of what they are places of. */
export function inOrder(places: readonly number[]): number[] {
  return [...places].sort((a, b) => a - b);
}

/** How many units one step holds, from those that fitted before: bytes are taken to grow with count × size of a unit. */
export class FittingCount {
  readonly #most: number;
  #product = Number.POSITIVE_INFINITY;

  constructor(most: number) {
    this.#most = most;
  }

  /** How many units of this size to try. */
  at(size: number): number {
    return Math.max(1, Math.min(this.#most, Math.floor(this.#product / size)));
  }

  /** Of `wanted` units only `count` fitted. */
  learn(size: number, count: number, wanted: number): void {
    if (count < wanted) this.#product = count * size;
  }
}
