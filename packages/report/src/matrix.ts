// A matrix as a table that scrolls inside its frame: a caption, names along both sides, and a cell for each two.
import { html } from './markup.js';
import type { Markup, Part } from './markup.js';

interface Matrix {
  /** Class of the table. */
  readonly kind: string;
  readonly caption: string;
  /** What rows and columns are, for the corner. */
  readonly corner: Part;
  readonly rows: readonly Part[];
  readonly columns: readonly Part[];
  /** Whether the names of the columns stand below the cells. */
  readonly namesBelow?: boolean;
  /** Whether its cells are walked with arrow keys, and so take the focus instead of the frame. */
  readonly walked?: boolean;
  /** A td. */
  readonly cell: (row: number, column: number) => Markup;
}

export function matrix({
  kind,
  caption,
  corner,
  rows,
  columns,
  namesBelow = false,
  walked = false,
  cell,
}: Matrix): Markup {
  const names = html`<tr>
    <td class="corner">${corner}</td>
    ${columns.map((name) => html`<th scope="col">${name}</th>`)}
  </tr>`;
  const head = namesBelow
    ? false
    : html`<thead>
        ${names}
      </thead>`;
  const foot =
    namesBelow &&
    html`<tfoot>
      ${names}
    </tfoot>`;
  return html`<div class="scroll" ${!walked && html`tabindex="0"`} role="region" aria-label="${caption}">
    <table class="${kind}" ${walked && html`role="grid"`}>
      <caption>
        ${caption}
      </caption>
      ${head}
      <tbody>
        ${rows.map(
          (name, row) =>
            html`<tr>
              <th scope="row">${name}</th>
              ${columns.map((_, column) => cell(row, column))}
            </tr>`,
        )}
      </tbody>
      ${foot}
    </table>
  </div>`;
}
