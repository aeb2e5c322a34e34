// The process-wide record of kernel checks: kernel, variant, case and error relative to its bound.

/** One comparison of one output of one kernel or op. */
export interface LedgerEntry {
  readonly kernel: string;
  /** For example 'f16,subgroup', or '' when there is only one. */
  readonly variant: string;
  readonly case: string;
  /** Largest |got − expected| / bound over the elements; above 1 is a failure. */
  readonly ratio: number;
  readonly elements: number;
}

const key = Symbol.for('limn.testing.ledger');
const store = globalThis as { [key]?: LedgerEntry[] };

/** Every check of this process so far. */
export const kernelLedger: LedgerEntry[] = (store[key] ??= []);

/** Adds a check; with LIMN_LEDGER=path it is appended to that file too, one JSON line each, so that processes can be added up. */
export function recordCase(entry: LedgerEntry): void {
  kernelLedger.push(entry);
  const path = typeof process === 'undefined' ? undefined : process.env['LIMN_LEDGER'];
  if (path) files().appendFileSync(path, `${JSON.stringify(entry)}\n`);
}

/** Node's file functions, reached without an import so that this file also loads in browsers. */
function files(): typeof import('node:fs') {
  return process.getBuiltinModule('node:fs');
}

/** Reads a file written through LIMN_LEDGER. */
export function readLedger(path: string): LedgerEntry[] {
  return files()
    .readFileSync(path, 'utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as LedgerEntry);
}

/** The table that `npm run kernels` prints: cases and largest error / bound per kernel and variant, and the totals. */
export function printLedger(
  entries: readonly LedgerEntry[] = kernelLedger,
  print: (line: string) => void = console.log,
): void {
  const groups = new Map<string, LedgerEntry[]>();
  for (const entry of entries) {
    const name = entry.variant === '' ? entry.kernel : `${entry.kernel}[${entry.variant}]`;
    groups.set(name, [...(groups.get(name) ?? []), entry]);
  }
  const width = Math.max(6, ...[...groups.keys()].map((name) => name.length));
  print(`${'kernel'.padEnd(width)}  cases   elements  error/bound  worst case`);
  for (const [name, group] of [...groups].sort(([a], [b]) => (a < b ? -1 : 1))) {
    const worst = group.reduce((a, b) => (b.ratio > a.ratio ? b : a));
    const elements = group.reduce((sum, entry) => sum + entry.elements, 0);
    print(
      `${name.padEnd(width)}  ${String(group.length).padStart(5)}  ${String(elements).padStart(9)}  ${worst.ratio.toFixed(3).padStart(11)}  ${worst.case}`,
    );
  }
  const largest = entries.reduce((top, entry) => Math.max(top, entry.ratio), 0);
  print(`${entries.length} cases of ${groups.size} kernel variants, largest error/bound ${largest.toFixed(3)}`);
}
