// Which examples are one and the same: drawn again, copies of one example vary by nothing, which says nothing of other examples.
import type { Pair } from './pairs.js';

/** The ids of a pair as text: equal for pairs that are one and the same. */
export function pairKey({ clean, corrupted, correct, incorrect }: Pair): string {
  return JSON.stringify([clean, corrupted, correct, incorrect]);
}

/** How many of the pairs differ in their ids. */
export function distinctPairs(pairs: readonly Pair[]): number {
  return new Set(pairs.map(pairKey)).size;
}

/** Why resamples of these examples have no spread; undefined where two of them differ. */
export function whyNoSpread(examples: number, differ: boolean): string | undefined {
  if (examples === 1) return 'there is one example only, and drawn again it is the same one';
  return differ ? undefined : `the ${examples} examples are one and the same, and drawn again they stay so`;
}

/** Whether any of these rows, which belong together, has another value than its first. */
export function anyVaries(rows: readonly ArrayLike<number>[]): boolean {
  for (const row of rows) for (let i = 1; i < row.length; i++) if (row[i] !== row[0]) return true;
  return false;
}
