// What may not get worse from one version to the next: exact counts, and ratios of jobs to what they were timed in turns with. Runs in Node and in browsers.
import type { BenchRecord, CountsRecord } from './record.mjs';
import type { Timing } from './statistics.mjs';

export const RATIOS_KIND = 'limn.bench-ratios';

/** The file that is kept for an adapter. */
export interface KeptRatios {
  readonly kind: typeof RATIOS_KIND;
  readonly version: 1;
  readonly adapter: string;
  readonly date: string;
  /** Operations of one submit, as the adapter's speed was measured then: counts of submits hold for it only. */
  readonly workBudgetFlops: number;
  /** By job and by what stood beside it: its time over the job's. Larger is better. */
  readonly ratios: Readonly<Record<string, Readonly<Record<string, Pick<Timing, 'median' | 'low' | 'high'>>>>>;
  /** By job: what one run in the steady state does. */
  readonly counts: Readonly<Record<string, Omit<CountsRecord, 'bytesPeak'>>>;
}

export interface Finding {
  readonly job: string;
  readonly what: string;
  readonly kept: string;
  readonly now: string;
  /** 'worse' and 'changed' fail; 'better' and 'new' call for a new file. */
  readonly verdict: 'worse' | 'changed' | 'better' | 'new';
}

const rounded = (value: number): number => Number(value.toPrecision(4));

/** What a run says about it. Peers are left out: they change on their own. */
export function ratiosOf(record: BenchRecord, adapter: string, workBudgetFlops: number): KeptRatios {
  const ratios: Record<string, Record<string, Pick<Timing, 'median' | 'low' | 'high'>>> = {};
  const counts: Record<string, Omit<CountsRecord, 'bytesPeak'>> = {};
  for (const job of record.jobs) {
    const own = job.beside.filter(({ kind }) => kind === 'own');
    if (own.length > 0)
      ratios[job.name] = Object.fromEntries(
        own.map(({ name, ratio: { median, low, high } }) => [
          name,
          { median: rounded(median), low: rounded(low), high: rounded(high) },
        ]),
      );
    if (job.counts) {
      const { bytesPeak: _, ...exact } = job.counts;
      counts[job.name] = exact;
    }
  }
  return { kind: RATIOS_KIND, version: 1, adapter, date: record.date, workBudgetFlops, ratios, counts };
}

const isTable = (value: unknown): boolean =>
  typeof value === 'object' &&
  value !== null &&
  Object.values(value).every((each) => typeof each === 'object' && each !== null);

/** A kept file's text; throws an Error that says what is wrong with it. */
export function parseRatios(text: string): KeptRatios {
  let value: Partial<KeptRatios> | null;
  try {
    value = JSON.parse(text) as Partial<KeptRatios> | null;
  } catch (error) {
    throw new Error(`not JSON: ${(error as Error).message}`, { cause: error });
  }
  if (value?.kind !== RATIOS_KIND || value.version !== 1)
    throw new Error(`not a file of kept ratios: its kind is ${JSON.stringify(value?.kind)}`);
  if (!isTable(value.ratios) || !isTable(value.counts)) throw new Error('it has no ratios or no counts');
  if (!((value.workBudgetFlops ?? 0) > 0)) throw new Error('it does not say how much work a submit was');
  return value as KeptRatios;
}

/** A ratio may fall by this share before it counts, and only if its quartiles leave those that were kept. */
export const ALLOWANCE = 0.2;

/**
 * Everything in which a run differs from what was kept. Jobs that it did not run are not held against it, unless it ran all that there
 * are, `isWhole`.
 */
export function regressions(kept: KeptRatios, now: KeptRatios, isWhole = false): Finding[] {
  const findings: Finding[] = [];
  const shown = ({ median, low, high }: Pick<Timing, 'median' | 'low' | 'high'>): string =>
    `${median.toFixed(2)} (${low.toFixed(2)} to ${high.toFixed(2)})`;
  for (const [job, beside] of Object.entries(now.ratios))
    for (const [what, ratio] of Object.entries(beside)) {
      const before = kept.ratios[job]?.[what];
      if (!before) {
        findings.push({ job, what, kept: '–', now: shown(ratio), verdict: 'new' });
        continue;
      }
      const worse = ratio.median < before.median * (1 - ALLOWANCE) && ratio.high < before.low;
      const better = ratio.median > before.median / (1 - ALLOWANCE) && ratio.low > before.high;
      if (worse || better)
        findings.push({ job, what, kept: shown(before), now: shown(ratio), verdict: worse ? 'worse' : 'better' });
    }
  for (const [job, exact] of Object.entries(now.counts)) {
    const before = kept.counts[job];
    for (const [what, count] of Object.entries(exact)) {
      const held = before?.[what as keyof typeof before];
      if (held === count) continue;
      const verdict = held === undefined ? 'new' : 'changed';
      findings.push({ job, what, kept: held === undefined ? '–' : String(held), now: String(count), verdict });
    }
  }
  const gone = isWhole ? Object.keys({ ...kept.ratios, ...kept.counts }).filter((job) => !now.counts[job]) : [];
  for (const job of gone) findings.push({ job, what: 'the job', kept: 'there', now: 'gone', verdict: 'changed' });
  for (const [job, beside] of Object.entries(now.ratios))
    for (const what of Object.keys(kept.ratios[job] ?? {}).filter((each) => !beside[each]))
      findings.push({ job, what, kept: 'there', now: 'gone', verdict: 'changed' });
  return findings;
}
