// Whether cells work together or for each other: the interaction of every two of the largest cells as a triangle, and all pairs by size as a table.
import { cellName, layerName, positionName } from './cell-name.js';
import type { CellPlaces } from './cell-name.js';
import { html } from './markup.js';
import type { Markup } from './markup.js';
import { matrix } from './matrix.js';
import { numberTable } from './number-table.js';
import { numberText, shortDecimalsFor, signedText } from './number-text.js';
import { shadeOf, strengthText } from './steering-cell.js';
import type { SteeringInteractionsRecord } from './steering-explanations.js';

/** Cells of the triangle, and pairs of the table; the record has all. */
const [mostCells, mostPairs] = [12, 400];
/** An interaction of at most this many standard errors is not told from none. */
const doubt = 2;

type Pair = SteeringInteractionsRecord['pairs'][number];

/** Whether it stands out from its error; one prompt alone has none. */
const sure = ({ value, error }: Pair): boolean => error === null || Math.abs(value) > doubt * error;

export function interactionMatrix(given: SteeringInteractionsRecord, places: CellPlaces): Markup | false {
  const { cells, single, pairs, strength, examples } = given;
  if (cells.length < 2) return false;
  const shown = cells.slice(0, mostCells);
  const byPlace = new Map(pairs.map((pair) => [`${pair.i} ${pair.j}`, pair]));
  const bySize = [...pairs].sort((a, b) => Math.abs(b.value) - Math.abs(a.value));
  const most = Math.abs(bySize[0]?.value ?? 0);
  const [decimals, ofSingle] = [shortDecimalsFor(pairs.map(({ value }) => value)), shortDecimalsFor(single)];
  const text = (value: number): string => signedText(value, decimals);
  const alone = (i: number): string => signedText(single[i] ?? 0, ofSingle);
  const name = (i: number): string => {
    const { cell = 0, unit } = cells[i] ?? {};
    return `${i + 1} ${cellName(places, cell, unit)}`;
  };
  return html`<p class="note">${sentence(given)}</p>
    ${matrix({
      kind: 'heat signed triangle',
      caption: `The ${shown.length} largest cells, logits at β = ${strengthText(strength)}`,
      corner: '',
      rows: shown.map(
        ({ cell, unit }, i) =>
          html`<b>${i + 1}</b> ${layerName(places, cell, unit)} <bdi>${positionName(places, cell)}</bdi>`,
      ),
      columns: shown.map((_, i) => html`<b>${i + 1}</b>`),
      cell: (row, column) => {
        if (column > row) return html`<td></td>`;
        if (column === row) return html`<td class="alone">${alone(row)}</td>`;
        const pair = byPlace.get(`${column} ${row}`);
        if (!pair) return html`<td>–</td>`;
        const standing = text(pair.value) === '0' ? 'doubtful' : sure(pair) ? shadeOf(pair.value, most) : 'doubtful';
        return html`<td
          class="${standing}"
          title="${column + 1} and ${row + 1}: ${text(pair.value)}${pair.error !== null && ` ± ${numberText(pair.error, 2)}`}"
        >
          ${text(pair.value)}
        </td>`;
      },
    })}
    <ul class="legend">
      <li><span class="swatch alone">+1</span> what a cell does alone</li>
      <li><span class="swatch up s5">+</span> together more than one by one</li>
      <li><span class="swatch down s5">−</span> each does part of what the other does</li>
      <li><span class="swatch doubtful">±</span> within ${doubt} standard errors of 0</li>
    </ul>
    <p class="note">
      I = Δ(both) − Δ(one) − Δ(other) + Δ(neither), all other cells being off;
      ${examples === 1 ? 'of one prompt' : `mean over ${numberText(examples, 9)} prompts`}.${cells.length > shown.length && ` The triangle has the ${shown.length} largest of ${cells.length} cells.`}
    </p>
    <details>
      <summary>The pairs by size as a table</summary>
      <div class="scroll tall" tabindex="0" role="region" aria-label="Pairs of cells by their interaction">
        ${numberTable(
          ['One cell', 'Other cell', 'It is', 'Interaction', 'Standard error', 'One alone', 'Other alone'],
          bySize.slice(0, mostPairs).map((pair) => ({
            texts: [
              name(pair.i),
              name(pair.j),
              pair.value === 0 || !sure(pair) ? 'not told from none' : pair.value > 0 ? 'together more' : 'overlapping',
              text(pair.value),
              numberText(pair.error, 2),
              alone(pair.i),
              alone(pair.j),
            ],
          })),
          3,
        )}
      </div>
      ${pairs.length > mostPairs && html`<p class="note">The record has all ${numberText(pairs.length, 9)} pairs.</p>`}
    </details>`;
}

/** How many pairs add up, and which two go furthest from it, by their numbers. */
function sentence({ pairs }: SteeringInteractionsRecord): string {
  const [more, less] = [1, -1].map((sign) =>
    pairs.filter((pair) => sign * pair.value > 0 && sure(pair)).sort((a, b) => sign * (b.value - a.value)),
  ) as [Pair[], Pair[]];
  const furthest = ([first]: readonly Pair[]): string => (first ? `, furthest ${first.i + 1} and ${first.j + 1}` : '');
  const rest = pairs.length - more.length - less.length;
  return `Of ${numberText(pairs.length, 9)} pairs of cells ${numberText(more.length, 9)} do more together than one by one${furthest(more)}; ${numberText(less.length, 9)} do less${furthest(less)}; ${numberText(rest, 9)} are not told from just adding up.`;
}
