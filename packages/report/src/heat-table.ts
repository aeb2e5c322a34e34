// A matrix whose cells are shaded by their value: the plot is its own table.
import { html } from './markup.js';
import type { Markup } from './markup.js';
import { matrix } from './matrix.js';

/** Shades from 0, none, to 9, full. */
const shades = 10;

export interface HeatCell {
  readonly text: string;
  /** Where the value lies between nothing and the most, 0 to 1; below 0 in another colour; null for no shade. */
  readonly share: number | null;
}

interface Heat {
  readonly caption: string;
  /** What rows and columns are, for the corner. */
  readonly corner: string;
  readonly names: readonly string[];
  /** Default: `names`, of a square matrix. */
  readonly columns?: readonly string[];
  /** Undefined where there is nothing to say, as on the diagonal. */
  readonly cell: (row: number, column: number) => HeatCell | undefined;
}

export function heatTable({ caption, corner, names, columns = names, cell }: Heat): Markup {
  const shown = (texts: readonly string[]): Markup[] => texts.map((name) => html`<bdi>${name}</bdi>`);
  return matrix({
    kind: 'heat',
    caption,
    corner,
    rows: shown(names),
    columns: shown(columns),
    cell: (row, column) => {
      const { text, share } = cell(row, column) ?? { text: '', share: null };
      return html`<td class="${share === null ? '' : shadeOf(share)}">${text}</td>`;
    },
  });
}

/** Class of a cell; what is written as 0 is not shaded as less. */
export const shadeOf = (share: number): string =>
  share <= -0.005 ? 'below' : `heat${Math.min(shades - 1, Math.max(0, Math.floor(share * shades)))}`;
