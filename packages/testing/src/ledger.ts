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

/** All checks of one kernel in one variant. */
export interface LedgerRow {
  /** 'gelu_forward', or 'gelu_forward[f16]' where there are variants. */
  readonly kernel: string;
  readonly cases: number;
  readonly elements: number;
  /** Largest error / bound, and where it was. */
  readonly ratio: number;
  readonly worst: string;
}

/** One row per kernel and variant, by name. */
export function ledgerRows(entries: readonly LedgerEntry[]): LedgerRow[] {
  const groups = new Map<string, LedgerEntry[]>();
  for (const entry of entries) {
    const name = entry.variant === '' ? entry.kernel : `${entry.kernel}[${entry.variant}]`;
    groups.set(name, [...(groups.get(name) ?? []), entry]);
  }
  return [...groups]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([kernel, group]) => {
      const worst = group.reduce((a, b) => (b.ratio > a.ratio ? b : a));
      const elements = group.reduce((sum, entry) => sum + entry.elements, 0);
      return { kernel, cases: group.length, elements, ratio: worst.ratio, worst: worst.case };
    });
}

/** The table that `npm run kernels` prints: cases and largest error / bound per kernel and variant, and the totals. */
export function printLedger(
  entries: readonly LedgerEntry[] = kernelLedger,
  print: (line: string) => void = console.log,
): void {
  const rows = ledgerRows(entries);
  const width = Math.max(6, ...rows.map(({ kernel }) => kernel.length));
  print(`${'kernel'.padEnd(width)}  cases   elements  error/bound  worst case`);
  for (const { kernel, cases, elements, ratio, worst } of rows)
    print(
      `${kernel.padEnd(width)}  ${String(cases).padStart(5)}  ${String(elements).padStart(9)}  ${ratio.toFixed(3).padStart(11)}  ${worst}`,
    );
  const largest = entries.reduce((top, entry) => Math.max(top, entry.ratio), 0);
  print(`${entries.length} cases of ${rows.length} kernel variants, largest error/bound ${largest.toFixed(3)}`);
}
