// How long prompts are: a histogram by their number of tokens.

/** How many pairs have how many tokens. */
export interface TokenLength {
  readonly tokens: number;
  readonly pairs: number;
}

/** Of prompts' numbers of tokens, how often each occurs, rising. */
export function tokenLengths(lengths: Iterable<number>): TokenLength[] {
  const counts = new Map<number, number>();
  for (const tokens of lengths) counts.set(tokens, (counts.get(tokens) ?? 0) + 1);
  return [...counts].sort(([a], [b]) => a - b).map(([tokens, pairs]) => ({ tokens, pairs }));
}
