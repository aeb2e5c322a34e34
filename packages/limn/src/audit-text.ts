// An audit as lines of at most 80 columns, and as CSV.
import type { DitAuditRecord, DitAuditRow } from '@limn/report';
import { clipped, wrapped } from './reading-lines.js';

/** The first line of a table: by it limn knows its own. */
export const AUDIT_HEADER = 'rank,name,decision,nothing,confidence,answer,second,third,label,correct';

const WORDS = { changed: 'changed', none: 'nothing', unsure: 'unsure' } as const;

/** One line for each diff, and what stands with them. */
export function describeAudit({
  rows,
  refused = [],
  roc = [],
  question,
  adapter,
  calibration,
  note,
}: DitAuditRecord): string[] {
  const count = (decision: DitAuditRow['decision']): number => rows.filter((row) => row.decision === decision).length;
  const { heldOut = [], validated = [] } = adapter;
  const score = heldOut[0] ?? validated[0];
  const labelled = rows.some(({ label }) => label !== undefined);
  return [
    ...wrapped(`“${question}”: ${rows.length} diffs, most suspect first`),
    `  ${'diff'.padEnd(28)} decision  nothing  answer${labelled ? '  (label)' : ''}`,
    ...rows.map((row) => {
      const { name, decision, none, answer, confidence, label } = row;
      const known = label === undefined ? '' : ` (${label ?? 'nothing'})`;
      return clipped(
        `  ${clipped(name, 28).padEnd(28)} ${WORDS[decision].padEnd(8)} ${none.toFixed(4).padStart(8)}  ${answer} ${confidence.toFixed(2)}${known}`,
        80,
      );
    }),
    `${count('changed')} changed, ${count('none')} with nothing to tell, ${count('unsure')} unsure`,
    ...(calibration ? [] : ['without a calibration nothing is decided: the adapter was trained without --validation']),
    ...refused.flatMap(({ name, reason }) => wrapped(`not opened: ${name}: ${reason}`)),
    ...roc.flatMap(({ what, area, interval, positives, negatives }) =>
      wrapped(
        `${what}: area ${area.toFixed(3)}${interval ? ` (${interval.map((end) => end.toFixed(3)).join(' to ')})` : ''}, ${positives} and ${negatives} diffs`,
      ),
    ),
    ...(score
      ? wrapped(
          `on ${heldOut.length > 0 ? 'diffs that its training never saw' : 'the diffs that its training was stopped by'}, the adapter’s ${score.what}: ${score.value.toFixed(3)} (${score.count} diffs)`,
        )
      : []),
    ...wrapped(note),
  ];
}

/** RFC 4180, one line for each diff. */
export function auditCsv({ rows }: DitAuditRecord): string {
  const lines = rows.map(({ name, decision, none, confidence, answer, top, label, correct }, i) =>
    [
      String(i + 1),
      name,
      WORDS[decision],
      String(none),
      String(confidence),
      answer,
      top[1]?.text ?? '',
      top[2]?.text ?? '',
      label === undefined ? '' : (label ?? 'nothing'),
      correct === undefined ? '' : String(correct),
    ]
      .map(field)
      .join(','),
  );
  return `${[AUDIT_HEADER, ...lines].join('\n')}\n`;
}

/** Quoted where it needs to be; a text that a spreadsheet would take for a formula gets an apostrophe in front. */
function field(text: string): string {
  const safe = /^[=+\-@\t\r]/.test(text) && Number.isNaN(Number(text)) ? `'${text}` : text;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}
