// Which of several measured candidates is taken: the rule's own, unless another one is faster by more than noise.

/** A candidate has to take less than this part of the rule's time, so that noise does not change plans, and with them last bits. */
export const CLEARLY = 0.9;
/** And has to be the faster one in at least this part of the rounds. */
const MOSTLY = 0.8;

/** The median; the mean of the middle two where there are two. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length / 2;
  const upper = sorted[Math.floor(middle)] ?? Number.NaN;
  return Number.isInteger(middle) ? ((sorted[middle - 1] ?? Number.NaN) + upper) / 2 : upper;
}

/** The candidate to take. `times` holds one time per round for each, the rule's first; round i of all was measured in turns. */
export function pickFastest(times: ReadonlyMap<string, readonly number[]>): string {
  const [[rule, own] = ['', []]] = times;
  let [best, least] = [rule, CLEARLY * median(own)];
  for (const [name, rounds] of times) {
    const faster = rounds.filter((time, i) => time < (own[i] as number)).length;
    if (name === rule || median(rounds) >= least || faster < MOSTLY * rounds.length) continue;
    [best, least] = [name, median(rounds)];
  }
  return best;
}
