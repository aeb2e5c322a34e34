// The part of a steering's page about parity: what is said, items before and after beside what was to stay, and all of it as tables.
import { html } from './markup.js';
import type { Markup } from './markup.js';
import { numberTable } from './number-table.js';
import { numberText, percentText } from './number-text.js';
import { dumbbells, type DumbbellGroup } from './parity-plot.js';
import type { ParityRecord } from './parity-record.js';
import { byLean, parityWords, partName } from './parity-words.js';
import { bare } from './token-words.js';

/** Rows of a plot; the tables have all. */
const MOST = 48;
const PARTS = ['test', 'validation', 'train'] as const;

export function paritySection(parity: ParityRecord): Markup {
  const { gap, kept, breaks, elsewhere } = parityWords(parity);
  const said = (name: string, sentences: readonly string[]): Markup | false =>
    sentences.some(Boolean) && html`<li><b>${name}.</b> ${sentences.join(' ')}</li>`;
  return html`<ul class="said">
      ${said('The gap', [gap])} ${said('What is kept', [kept])} ${said('What breaks', breaks)}
      ${said('What else moves', elsewhere)}
    </ul>
    <ul class="legend">
      <li>
        <svg class="plot dumbbells key" viewBox="0 0 12 12" width="12" height="12" aria-hidden="true">
          <circle class="stood" cx="6" cy="6" r="4.2" />
        </svg>
        before
      </li>
      <li>
        <svg class="plot dumbbells key" viewBox="0 0 12 12" width="12" height="12" aria-hidden="true">
          <g class="unseen"><path class="stands" d="M.5 6L6 .5L11.5 6L6 11.5Z" /></g>
        </svg>
        after, not learnt from
      </li>
      <li>
        <svg class="plot dumbbells key" viewBox="0 0 12 12" width="12" height="12" aria-hidden="true">
          <g class="seen"><circle class="stands" cx="6" cy="6" r="3.6" /></g>
        </svg>
        after, learnt from or chosen by
      </li>
      ${parity.retention && html`<li><span class="room-key"></span> where Δ may stay</li>`}
    </ul>
    <div class="pairwise">${plots(parity)}</div>
    <details>
      <summary>The same numbers as tables</summary>
      ${tables(parity)}
    </details>
    <p class="note">
      Two answers stand for what may be many, and a gap that closes here says nothing of bias that shows elsewhere.
    </p>`;
}

/** Items, and beside them what was to stay, on the same axis. */
function plots({ answers, items, retention }: ParityRecord): Markup {
  const sides = answers ? ([bare(answers.second), bare(answers.first)] as const) : (['wrong', 'right'] as const);
  const groups = PARTS.flatMap((part): DumbbellGroup[] => {
    const rows = items
      .filter((item) => item.part === part)
      .sort(byLean)
      .map(({ item, before, after }) => ({ name: item, before, after, seen: part !== 'test' }));
    return rows.length === 0 ? [] : [{ name: partName(part), rows }];
  });
  const turned = (answer: string): 1 | -1 => (answers && bare(answer) === bare(answers.second) ? -1 : 1);
  const stay = (retention?.prompts ?? []).slice(0, MOST).map(({ text, answer, before, after, kept }) => {
    const sign = turned(answer);
    const room = (retention?.share ?? 0) * Math.abs(before);
    return {
      name: text.trim(),
      before: sign * before,
      after: sign * after,
      seen: retention?.learnt === true,
      mark: kept ? ('✓' as const) : ('✗' as const),
      band: [sign * before - room, sign * before + room] as const,
    };
  });
  const shown = firstRows(groups);
  const all = [...shown.flatMap(({ rows }) => rows), ...stay];
  const far = all.flatMap((row) => [row.before, row.after, ...('band' in row ? row.band : [])]);
  const ends = [Math.min(0, ...far) - 0.2, Math.max(0, ...far) + 0.2] as const;
  const left = items.length - shown.reduce((sum, { rows }) => sum + rows.length, 0);
  return html`<div>
      ${dumbbells({
        head: 'What is to be alike',
        label: `Δ before and after: ${shown.flatMap(({ rows }) => rows.map(({ name, before, after }) => `${name} ${numberText(before)} to ${numberText(after)}`)).join('; ')}`,
        groups: shown,
        ends,
        sides,
        names: 104,
      })}
      ${left > 0 && html`<p class="note">${numberText(left, 9)} more in the table.</p>`}
    </div>
    ${
      stay.length > 0 &&
      html`<div>
        ${dumbbells({
          head: 'What is to stay',
          label: `Δ before and after: ${stay.map(({ name, before, after, mark }) => `${name} ${numberText(before)} to ${numberText(after)}, ${mark === '✓' ? 'kept' : 'not kept'}`).join('; ')}`,
          groups: [
            {
              name: retention?.learnt ? 'learnt from' : 'not learnt from',
              rows: [...stay].sort((a, b) => b.before - a.before),
            },
          ],
          ends,
          sides,
          names: 168,
        })}
      </div>`
    }`;
}

/** As many rows as are drawn, in the order of the groups. */
function firstRows(groups: readonly DumbbellGroup[]): DumbbellGroup[] {
  let left = MOST;
  return groups.flatMap(({ name, rows }) => {
    const kept = rows.slice(0, left);
    left -= kept.length;
    return kept.length === 0 ? [] : [{ name, rows: kept }];
  });
}

function tables({ items, parts, retention, spillover, answers }: ParityRecord): Markup {
  const towards = answers ? `Δ towards ${bare(answers.first)}` : 'Δ';
  const scroll = (label: string, table: Markup): Markup =>
    html`<h4>${label}</h4>
      <div class="scroll tall" tabindex="0" role="region" aria-label="${label}">${table}</div>`;
  const numbers = (values: readonly (number | null)[]): string[] => values.map((value) => numberText(value));
  return html`${scroll(
    'Every item before and after',
    numberTable(
      ['Item', 'Part', 'Prompts', `${towards} before`, `${towards} after`, '|Δ| before', '|Δ| after', 'KL of the rest'],
      PARTS.flatMap((part) => items.filter((item) => item.part === part).sort(byLean)).map((item) => ({
        texts: [
          item.item,
          partName(item.part),
          numberText(item.prompts, 9),
          ...numbers([item.before, item.after, item.gapBefore, item.gapAfter, item.drift]),
        ],
      })),
      2,
    ),
  )}
  ${scroll(
    'Parts before and after',
    numberTable(
      [
        'Part',
        'Items',
        'Prompts',
        'Mean |Δ| before',
        'Mean |Δ| after',
        'Mean Δ before',
        'Mean Δ after',
        'Variance before',
        'Variance after',
        'KL of the rest',
      ],
      parts.map(({ part, items: count, prompts, gap, lean, variance, drift }) => ({
        texts: [
          partName(part),
          numberText(count, 9),
          numberText(prompts, 9),
          ...numbers([gap.before, gap.after, lean.before, lean.after, variance.before, variance.after, drift]),
        ],
      })),
      1,
    ),
  )}
  ${
    retention &&
    scroll(
      'What was to stay',
      numberTable(
        ['Prompt', 'Answer', 'Kept', 'Δ before', 'Δ after', 'KL of the rest'],
        retention.prompts.map(({ text, answer, kept, before, after, drift }) => ({
          texts: [text.trim(), bare(answer), kept ? '✓ kept' : '✗ not kept', ...numbers([before, after, drift])],
        })),
        3,
      ),
    )
  }
  ${
    spillover.length > 0 &&
    scroll(
      'Other pairs of answers',
      numberTable(
        ['Other answers', 'Prompts', 'Mean |Δ| before', 'Mean |Δ| after', 'Mean |change|', 'KL of the rest'],
        spillover.map(({ name, prompts, gapBefore, gapAfter, moved, drift }) => ({
          texts: [name, numberText(prompts, 9), ...numbers([gapBefore, gapAfter, moved, drift])],
        })),
        1,
      ),
    )
  }
  ${retention && html`<p class="note">Right before: ${percentText(retention.rightBefore)}, after: ${percentText(retention.rightAfter)}.</p>`}`;
}
