// Tables of a record that are shown as they are.
import { html } from '../markup.js';
import type { Markup } from '../markup.js';
import { numberTable } from '../number-table.js';
import { numberText } from '../number-text.js';
import type { DitTable } from './dit-parts.js';

/** One below the other; nothing where there are none. */
export const plainTables = (tables: readonly DitTable[]): Markup[] => tables.map(plainTable);

function plainTable({ title, columns, rows, note }: DitTable): Markup {
  const isWords = (column: number): boolean => rows.every((cells) => typeof cells[column] === 'string');
  const firstNumber = columns.findIndex((_, column) => !isWords(column));
  return html`<div class="part">
    <h3>${title}</h3>
    ${note !== undefined && html`<p class="note">${note}</p>`}
    <div class="scroll" tabindex="0" role="region" aria-label="${title}">
      ${numberTable(
        columns,
        rows.map((cells) => ({
          texts: cells.map((cell) => (typeof cell === 'string' ? cell : numberText(cell))),
        })),
        firstNumber < 0 ? columns.length : firstNumber,
      )}
    </div>
  </div>`;
}
