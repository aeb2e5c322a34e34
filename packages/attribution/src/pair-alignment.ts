// Shows token by token where two prompts part: an alignment by the fewest edits, the first difference marked, and what would mend it.

/**
 * What is needed to show tokens as text.
 * @inline
 */
interface Shower {
  decode(ids: readonly number[]): string;
}

/** Two columns of tokens side by side: `→` at the first difference, `≠` where they differ, and `·` where one has none. */
export function describeMismatch(clean: readonly number[], corrupted: readonly number[], tokenizer?: Shower): string {
  return [
    `the clean prompt has ${clean.length} tokens and the corrupted one ${corrupted.length}:`,
    ...sideBySide(clean, corrupted, tokenizer),
  ].join('\n');
}

/** The lines of {@link describeMismatch} below its first: a header, and the rows within two of a difference. */
export function sideBySide(clean: readonly number[], corrupted: readonly number[], tokenizer?: Shower): string[] {
  const show = (id: number | undefined): string =>
    id === undefined ? '·' : tokenizer ? `${id} ${JSON.stringify(tokenizer.decode([id]))}` : String(id);
  const rows = align(clean, corrupted).map(([a, b]) => ({ left: show(a), right: show(b), same: a === b }));
  const width = Math.max('clean'.length, ...rows.map(({ left }) => left.length));
  const first = rows.findIndex(({ same }) => !same);
  const lines = rows.map(
    ({ left, right, same }, i) => `${i === first ? '→' : ' '} ${same ? ' ' : '≠'} ${left.padEnd(width)}  ${right}`,
  );
  return [
    `    ${'clean'.padEnd(width)}  corrupted`,
    ...shortened(
      lines,
      rows.map(({ same }) => !same),
    ),
  ];
}

/** What would give both prompts the same number of tokens; undefined where they have it. Without a tokenizer tokens are named by their ids. */
export function suggestAlignment(
  clean: readonly number[],
  corrupted: readonly number[],
  tokenizer?: Shower,
): string | undefined {
  if (clean.length === corrupted.length) return undefined;
  const uneven = differences(align(clean, corrupted)).find(({ a, b }) => a.length !== b.length);
  if (uneven === undefined) return undefined;
  const { a, b } = uneven;
  const text = (ids: readonly number[]): string => (tokenizer ? tokenizer.decode(ids) : ids.join(' '));
  const named = (ids: readonly number[]): string => JSON.stringify(text(ids));
  const tokens = (ids: readonly number[]): string => `${ids.length} ${ids.length === 1 ? 'token' : 'tokens'}`;
  if (a.length === 0)
    return `take ${named(b)} (${tokens(b)}) out of the corrupted prompt, or put as much into the clean one.`;
  if (b.length === 0)
    return `take ${named(a)} (${tokens(a)}) out of the clean prompt, or put as much into the corrupted one.`;
  if (tokenizer && text(a).trim() === text(b).trim() && text(a) !== text(b))
    return `${named(a)} and ${named(b)} differ only in spaces: write both alike.`;
  return `${named(b)} is ${tokens(b)} where ${named(a)} is ${tokens(a)}: choose words of equally many tokens.`;
}

/** Runs of rows that differ: what either prompt has there. */
function differences(
  rows: readonly (readonly [number | undefined, number | undefined])[],
): { readonly a: readonly number[]; readonly b: readonly number[] }[] {
  const runs: { a: number[]; b: number[] }[] = [];
  for (const [i, [a, b]] of rows.entries()) {
    if (a === b) continue;
    const [before, beside] = rows[i - 1] ?? [];
    if (i === 0 || before === beside) runs.push({ a: [], b: [] });
    const run = runs.at(-1) as { a: number[]; b: number[] };
    if (a !== undefined) run.a.push(a);
    if (b !== undefined) run.b.push(b);
  }
  return runs;
}

/** Pairs of tokens; a gap on one side is undefined. Substitutions are kept in one row. */
export function align(a: readonly number[], b: readonly number[]): [number | undefined, number | undefined][] {
  const n = a.length;
  const m = b.length;
  // cost[i][j]: fewest edits (insert, delete, substitute) that turn a[i…] into b[j…].
  const cost = Array.from({ length: n + 1 }, () => new Uint32Array(m + 1));
  const at = (i: number, j: number): number => cost[i]?.[j] ?? 0;
  for (let i = n; i >= 0; i--)
    for (let j = m; j >= 0; j--) {
      const row = cost[i] as Uint32Array;
      if (i === n || j === m) row[j] = n - i + (m - j);
      else row[j] = Math.min(at(i + 1, j + 1) + (a[i] === b[j] ? 0 : 1), at(i + 1, j) + 1, at(i, j + 1) + 1);
    }
  const rows: [number | undefined, number | undefined][] = [];
  for (let i = 0, j = 0; i < n || j < m;) {
    if (i < n && j < m && at(i, j) === at(i + 1, j + 1) + (a[i] === b[j] ? 0 : 1)) rows.push([a[i++], b[j++]]);
    else if (i < n && at(i, j) === at(i + 1, j) + 1) rows.push([a[i++], undefined]);
    else rows.push([undefined, b[j++]]);
  }
  return rows;
}

/** Keeps the lines within two of a difference; the rest becomes `…`. */
function shortened(lines: readonly string[], different: readonly boolean[]): string[] {
  const kept = lines.map((_, i) => different.slice(Math.max(0, i - 2), i + 3).includes(true));
  return lines.flatMap((line, i) => (kept[i] ? [line] : i === 0 || kept[i - 1] ? ['    …'] : []));
}
