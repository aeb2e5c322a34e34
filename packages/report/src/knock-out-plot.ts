// What every part of the circuit is worth to it: bars of the largest changes of faithfulness when one node or edge is dropped, and all of them as a table.
import { scaleLinear } from 'd3-scale';
import type { DropRecord, KnockOutRecord } from './circuit-record.js';
import { signed, verdictWords } from './drop-words.js';
import { html } from './markup.js';
import type { Markup } from './markup.js';
import { edgeText, nodeLabel, numberText, ratioText, scoreText } from './number-text.js';

/** Bars of each kind; the table has every drop up to `mostRows`. */
const bars = 14;
const mostRows = 400;
const size = { width: 388, label: 124, value: 50, pitch: 22, top: 26, bottom: 8 } as const;

/** By what they do to the faithfulness, or to the metric where there is none, largest first; as they stand where equal. */
export function byWorth(drops: readonly DropRecord[]): DropRecord[] {
  const worth = ({ faithfulnessChange, change }: DropRecord): number => Math.abs(faithfulnessChange ?? change ?? 0);
  return [...drops].sort((a, b) => worth(b) - worth(a));
}

const partText = (name: string): string => (name.includes('->') ? edgeText(name) : nodeLabel(name));

export function knockOutPlot(knockOut: KnockOutRecord): Markup {
  const { nodes, edges, faithfulness } = knockOut;
  return html`<div class="pairwise">
      ${barChart('Nodes', nodes, faithfulness)} ${barChart('Edges', edges, faithfulness)}
    </div>
    <ul class="legend">
      <li class="drops needed">${swatch} needed: worse without it</li>
      <li class="drops harmful">${swatch} harmful: better without it</li>
      <li>the change of faithfulness when it alone is dropped; a part that another can stand in for shows none</li>
    </ul>
    <details>
      <summary>The same numbers as a table</summary>
      <div class="scroll tall" tabindex="0" role="region" aria-label="Knock-outs">
        ${dropTable([...byWorth(nodes), ...byWorth(edges)])}
      </div>
    </details>`;
}

/** As wide in every row, so that the values of a plot stand point under point. */
const thousandths = (value: number | null): string => scoreText(value, 3);

const swatch = html`<svg viewBox="0 0 34 12" width="34" height="12" aria-hidden="true">
  <path class="bar" d="M1 1H33V11H1Z" />
</svg>`;

function barChart(title: string, drops: readonly DropRecord[], faithfulness: number | null): Markup | false {
  const shown = byWorth(drops).slice(0, bars);
  if (!shown.length) return false;
  const change = (drop: DropRecord): number => (faithfulness === null ? drop.change : drop.faithfulnessChange) ?? 0;
  const changes = shown.map(change);
  const { width, label, value, pitch, top, bottom } = size;
  // Values stand beside their bars, at either side.
  const ends = [Math.min(0, ...changes), Math.max(0, ...changes)] as const;
  const left = label + (ends[0] < 0 ? value : 8);
  const right = width - (ends[1] > 0 || ends[0] === 0 ? value : 12);
  const x = scaleLinear(ends[0] === ends[1] ? [-1, 1] : ends, [left, right]);
  const height = top + shown.length * pitch + bottom;
  const bar = (drop: DropRecord, i: number): Markup => {
    const y = top + i * pitch;
    const [from, to] = [x(0), x(change(drop))].map((at) => Math.round(at * 10) / 10) as [number, number];
    const side = change(drop) < 0 ? 'before' : 'after';
    return html`<g class="drops ${drop.verdict}">
      <text class="name" x="${label - 10}" y="${y + 14}">${partText(drop.name)}</text>
      <path class="bar" d="M${from} ${y + 3}H${to}V${y + pitch - 4}H${from}Z" />
      <text class="${side}" x="${to + (side === 'before' ? -6 : 6)}" y="${y + 14}"
        >${signed(change(drop), thousandths)}</text
      >
    </g>`;
  };
  const more = drops.length - shown.length;
  return html`<div>
    <svg
      class="plot worth"
      viewBox="0 0 ${width} ${height}"
      width="${width}"
      height="${height}"
      role="img"
      aria-label="${title} whose drop changes the ${faithfulness === null ? 'metric' : 'faithfulness'} most: ${shown
        .slice(0, 3)
        .map((drop) => `${partText(drop.name)}, ${signed(change(drop), ratioText)}`)
        .join('; ')}"
    >
      <text class="head" x="0" y="14">${title}</text>
      <path class="axis" d="M${x(0).toFixed(1)} ${top - 4}V${height - bottom}" />
      ${shown.map(bar)}
    </svg>
    ${more > 0 && html`<p class="note">and ${numberText(more, 9)} more in the table</p>`}
  </div>`;
}

function dropTable(drops: readonly DropRecord[]): Markup {
  const row = (drop: DropRecord): Markup =>
    html`<tr>
      <td>${drop.name.includes('->') ? 'edge' : 'node'}</td>
      <td>${partText(drop.name)}</td>
      <td class="number">${ratioText(drop.faithfulness)}</td>
      <td class="number">${signed(drop.faithfulnessChange, ratioText)}</td>
      <td class="number">${numberText(drop.value)}</td>
      <td class="number">${signed(drop.change, numberText)}</td>
      <td class="number">${numberText(drop.kept, 9)}</td>
      <td>${verdictWords[drop.verdict].replace(/:.*/, '')}</td>
    </tr>`;
  return html`<table class="numbers">
      <thead>
        <tr>
          <th scope="col">Kind</th>
          <th scope="col">Without</th>
          <th scope="col" class="number">Faithfulness</th>
          <th scope="col" class="number">change</th>
          <th scope="col" class="number">Metric</th>
          <th scope="col" class="number">change</th>
          <th scope="col" class="number">Edges left</th>
          <th scope="col">It is</th>
        </tr>
      </thead>
      <tbody>
        ${drops.slice(0, mostRows).map(row)}
      </tbody>
    </table>
    ${drops.length > mostRows && html`<p class="note">The record has all ${numberText(drops.length, 9)}.</p>`}`;
}

/** How many edges are needed, and the costliest parts, in a sentence. */
export function knockOutSentence({ edges, nodes }: KnockOutRecord): string {
  if (!edges.length) return '';
  const count = (verdict: DropRecord['verdict']): number => edges.filter((drop) => drop.verdict === verdict).length;
  const [idle, harmful, unknown] = [count('idle'), count('harmful'), count('unknown')];
  const others = [
    idle > 0 && `${numberText(idle, 9)} change nothing`,
    harmful > 0 && `${numberText(harmful, 9)} make it better by going`,
    unknown > 0 && `${numberText(unknown, 9)} leave no finite metric`,
  ].filter((part) => part !== false);
  const costliest = (drops: readonly DropRecord[]): string => {
    const [most] = byWorth(drops.filter(({ verdict }) => verdict === 'needed'));
    if (!most) return '';
    const by =
      most.faithfulnessChange === null ? signed(most.change, numberText) : signed(most.faithfulnessChange, ratioText);
    return `${partText(most.name)} (${by})`;
  };
  const [edge, node] = [costliest(edges), costliest(nodes)];
  const cost = edge && `the edge that costs most is ${edge}${node && `, the node ${node}`}`;
  return `Dropped one at a time, ${numberText(count('needed'), 9)} of ${numberText(edges.length, 9)} edges are needed${others.length ? `, ${others.join(', ')}` : ''}${cost && `; ${cost}`}.`;
}
