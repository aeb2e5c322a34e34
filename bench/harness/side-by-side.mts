// Several runs of the benches in one table, job by job: two dates of one adapter, or adapters of different vendors. Runs in Node and in browsers.
import { adapterTitle, type BenchRecord } from './record.mjs';
import { digits, duration, percent, times } from './text.mjs';

export interface SideBySide {
  /** A name per run: its adapter, with the date where one adapter is there twice. */
  readonly titles: readonly string[];
  readonly ceilings: readonly SideBySideRow[];
  readonly jobs: readonly SideBySideRow[];
}

export interface SideBySideRow {
  readonly name: string;
  readonly unit: string;
  /** A cell per run; undefined where it has no such row. */
  readonly cells: readonly (SideBySideCell | undefined)[];
}

export interface SideBySideCell {
  readonly text: string;
  /** Share of the ceiling, and how it compares with the first run. */
  readonly note: string;
  /** How many times faster than the first run that has this row: its time over this one's. 1 for that run itself. */
  readonly faster: number;
  /** Whether the difference from the first is more than both spreads: their quartiles do not meet. */
  readonly clear: boolean;
}

/** Rows in the order of the first run, then what only others have. */
export function sideBySide(records: readonly BenchRecord[]): SideBySide {
  const names = records.map(({ adapter }) => adapterTitle(adapter));
  const titles = records.map(({ date }, i) =>
    names.filter((name) => name === names[i]).length > 1
      ? `${names[i]}, ${date.slice(0, 16).replace('T', ' ')}`
      : names[i]!,
  );
  const union = (of: (record: BenchRecord) => readonly { readonly name: string }[]): string[] => [
    ...new Set(records.flatMap((record) => of(record).map(({ name }) => name))),
  ];
  return {
    titles,
    ceilings: union(({ ceilings }) => ceilings).map((name) => {
      const all = records.map(({ ceilings }) => ceilings.find((each) => each.name === name));
      const first = all.find((each) => each !== undefined)!;
      return {
        name,
        unit: first.unit,
        cells: all.map((each) => {
          if (!each) return undefined;
          const faster = each.unit === 'µs' ? first.value / each.value : each.value / first.value;
          return {
            text: digits(each.value),
            note: each === first ? '' : times(faster),
            faster,
            clear: Math.abs(Math.log(faster)) > 0.1,
          };
        }),
      };
    }),
    jobs: union(({ jobs }) => jobs).map((name) => {
      const all = records.map(({ jobs }) => jobs.find((each) => each.name === name));
      const first = all.find((each) => each !== undefined)!;
      return {
        name,
        unit: `${first.clock} time`,
        cells: all.map((each) => {
          if (!each) return undefined;
          const share = each.ceiling ? `${percent(each.ceiling.share)} of ${each.ceiling.id}` : '';
          const faster = first.time.median / each.time.median;
          const clear = each.time.low > first.time.high || each.time.high < first.time.low;
          const note = each === first ? share : [share, times(faster)].filter(Boolean).join(', ');
          return { text: duration(each.time.median), note, faster, clear };
        }),
      };
    }),
  };
}
