// One row of an audit, made alike by the page and by its script.
import { drawn } from '../drawn.js';
import type { Drawn } from '../drawn.js';
import { numberText, scoreText, tenth } from '../number-text.js';
import { bare, clip } from '../token-words.js';
import type { DitAuditRow } from './audit-record.js';
import { decisionWords } from './decision-words.js';

/** Columns that only some audits have. */
export interface AuditColumns {
  readonly update: boolean;
  readonly label: boolean;
  readonly correct: boolean;
}

export type AuditKey = 'rank' | 'name' | 'update' | 'decision' | 'answer' | 'confidence' | 'none' | 'label' | 'correct';

/** Further answers that a row names. */
const mostOthers = 3;

export const auditColumns = (rows: readonly DitAuditRow[]): AuditColumns => ({
  update: rows.some(({ update }) => update !== undefined),
  label: rows.some(({ label }) => label !== undefined),
  correct: rows.some(({ correct }) => correct !== undefined),
});

/** Heads in their order; numbers stand right under right. */
export const auditHeads = (
  columns: AuditColumns,
): readonly { readonly key: AuditKey; readonly name: string; readonly number?: boolean }[] => [
  { key: 'rank', name: 'Rank', number: true },
  { key: 'name', name: columns.update ? 'Checkpoint' : 'Diff' },
  ...(columns.update ? [{ key: 'update', name: 'Update', number: true } as const] : []),
  { key: 'decision', name: 'Decision' },
  { key: 'answer', name: 'Answer' },
  { key: 'confidence', name: 'Confidence' },
  { key: 'none', name: '“None”', number: true },
  ...(columns.label ? [{ key: 'label', name: 'Trained for' } as const] : []),
  ...(columns.correct ? [{ key: 'correct', name: 'Right' } as const] : []),
];

/** The likeliest answers besides the one that is given, which may stand among them. */
export const otherAnswers = ({ top, answer }: Pick<DitAuditRow, 'top' | 'answer'>): DitAuditRow['top'] =>
  top.filter((each) => each.text.trim() !== answer.trim()).slice(0, mostOthers);

/** `rank` counts from 1, as the record is ranked. */
export function auditTableRow(row: DitAuditRow, rank: number, columns: AuditColumns): Drawn {
  const { name, update, decision, answer, confidence, none, label, correct } = row;
  const { sign, word } = decisionWords[decision];
  const cell = (kind: string, ...content: readonly (Drawn | string | false)[]): Drawn =>
    drawn('td', { class: kind }, ...content);
  const text = (kind: string, words: string): Drawn => cell(kind, drawn('bdi', {}, words));
  const others = otherAnswers(row);
  return drawn(
    'tr',
    { class: decision },
    cell('number', numberText(rank, 9)),
    text('long', name),
    columns.update && cell('number', update === undefined ? '' : numberText(update, 9)),
    cell('decision', drawn('i', {}, sign), ` ${word}`),
    text('long', answer.trim()),
    cell('confidence', shareBar(confidence), drawn('span', {}, scoreText(confidence, 3))),
    cell('number', scoreText(none, 3)),
    columns.label && (label === null ? cell('soft', 'nothing') : text('long', label ?? '')),
    columns.correct && cell(correct === false ? 'wrong' : 'right', correct === undefined ? '' : correct ? '✓' : '✗'),
    cell(
      'likely',
      ...others.map((each) =>
        drawn('span', {}, drawn('bdi', {}, clip(bare(each.text), 24)), ` ${numberText(each.probability, 2)}`),
      ),
    ),
  );
}

const [wide, high] = [72, 9];

/** The number stands beside it. */
const shareBar = (share: number): Drawn =>
  drawn(
    'svg',
    { class: 'share', viewBox: `0 0 ${wide} ${high}`, width: wide, height: high, 'aria-hidden': 'true' },
    drawn('path', { class: 'rest', d: `M0 0H${wide}V${high}H0Z` }),
    drawn('path', { class: 'part-of', d: `M0 0H${tenth(share * wide)}V${high}H0Z` }),
  );
