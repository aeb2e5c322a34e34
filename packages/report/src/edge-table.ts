// The table of all edges. The page holds the first rows as markup, so that it reads and prints without its script; the script sorts, filters and adds rows.
import type { CircuitRecord } from './record.js';
import { html } from './markup.js';
import type { Markup } from './markup.js';
import { decimalsFor, edgeParts, nodeLabel, numberText, oftenText, scoreText } from './number-text.js';

/** Rows in the page as it is written, and rows that the script adds at a time. */
export const firstRows = 25;

export function edgeTable(record: CircuitRecord, id: string): Markup {
  const exact = record.edges.some((edge) => edge[3] !== undefined);
  const size = (i: number): number => Math.abs(record.edges[i]?.[1] ?? 0);
  const order = record.edges.map((_, i) => i).sort((a, b) => size(b) - size(a) || a - b);
  const often = oftenOf(record);
  const decimals = decimalsFor(record.edges.map(([, score]) => score));
  const row = (i: number, rank: number): Markup => {
    const [name, score, inGraph, reference] = record.edges[i] ?? ['', null, false];
    const [from, to, slot] = edgeParts(name);
    return html`<tr>
      <td>${rank + 1}</td>
      <td>${nodeLabel(from)}</td>
      <td>${nodeLabel(to)}</td>
      <td>${slot}</td>
      <td class="number">${scoreText(score, decimals)}</td>
      ${exact && html`<td class="number">${scoreText(reference, decimals)}</td>`}
      <td>${inGraph ? 'yes' : ''}</td>
      ${often && html`<td class="number">${oftenText(often.get(i))}</td>`}
    </tr>`;
  };
  const head = (key: string, text: string, sorted = false): Markup =>
    html`<th
      scope="col"
      class="${['score', 'exact', 'often'].includes(key) && 'number'}"
      data-key="${key}"
      ${sorted && descending}
    >
      <button type="button" data-sort="${key}">${text}</button>
    </th>`;
  return html`<div class="controls only-live">
      <label
        >Find <input type="search" data-find placeholder="1.2, MLP 0, logits …" autocomplete="off" spellcheck="false"
      /></label>
      <label
        >Enters as
        <select data-slot>
          <option value="">anything</option>
          <option value="q">query</option>
          <option value="k">key</option>
          <option value="v">value</option>
          <option value="-">MLP or logits</option>
        </select></label
      >
      <label><input type="checkbox" data-only /> in the circuit only</label>
      <button type="button" data-csv>Copy as CSV</button>
    </div>
    <div class="scroll tall" tabindex="0" role="region" aria-label="Edges">
      <table class="numbers edge-table" id="${id}-edges">
        <thead>
          <tr>
            <th scope="col">#</th>
            ${head('from', 'From')}${head('to', 'To')}${head('slot', 'As')}${head('score', 'Score', true)}${exact && head('exact', 'Exact')}${head('in', 'In circuit')}${often && head('often', 'Found again')}
          </tr>
        </thead>
        <tbody data-rows>
          ${order.slice(0, firstRows).map(row)}
        </tbody>
      </table>
    </div>
    <p class="note">
      <span data-count aria-live="polite"
        >The ${numberText(Math.min(firstRows, order.length), 9)} strongest of ${numberText(order.length, 9)}
        edges.</span
      >
      <button type="button" class="only-live" data-more>Show more</button>
      ${order.length < record.graph.edgeCount && html`The graph has ${numberText(record.graph.edgeCount, 9)} edges; the record leaves out the weakest.`}
    </p>`;
}

/** By edge, the share of resampled searches that found it; undefined where none were made. */
export function oftenOf({ stability }: CircuitRecord): ReadonlyMap<number, number> | undefined {
  return stability && new Map(stability.selected.map(([index, share]) => [index, share]));
}

const descending = html`aria-sort="descending"`;
