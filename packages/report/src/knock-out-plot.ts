// What every part of the circuit is worth to it: bars of the largest changes of faithfulness when one node or edge is dropped, and all of them as a table.
import type { DropRecord, KnockOutRecord } from './circuit-record.js';
import { signed, verdictWords } from './drop-words.js';
import { html } from './markup.js';
import type { Markup } from './markup.js';
import { edgeText, nodeLabel, numberText, ratioText, scoreText } from './number-text.js';
import { signedBars } from './signed-bars.js';

/** Bars of each kind; the table has every drop up to `mostRows`. */
const bars = 14;
const mostRows = 400;

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
  const more = drops.length - shown.length;
  const first = shown.slice(0, 3).map((drop) => `${partText(drop.name)}, ${signed(change(drop), ratioText)}`);
  return html`<div>
    ${signedBars({
      head: title,
      label: `${title} whose drop changes the ${faithfulness === null ? 'metric' : 'faithfulness'} most: ${first.join('; ')}`,
      bars: shown.map((drop) => ({
        name: partText(drop.name),
        value: change(drop),
        text: signed(change(drop), thousandths),
        kind: drop.verdict,
      })),
    })}
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
