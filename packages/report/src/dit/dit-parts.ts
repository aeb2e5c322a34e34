// What the records of DIT, readings and audits, have in common: models by name, likely answers, figures with intervals, plain tables.
import { between, either, finite, list, object, oneOf, orNull, row, text, whole } from '../schema.js';
import type { Infer, Issue } from '../schema.js';

export const nameSchema = text({ longest: 1000 });
/** A probability or a share. */
export const shareSchema = between(0, 1);

/** The untouched model; `fingerprint` is that of its `info`. */
export const baseSchema = object({ name: nameSchema, fingerprint: nameSchema });

/** A mean over `count` diffs with the ends of its 95 % interval. */
const figureSchema = object({ what: nameSchema, value: finite, interval: row([finite, finite], []), count: whole(1) });

/** The DIT adapter, and what it reaches, the headline first: on diffs that its training never saw, and on those that its training was stopped by. */
export const adapterSchema = object(
  { name: nameSchema, rank: whole(1) },
  { heldOut: list(figureSchema, { most: 50 }), validated: list(figureSchema, { most: 50 }) },
);

/** An answer, or its first token, and how likely it is. */
export const likelySchema = list(object({ text: nameSchema, probability: shareSchema }), { most: 100 });

/** What is said after calibration: that something was learnt, that nothing was, or neither for want of confidence. */
export const decisionSchema = oneOf('changed', 'none', 'unsure');

/** Temperature and threshold for "none", fitted on as many validation diffs. */
export const calibrationSchema = object(
  { temperature: between(0, 1e6), noneThreshold: shareSchema },
  { diffs: whole(1) },
);

/** A table that is shown as it is: numbers with three digits, null as –. A row has an entry for every column. */
export const tablesSchema = list(
  object(
    {
      title: nameSchema,
      columns: list(nameSchema, { most: 40 }),
      rows: list(list(either(finite, orNull(nameSchema)), { most: 40 }), { most: 2000 }),
    },
    { note: text() },
  ),
  { most: 50 },
);

/** The untouched model of a record. */
export type DitBase = Infer<typeof baseSchema>;
/** How probabilities of a record were calibrated. */
export type DitCalibration = Infer<typeof calibrationSchema>;
/**
 * The DIT adapter of a record, and what it reaches: `heldOut` on diffs that its training never saw, `validated` on those that its training was stopped by.
 * @useDeclaredType
 */
export type DitAdapterRecord = Infer<typeof adapterSchema>;
/**
 * Answers, or their first tokens, and how likely they are.
 * @useDeclaredType
 */
export type LikelyAnswers = Infer<typeof likelySchema>;
/**
 * Whether something was learnt: `changed`, `none`, or `unsure`.
 * @useDeclaredType
 */
export type DitDecision = Infer<typeof decisionSchema>;
/**
 * A table of a record, shown as it is.
 * @useDeclaredType
 */
export type DitTable = Infer<typeof tablesSchema>[number];

/** Intervals that run backwards, of the adapter's figures. */
export const adapterFaults = (adapter: DitAdapterRecord | null): Issue[] =>
  (['heldOut', 'validated'] as const).flatMap((list) =>
    (adapter?.[list] ?? []).flatMap(({ interval }, i) => intervalFault(`/adapter/${list}/${i}/interval`, interval)),
  );

export const intervalFault = (path: string, [low, high]: readonly [number, number]): Issue[] =>
  low <= high ? [] : [{ path, given: `${low} to ${high}`, allowed: 'low up to high' }];

/** Rows that are not as wide as their table. */
export const tableFaults = (tables: readonly DitTable[]): Issue[] =>
  tables.flatMap(({ columns, rows }, t) =>
    rows.flatMap((cells, r) =>
      cells.length === columns.length
        ? []
        : [{ path: `/tables/${t}/rows/${r}`, given: `${cells.length} cells`, allowed: `${columns.length} as columns` }],
    ),
  );

/** What stands a second time where each may stand once. */
export function repeats<T>(path: string, all: readonly T[], key: (each: T) => string, allowed: string): Issue[] {
  const seen = new Set<string>();
  return all.flatMap((each, i) => {
    const own = key(each);
    if (seen.has(own)) return [{ path: `${path}/${i}`, given: `${own} for the second time`, allowed }];
    seen.add(own);
    return [];
  });
}

/** Numbers that are not each above the one before. */
export const ascendingFaults = (path: string, values: readonly number[]): Issue[] =>
  values.flatMap((value, i) => {
    const before = values[i - 1];
    return before === undefined || value > before
      ? []
      : [{ path: `${path}/${i}`, given: String(value), allowed: `a number above ${before}` }];
  });
