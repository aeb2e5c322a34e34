// Numbers under their heads: the table that stands behind a plot.
import { html } from './markup.js';
import type { Markup } from './markup.js';

interface NumberRow {
  readonly texts: readonly string[];
  /** What the page's script marks the row for, and whether it is marked. */
  readonly at?: string;
  readonly now?: boolean;
}

/** The first `words` columns are words, the others numbers, right under right. */
export function numberTable(heads: readonly string[], rows: readonly NumberRow[], words = 0): Markup {
  const kind = (column: number): string => (column < words ? '' : 'number');
  return html`<table class="numbers">
    <thead>
      <tr>
        ${heads.map((head, column) => html`<th scope="col" class="${kind(column)}">${head}</th>`)}
      </tr>
    </thead>
    <tbody>
      ${rows.map(
        ({ texts, at, now = false }) =>
          html`<tr ${at !== undefined && html`data-at="${at}"`} class="${now && 'now'}">
            ${texts.map((text, column) => html`<td class="${kind(column)}">${text}</td>`)}
          </tr>`,
      )}
    </tbody>
  </table>`;
}
