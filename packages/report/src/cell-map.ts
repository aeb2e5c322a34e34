// The cells of one site on the tokens of a prompt: layers upwards as in the drawing of a circuit, tokens below, shaded by what becomes of each activation.
import { html } from './markup.js';
import type { Markup } from './markup.js';
import { matrix } from './matrix.js';
import { numberText } from './number-text.js';
import { cellClasses, cellFigures, siteName } from './steering-cell.js';
import type { CellMeaning } from './steering-cell.js';
import type { SteeredPromptRecord, SteeringGridRecord } from './steering-record.js';
import { bare, measureName } from './token-words.js';

interface CellMap {
  readonly grid: SteeringGridRecord;
  /** Place of the site in the grid. */
  readonly site: number;
  readonly values: readonly (number | null)[];
  readonly strength: number;
  readonly meaning: CellMeaning;
}

/** Tokens that one column names. */
const mostTokens = 3;

/** What stands at every position of the grid in a prompt: its tokens without their leading spaces. */
export function tokensAt(prompt: SteeredPromptRecord | undefined, positions: number): string[] {
  return Array.from({ length: positions }, (_, position) => {
    const here = (prompt?.tokens ?? []).filter((token) => token.position === position);
    const own = [...new Set(here.map(({ text }) => bare(text)))];
    return own.length > mostTokens ? `${own.slice(0, mostTokens).join(' ')} …` : own.join(' ');
  });
}

/** The name of a position beside its number, where it has one. */
export function roleAt(prompt: SteeredPromptRecord | undefined, position: number, name: string): string {
  const role = prompt?.tokens.find((token) => token.position === position && token.role !== undefined)?.role;
  return role ?? (isNumber(name) ? '' : name);
}

const isNumber = (name: string): boolean => /^-?\d+$/.test(name);

/** Where the cell of a site, layer and position stands in a grid; all three as places. */
export const cellAt = (
  { layers, positions }: Pick<SteeringGridRecord, 'layers' | 'positions'>,
  site: number,
  layer: number,
  position: number,
): number => (site * layers.length + layer) * positions.length + position;

/** The map that is walked and follows the strength; `stop` is the cell that Tab reaches. */
export function cellMap(map: CellMap, prompt: SteeredPromptRecord | undefined, stop: number): Markup {
  const { grid, site } = map;
  const tokens = tokensAt(prompt, grid.positions.length);
  const last = grid.layers.length - 1;
  return matrix({
    kind: 'cells',
    caption: siteName(grid.sites[site] ?? ''),
    corner: 'layer',
    rows: grid.layers.map((_, row) => String(grid.layers[last - row])),
    columns: grid.positions.map(
      (name, position) =>
        html`<span class="place">${isNumber(name) ? name.replace('-', '−') : ''}</span>
          <span class="word"
            ><bdi data-token="${position}">${tokens[position]}</bdi> <i>${roleAt(prompt, position, name)}</i></span
          >`,
    ),
    namesBelow: true,
    walked: true,
    cell: (row, position) => {
      const at = cellAt(grid, site, last - row, position);
      const cell = cellOf(map, at);
      const says = cellFigures(cell, map.strength, map.meaning).map(([name, value]) => `${name} ${value}`);
      return html`<td
        class="${cellClasses(cell.value, cell.live, map.strength, map.meaning)}"
        data-cell="${at}"
        tabindex="${at === stop ? 0 : -1}"
        title="layer ${grid.layers[last - row]}, ${tokens[position]}: ${says.join(', ')}"
      ></td>`;
    },
  });
}

/** The same cells small and still, to be held against one another. */
export function smallCellMap(map: CellMap): Markup {
  const { grid, site, strength, meaning } = map;
  const last = grid.layers.length - 1;
  return html`<table class="cells small">
    <tbody>
      ${grid.layers.map(
        (_, row) =>
          html`<tr>
            ${grid.positions.map((__, position) => {
              const at = cellAt(grid, site, last - row, position);
              const { value, live } = cellOf(map, at);
              return html`<td class="${cellClasses(value, live, strength, meaning)}" data-same="${at}"></td>`;
            })}
          </tr>`,
      )}
    </tbody>
  </table>`;
}

function cellOf({ grid, values }: CellMap, at: number) {
  const heads = grid.heads?.[at];
  return { value: values[at] ?? null, live: grid.live[at] === true, ...(heads ? { heads } : {}) };
}

/** The largest |value| of live cells: what is shaded fully. */
export const mostOf = (values: readonly (number | null)[], live: readonly boolean[]): number =>
  values.reduce<number>((most, value, i) => (live[i] ? Math.max(most, Math.abs(value ?? 0)) : most), 0);

/** The live cell of largest |value|; the first where all are 0. */
export function strongestCell({ values, live }: SteeringGridRecord): number {
  const most = mostOf(values, live);
  return Math.max(
    0,
    values.findIndex((value, i) => live[i] && Math.abs(value ?? 0) === most),
  );
}

/** Every cell with what was learnt there and what else was measured, as a table of numbers. */
export function cellTable(
  grid: SteeringGridRecord,
  prompt: SteeredPromptRecord | undefined,
  others: readonly { readonly measure: string; readonly values: readonly (number | null)[] }[],
): Markup {
  const tokens = tokensAt(prompt, grid.positions.length);
  const row = (site: number, layer: number, position: number): Markup => {
    const at = cellAt(grid, site, layer, position);
    return html`<tr>
      <td>${siteName(grid.sites[site] ?? '')}</td>
      <td class="number">${grid.layers[layer]}</td>
      <td><bdi>${grid.positions[position]}</bdi></td>
      <td><bdi>${tokens[position]}</bdi></td>
      <td class="number">${grid.live[at] ? numberText(grid.values[at]) : '×'}</td>
      ${others.map(({ values }) => html`<td class="number">${numberText(values[at])}</td>`)}
    </tr>`;
  };
  return html`<table class="numbers">
    <thead>
      <tr>
        <th scope="col">Site</th>
        <th scope="col" class="number">Layer</th>
        <th scope="col">Position</th>
        <th scope="col">Token</th>
        <th scope="col" class="number">${measureName(grid.measure)}</th>
        ${others.map(({ measure }) => html`<th scope="col" class="number">${measure}</th>`)}
      </tr>
    </thead>
    <tbody>
      ${grid.sites.map((_, site) =>
        grid.layers.map((__, layer) => grid.positions.map((___, position) => row(site, layer, position))),
      )}
    </tbody>
  </table>`;
}
