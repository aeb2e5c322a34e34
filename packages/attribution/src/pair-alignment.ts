// Shows token by token where two prompts of different length part: an alignment by longest common subsequence.

/**
 * What is needed to show tokens as text.
 * @inline
 */
interface Shower {
  decode(ids: readonly number[]): string;
}

/** Two columns of tokens side by side, `≠` where they differ and `·` where one has none. */
export function describeMismatch(clean: readonly number[], corrupted: readonly number[], tokenizer?: Shower): string {
  const show = (id: number | undefined): string =>
    id === undefined ? '·' : tokenizer ? `${id} ${JSON.stringify(tokenizer.decode([id]))}` : String(id);
  const rows = align(clean, corrupted).map(([a, b]) => ({ left: show(a), right: show(b), same: a === b }));
  const width = Math.max('clean'.length, ...rows.map(({ left }) => left.length));
  const lines = rows.map(({ left, right, same }) => `  ${same ? ' ' : '≠'} ${left.padEnd(width)}  ${right}`);
  return [
    `the clean prompt has ${clean.length} tokens and the corrupted one ${corrupted.length}:`,
    `    ${'clean'.padEnd(width)}  corrupted`,
    ...shortened(
      lines,
      rows.map(({ same }) => !same),
    ),
  ].join('\n');
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
