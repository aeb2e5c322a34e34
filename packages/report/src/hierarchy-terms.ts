// Learnt values in the fewest terms: what a whole site, a layer, a role or a single cell adds, level by level.
import { positionName, shortPosition } from './cell-name.js';
import type { CellPlaces } from './cell-name.js';
import { definitionsOf } from './definitions.js';
import { html } from './markup.js';
import type { Markup } from './markup.js';
import { numberTable } from './number-table.js';
import { numberText, percentText, shortDecimalsFor, signedText } from './number-text.js';
import { endsOf, signedBars } from './signed-bars.js';
import { siteName } from './steering-cell.js';
import type { SteeringHierarchyRecord } from './steering-explanations.js';
import { clip, measureName } from './token-words.js';

type Term = SteeringHierarchyRecord['terms'][number];

/** Bars of a level, rows of the table; the record has all. */
const [mostBars, mostRows] = [10, 400];
/** Levels from the coarsest on, as their plots are headed. */
const levels = [
  ['site', 'Whole sites'],
  ['layer', 'Layers, at every position'],
  ['role', 'Positions, in every layer'],
  ['cell', 'Single cells'],
] as const;

/** The position of a cell, or a role. */
function termPosition({ position = '' }: Term, places: CellPlaces, say: typeof positionName): string {
  const at = places.grid.positions.indexOf(position);
  return at < 0 ? position : say(places, at);
}

/** 'attention out, layer 2, country': a term as one names it. */
const termName = (term: Term, places: CellPlaces): string =>
  [siteName(term.site), term.layer !== undefined && `layer ${term.layer}`, termPosition(term, places, shortPosition)]
    .filter(Boolean)
    .join(', ');

export function hierarchyTerms(
  { terms, summary, explained, explainedAbove, penalty }: SteeringHierarchyRecord,
  places: CellPlaces,
): Markup {
  const ordered = levels.map(([level, head]) => ({
    head,
    terms: terms.filter((term) => term.level === level).sort((a, b) => Math.abs(b.value) - Math.abs(a.value)),
  }));
  const ends = endsOf(terms);
  const empty = ordered.filter((level) => level.terms.length === 0).map(({ head }) => head.toLowerCase());
  const decimals = shortDecimalsFor(terms.map(({ value }) => value));
  const text = (value: number): string => signedText(value, decimals);
  return html`<ul class="said">
      ${summary.map((line) => said(line, places))}
    </ul>
    <dl class="figures">
      ${definitionsOf([
        ['of the squares explained', explained === null ? '–' : percentText(explained, 3)],
        ['without single cells', explainedAbove === null ? '–' : percentText(explainedAbove, 3)],
        ['terms that are not 0', numberText(terms.length, 9)],
        ['weight λ of their sizes', numberText(penalty)],
      ])}
    </dl>
    <div class="pairwise levels">
      ${ordered.map(
        ({ head, terms: own }) =>
          own.length > 0 &&
          html`<div>
            ${signedBars({
              head,
              label: `${head}: ${own
                .slice(0, 3)
                .map((term) => `${termName(term, places)} ${text(term.value)}`)
                .join('; ')}`,
              names: 204,
              ends,
              bars: own.slice(0, mostBars).map((term) => ({
                name: clip(termName(term, places), 32),
                value: term.value,
                text: text(term.value),
                kind: term.value > 0 ? 'needed' : 'harmful',
              })),
            })}
            ${
              own.length > mostBars &&
              html`<p class="note">and ${numberText(own.length - mostBars, 9)} more in the table</p>`
            }
          </div>`,
      )}
    </div>
    <p class="note">
      ${measureName(places.grid.measure)} of a cell is the sum of the terms that it is
      under.${empty.length > 0 && ` Every term is 0 of: ${empty.join('; ')}.`}
    </p>
    ${
      terms.length > 0 &&
      html`<details>
        <summary>The terms as a table</summary>
        <div class="scroll tall" tabindex="0" role="region" aria-label="Terms by level">
          ${numberTable(
            ['Level', 'Site', 'Position', 'Layer', 'Adds'],
            ordered
              .flatMap((level) => level.terms)
              .slice(0, mostRows)
              .map((term) => ({
                texts: [
                  term.level,
                  siteName(term.site),
                  termPosition(term, places, positionName) || 'every',
                  term.layer === undefined ? 'every' : String(term.layer),
                  text(term.value),
                ],
              })),
            3,
          )}
        </div>
        ${terms.length > mostRows && html`<p class="note">The record has all ${numberText(terms.length, 9)} terms.</p>`}
      </details>`
    }`;
}

/** A line of the summary, 'hook_attn_out: layer 2 at '6' (+0.4)', with its site and its positions as one names them. */
function said(line: string, places: CellPlaces): Markup {
  const named = line.replace(/'([^']*)'/g, (quoted, name: string) => {
    const at = places.grid.positions.indexOf(name);
    const short = at < 0 ? quoted : shortPosition(places, at);
    return at < 0 || short.startsWith('“') ? short : `‘${short}’`;
  });
  const [site, end] = [named.slice(0, named.indexOf(': ')), named.indexOf(': ')];
  return end > 0 ? html`<li><b>${siteName(site)}</b>${named.slice(end)}</li>` : html`<li>${named}</li>`;
}
