// The cells of a steering on its page: large, to be walked and read, and small, one measure beside another.
import { cellMap, cellTable, mostOf, smallCellMap, strongestCell } from './cell-map.js';
import { definitionsOf } from './definitions.js';
import { meaningOf } from './live-steering.js';
import { html } from './markup.js';
import type { Markup } from './markup.js';
import { numberText } from './number-text.js';
import { isWhole, siteName } from './steering-cell.js';
import type { SteeringGridRecord, SteeringRecord } from './steering-record.js';
import { measureName } from './token-words.js';

/** Positions from which on the maps of the sites stand below one another, and up to which their cells have room to be wide. */
const [LONG, FEW] = [24, 9];
/** What becomes of an activation, by form. */
const formulas = {
  linear: 'h̃ = (1 + βα) h',
  exponential: 'h̃ = exp(βα) h',
  bounded: 'h̃ = (1 + A tanh(βα / A)) h',
} as const;

/** The map of every site, what its looks mean, the cell that is read, and all of them as a table. */
export function cellMaps(record: SteeringRecord, grid: SteeringGridRecord, strength: number): Markup {
  const stop = strongestCell(grid);
  const { scalar, most, form } = meaningOf(record, grid.sites[0] ?? '');
  // An exponential is never 0 or less.
  const signs = scalar && form !== 'exponential';
  const sample = (kind: string, says: string): Markup => html`<li><span class="cell ${kind}"></span> ${says}</li>`;
  const ramp = [9, 6, 3].map((shade) => html`<span class="cell down s${shade}"></span>`);
  const rise = [3, 6, 9].map((shade) => html`<span class="cell up s${shade}"></span>`);
  return html`<div class="maps ${grid.positions.length > LONG ? 'long' : grid.positions.length <= FEW && 'few'}">
      ${grid.sites.map((site, i) =>
        cellMap(
          { grid, site: i, values: grid.values, strength: strength, meaning: meaningOf(record, site) },
          record.prompts[0],
          stop,
        ),
      )}
    </div>
    <ul class="legend">
      <li class="formula">${grid.measure === 'alpha' ? formulas[form] : 'h̃ = h + βv'}</li>
      ${grid.measure === 'alpha' && !grid.sites.every(isWhole) && html`<li>Σα of the heads or neurons of a cell, each with its own</li>`}
      <li class="ramp">
        ${scalar ? `× ${numberText(1 - most)}` : `−${numberText(most)}`} ${ramp}<span class="cell zero"></span>${rise}
        ${scalar ? `× ${numberText(1 + most)}` : numberText(most)}
      </li>
      ${signs && sample('down s6 ablated', '× 0: ablated')}${signs && sample('down s6 reversed', 'below × 0: reversed')}
      ${sample('zero', 'untouched')}${sample('dead', 'cannot reach the answer')}
    </ul>
    <div class="cell-reading only-live">
      <p data-cell-name></p>
      <dl class="figures" data-cell-figures></dl>
    </div>
    <details>
      <summary>Every cell as a table</summary>
      <div class="scroll tall" tabindex="0" role="region" aria-label="Every cell">
        ${cellTable(grid, record.prompts[0], [
          ...(record.comparisons ?? []),
          ...(record.edits
            ? [
                { measure: 'Δnorm', values: record.edits.norm },
                { measure: 'Δdir', values: record.edits.direction },
              ]
            : []),
        ])}
      </div>
    </details>`;
}

/** A measure of the cells in small, every site, with what it agrees with. */
function measure(
  grid: SteeringGridRecord,
  name: string,
  values: readonly (number | null)[],
  figures: readonly (readonly [string, string])[],
): Markup {
  const meaning = { name, scalar: false, form: 'linear', bound: 3, most: mostOf(values, grid.live) } as const;
  return html`<div class="measure">
    <h4>${name}</h4>
    <div class="small-maps" role="img" aria-label="${name} of every cell; the numbers are in the table of cells">
      ${grid.sites.map(
        (site, i) =>
          html`<div>
            <p>${siteName(site)}</p>
            ${smallCellMap({ grid, site: i, values, strength: 1, meaning })}
          </div>`,
      )}
    </div>
    <dl class="figures">${definitionsOf(figures)}</dl>
  </div>`;
}

/** Every other measure of the cells beside what was learnt. */
export function comparedCells({ comparisons = [] }: SteeringRecord, grid: SteeringGridRecord): Markup | false {
  if (!comparisons.length) return false;
  const own = measureName(grid.measure);
  return html`<div class="measures">
    ${measure(grid, `${own}, as learnt`, grid.values, [])}
    ${comparisons.map(({ measure: name, values, agreement }) =>
      measure(
        grid,
        name,
        values,
        agreement
          ? [
              [`Spearman with ${own}`, numberText(agreement.spearman, 2)],
              [`Jaccard of the top ${agreement.topJaccard.k}`, numberText(agreement.topJaccard.value, 2)],
            ]
          : [],
      ),
    )}
  </div>`;
}

/** What becomes of the length and the direction of the activations. */
export function editedCells({ edits }: SteeringRecord, grid: SteeringGridRecord): Markup | false {
  if (!edits) return false;
  const at = `at β = ${numberText(edits.strength)}`;
  return html`<div class="measures">
    ${measure(grid, `Δnorm: longer or shorter, ${at}`, edits.norm, [['largest', numberText(mostOf(edits.norm, grid.live))]])}
    ${measure(grid, `Δdir: how far it turns, ${at}`, edits.direction, [['largest, 2 is reversed', numberText(mostOf(edits.direction, grid.live))]])}
  </div>`;
}
