// Which of two kinds is better at a place, as far as the seeds say: better where every seed of one is at least as good as every seed of the other.

/** Of places: how many each side has, and in how many the seeds disagree. */
export interface Verdict {
  readonly first: number;
  readonly second: number;
  readonly undecided: number;
}

/** A pair of lists a place, of numbers of which less is better. */
export function verdict(pairs: readonly (readonly [readonly number[], readonly number[]])[]): Verdict {
  let [first, second] = [0, 0];
  for (const [a, b] of pairs) {
    if (Math.max(...a) <= Math.min(...b)) first++;
    else if (Math.max(...b) < Math.min(...a)) second++;
  }
  return { first, second, undecided: pairs.length - first - second };
}
