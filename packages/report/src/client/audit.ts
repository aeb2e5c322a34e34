// The table of an audit: sorted by any column, filtered by decision and words, rows made as they are asked for.
import type { LiveAudit } from '../dit/audit-page.js';
import { auditTableRow, type AuditKey } from '../dit/audit-row.js';
import { numberText } from '../number-text.js';
import { nodesOf } from './drawing-nodes.js';

/** Columns that open with their largest value. */
const falling = new Set<AuditKey>(['confidence', 'none', 'update']);

export function liveAudit(section: HTMLElement, { rows, columns, shown: step }: LiveAudit): void {
  const body = section.querySelector<HTMLElement>('[data-rows]');
  const decision = section.querySelector<HTMLSelectElement>('[data-decision]');
  const find = section.querySelector<HTMLInputElement>('[data-find]');
  const wrong = section.querySelector<HTMLInputElement>('[data-wrong]');
  const count = section.querySelector<HTMLElement>('[data-count]');
  const more = section.querySelector<HTMLButtonElement>('[data-more]');
  if (!body || !decision || !find || !count || !more) return;
  const all = rows.map((row, i) => ({
    row,
    rank: i + 1,
    words: `${row.name} ${row.answer} ${row.label ?? ''}`.toLowerCase(),
  }));
  type Ranked = (typeof all)[number];
  let sort: { key: AuditKey; down: boolean } = { key: 'rank', down: false };
  let found: readonly Ranked[] = all;
  let shown = step;

  const value = ({ row, rank }: Ranked, key: AuditKey): number | string => {
    if (key === 'rank') return rank;
    if (key === 'update') return row.update ?? -1;
    if (key === 'confidence' || key === 'none') return row[key];
    // Wrong ones first, and what is not known last.
    if (key === 'correct') return row.correct === undefined ? 2 : Number(row.correct);
    return (row[key] ?? '').toLowerCase();
  };

  function draw(from: number): void {
    const made = found.slice(from, shown).map(({ row, rank }) => nodesOf(auditTableRow(row, rank, columns)));
    if (from === 0) body?.replaceChildren(...made);
    else body?.append(...made);
    const visible = Math.min(shown, found.length);
    if (count)
      count.textContent = `${numberText(visible, 9)} of ${numberText(found.length, 9)} rows${found.length === all.length ? '' : ` that fit, out of ${numberText(all.length, 9)}`}.`;
    if (more) more.hidden = visible === found.length;
  }

  function select(): void {
    const words = (find?.value ?? '').toLowerCase().split(/\s+/).filter(Boolean);
    const sign = sort.down ? -1 : 1;
    const keyed = all
      .filter(
        ({ row, words: own }) =>
          (!decision?.value || row.decision === decision.value) &&
          (!wrong?.checked || row.correct === false) &&
          words.every((word) => own.includes(word)),
      )
      .map((each) => [value(each, sort.key), each] as const);
    keyed.sort(([a, x], [b, y]) => (a < b ? -sign : a > b ? sign : x.rank - y.rank));
    found = keyed.map(([, each]) => each);
    for (const head of section.querySelectorAll<HTMLElement>('th[data-key]'))
      if (head.dataset['key'] === sort.key) head.setAttribute('aria-sort', sort.down ? 'descending' : 'ascending');
      else head.removeAttribute('aria-sort');
    shown = step;
    draw(0);
  }

  for (const control of [decision, find, wrong]) control?.addEventListener('input', select);
  for (const button of section.querySelectorAll<HTMLButtonElement>('[data-sort]'))
    button.addEventListener('click', () => {
      const key = button.dataset['sort'] as AuditKey;
      sort = { key, down: sort.key === key ? !sort.down : falling.has(key) };
      select();
    });
  more.addEventListener('click', () => {
    const from = shown;
    shown += step;
    draw(from);
  });
}
