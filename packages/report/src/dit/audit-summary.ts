// An audit in a few plain sentences.
import { numberText, percentText } from '../number-text.js';
import type { Summary } from '../summary.js';
import type { DitAuditRecord, DitAuditRow } from './audit-record.js';
import { quoted } from './decision-words.js';
import { reachSentence } from './adapter-reach.js';

const count = (number: number, what: string): string => `${numberText(number, 9)} ${what}${number === 1 ? '' : 's'}`;

/** Says what was decided, and, of what is known, how often it was right; nothing that the record does not hold. */
export function summariseDitAudit(record: DitAuditRecord): Summary {
  const { rows, question, adapter, refused = [], roc = [], watch } = record;
  const decided = (decision: DitAuditRow['decision']): number => rows.filter((row) => row.decision === decision).length;
  return {
    headline: `${count(rows.length, rows.some(({ update }) => update !== undefined) ? 'checkpoint' : 'diff')} asked ${quoted(question)}: ${numberText(decided('changed'), 9)} changed, ${numberText(decided('none'), 9)} nothing, ${numberText(decided('unsure'), 9)} unsure.`,
    sentences: [
      ...known(rows),
      ...roc.map(
        ({ what, area, interval, positives, negatives }) =>
          `Area under the ROC curve, ${what}: ${numberText(area)}${interval ? ` (${numberText(interval[0])} to ${numberText(interval[1])})` : ''}, ${numberText(positives, 9)} against ${numberText(negatives, 9)}.`,
      ),
      ...(watch ? watched(watch) : []),
      reachSentence(adapter),
      refused.length ? `${count(refused.length, 'diff')} could not be asked.` : '',
    ].filter(Boolean),
  };
}

/** How the decisions stand to what is known of the diffs. */
function known(rows: readonly DitAuditRow[]): string[] {
  const changed = rows.filter(({ label }) => typeof label === 'string');
  const clean = rows.filter(({ label }) => label === null);
  const found = (of: readonly DitAuditRow[]): number => of.filter(({ decision }) => decision === 'changed').length;
  const share = (part: number, all: number): string => `${numberText(part, 9)} (${percentText(part / all)})`;
  const judged = changed.filter(({ correct }) => correct !== undefined);
  return [
    changed.length
      ? `Of ${numberText(changed.length, 9)} known to be changed, ${share(found(changed), changed.length)} were found${judged.length ? `, ${share(judged.filter(({ correct }) => correct).length, changed.length)} with the right answer` : ''}.`
      : '',
    clean.length
      ? `Of ${numberText(clean.length, 9)} known to be changed in nothing, ${share(found(clean), clean.length)} were called changed.`
      : '',
  ].filter(Boolean);
}

/** The first checkpoint at which an answer passes "none", and stays above it. */
function watched({ at, lines, unit }: NonNullable<DitAuditRecord['watch']>): string[] {
  const none = lines.find(({ kind }) => kind === 'none');
  if (!none) return [];
  const above = at.map((_, i) => {
    const least = none.values[i] ?? null;
    return least !== null && lines.some(({ kind, values }) => kind !== 'none' && (values[i] ?? -1) > least);
  });
  const from = above.lastIndexOf(false) + 1;
  const first = at[from];
  return [
    first === undefined
      ? 'At the last checkpoint no answer is likelier than “none”.'
      : `From ${unit} ${numberText(first, 9)} on, an answer is likelier than “none”.`,
  ];
}
