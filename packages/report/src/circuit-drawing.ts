// The circuit drawn in layers, as SVG: width is |score|, an arrowhead helps and a bar hinders, q, k and v enter at their own ports.
import { scaleLinear } from 'd3-scale';
import type { CircuitRecord } from './record.js';
import type { DrawnCircuit } from './circuit-record.js';
import { drawable, mostDrawn } from './drawable.js';
import { arrowLength, layOut, portSpread } from './circuit-layout.js';
import type { PlacedEdge } from './circuit-layout.js';
import { fewHeads } from './circuit-rows.js';
import type { PlacedNode } from './circuit-rows.js';
import { html } from './markup.js';
import { sizeOf } from './live-data.js';
import type { Markup } from './markup.js';
import { sizeFigures } from './size-figures.js';
import { oftenOf } from './edge-table.js';
import { decimalsFor, edgeParts, nodeLabel, numberText, scoreText, sizeText, spokenNode } from './number-text.js';

export function circuitDrawing(record: CircuitRecord, id: string): Markup {
  const { circuits, shown } = drawable(record);
  const scores = record.edges.map(([, score]) => score ?? 0);
  const strength = (index: number): number => Math.abs(scores[index] ?? 0);
  const drawn = [...new Set(circuits.flatMap(({ edges }) => edges))].sort((a, b) => strength(b) - strength(a) || a - b);
  const largest = Math.max(...drawn.map(strength), Number.MIN_VALUE);
  const width = scaleLinear([0, largest], [1, 9]).clamp(true);
  const layout = layOut(
    record.graph,
    drawn.map((index) => ({ index, name: record.edges[index]?.[0] ?? '', weight: strength(index) })),
  );
  const now = new Set(circuits[shown]?.edges);
  const often = oftenOf(record);
  const active = new Set([...now].flatMap((index) => edgeParts(record.edges[index]?.[0] ?? '').slice(0, 2)));
  if (!circuits.length)
    return html`<p class="note">
      No circuit of this record is small enough to draw (${mostDrawn} edges at most); its edges are in the table.
    </p>`;

  return html`${controls(record, circuits, shown, id)}
    <div class="drawing">
      <div class="scroll" tabindex="0" role="region" aria-label="Drawing of the circuit">
        <svg
          class="${record.graph.heads <= fewHeads ? 'small' : record.graph.heads > 6 && 'large'}"
          viewBox="0 0 ${layout.width} ${layout.height}"
          width="${layout.width}"
          height="${layout.height}"
          role="group"
          aria-label="Circuit with ${now.size} edges from input, below, to logits, above"
        >
          <g class="edges">
            ${[...layout.edges].reverse().map((edge) => edgeShape(edge, record, width, [!now.has(edge.index) && 'off', often && `again${Math.floor(4 * (often.get(edge.index) ?? 0))}`]))}
          </g>
          <g class="nodes">${layout.nodes.map((node) => nodeShape(node, active.has(node.name)))}</g>
        </svg>
      </div>
      <div class="reading" aria-live="polite" data-reading>${strongest(record, [...now])}</div>
    </div>
    ${legend(width, largest)}`;
}

function controls(record: CircuitRecord, circuits: readonly DrawnCircuit[], shown: number, id: string): Markup {
  const { n = 0, selection = 'absolute' } = circuits[shown] ?? {};
  const size = sizeOf(record, { n, selection });
  const { edgeCount } = record.graph;
  const { unit } = record.method;
  const kept = circuits[shown]?.edges.length ?? 0;
  const kinds = [...new Set(circuits.map((circuit) => circuit.selection))];
  const choice = (kind: string): Markup =>
    html`<label
      ><input type="radio" name="${id}-selection" value="${kind}" data-selection ${kind === selection && checked} />
      ${kind === 'absolute' ? 'by |score|' : 'by signed score'}</label
    >`;
  return html`<div class="controls">
    <div class="only-live">
      <label for="${id}-size">Circuit size</label>
      <button type="button" data-step="-1" aria-label="Smaller circuit">−</button>
      <input
        type="range"
        id="${id}-size"
        min="0"
        max="${circuits.length - 1}"
        value="${shown}"
        data-size
        aria-describedby="${id}-says"
      />
      <button type="button" data-step="1" aria-label="Larger circuit">+</button>
      ${record.stability && html`<label><input type="checkbox" data-again /> ink by how often found again</label>`}
      ${kinds.length > 1 && html`<span class="choice" role="radiogroup" aria-label="Edges chosen">${kinds.map(choice)}</span>`}
    </div>
    <output id="${id}-says" data-says>${sizeText({ n, kept, edgeCount, unit, units: size.units })}</output>
    <dl class="figures" data-figures>
      ${sizeFigures(size).map(
        ([name, value]) =>
          html`<div>
            <dt>${name}</dt>
            <dd>${value}</dd>
          </div>`,
      )}
    </dl>
  </div>`;
}

const checked = html`checked`;

function edgeShape(
  { index, path, end: [x, y] }: PlacedEdge,
  record: CircuitRecord,
  width: (s: number) => number,
  classes: readonly (string | false | undefined)[],
): Markup {
  const [name, score] = record.edges[index] ?? ['', 0, false];
  const [from, to, slot] = edgeParts(name);
  const w = width(Math.abs(score ?? 0));
  const half = (w < 2 ? 2.4 : 3.2) + w / 2;
  // Weak edges step back, so that the strong ones are seen among hundreds.
  const ink = (0.4 + (0.55 * (w - 1)) / 8).toFixed(2);
  const helps = (score ?? 0) >= 0;
  const head = helps
    ? `M${x} ${y} l${-half} ${arrowLength} h${2 * half} z`
    : `M${x - half - 1} ${y + 1.5} h${2 * half + 2} v3.2 h${-2 * half - 2} z`;
  const into = slot ? `${nodeLabel(to)} ${slot}` : nodeLabel(to);
  return html`<g class="edge ${helps ? 'helps' : 'hinders'} ${classes.filter(Boolean).join(' ')}" data-edge="${index}"
    ><path class="reach" d="${path}" /><path
      class="way"
      d="${path}"
      stroke-width="${w.toFixed(1)}"
      stroke-opacity="${ink}"
    /><path class="head" d="${head}" fill-opacity="${ink}" /><title>
      ${nodeLabel(from)} → ${into}: ${numberText(score)}
    </title></g
  >`;
}

function nodeShape({ name, x, y, width, height }: PlacedNode, active: boolean): Markup {
  const kind = name.startsWith('a') ? 'head' : name.startsWith('m') ? 'mlp' : 'end';
  const left = x - width / 2;
  const top = y - height / 2;
  const port = (slot: string, i: number): Markup =>
    html`<text class="port" x="${x + (i - 1) * portSpread * width}" y="${top + height - 4}">${slot}</text>`;
  return html`<g
    class="node ${kind} ${active && 'on'}"
    data-node="${name}"
    role="button"
    aria-pressed="false"
    tabindex="-1"
    aria-label="${spokenNode(name)}"
  >
    <rect x="${left}" y="${top}" width="${width}" height="${height}" rx="${kind === 'mlp' ? height / 2 : 5}" />
    <text class="name" x="${x}" y="${y + (kind === 'head' ? -1 : 4.5)}">${nodeLabel(name)}</text>
    ${kind === 'head' && ['q', 'k', 'v'].map(port)}
  </g>`;
}

/** The strongest edges as a list: what the drawing says, in words. */
function strongest(record: CircuitRecord, edges: readonly number[]): Markup {
  const decimals = decimalsFor(record.edges.map(([, score]) => score));
  const size = (index: number): number => Math.abs(record.edges[index]?.[1] ?? 0);
  const order = [...edges].sort((a, b) => size(b) - size(a) || a - b);
  const item = (index: number): Markup => {
    const [name, score] = record.edges[index] ?? ['', null, false];
    const [from, to, slot] = edgeParts(name);
    return html`<li>
      <span>${nodeLabel(from)} → ${nodeLabel(to)}${slot && html` <b>${slot}</b>`}</span>
      <data value="${score ?? ''}">${scoreText(score, decimals)}</data>
    </li>`;
  };
  return html`<h4>Strongest edges</h4>
    <ol>
      ${order.slice(0, 12).map(item)}
    </ol>
    ${order.length > 12 && html`<p class="note">and ${order.length - 12} more</p>`}`;
}

function legend(width: (s: number) => number, largest: number): Markup {
  const sample = (share: number): Markup =>
    html`<svg viewBox="0 0 34 14" width="34" height="14" aria-hidden="true">
      <path class="way" d="M2 7H32" stroke-width="${width(largest * share).toFixed(1)}" />
    </svg>`;
  return html`<ul class="legend" aria-label="How to read the drawing">
    <li class="helps">
      <svg viewBox="0 0 34 16" width="34" height="16" aria-hidden="true">
        <path class="way" d="M2 8H24" stroke-width="3" />
        <path class="head" d="M33 8l-9-5v10z" />
      </svg>
      helps: solid, arrowhead
    </li>
    <li class="hinders">
      <svg viewBox="0 0 34 16" width="34" height="16" aria-hidden="true">
        <path class="way" d="M2 8H29" stroke-width="3" />
        <path class="head" d="M29 2h3v12h-3z" />
      </svg>
      hinders: dashed, bar
    </li>
    <li>${sample(0.05)}${sample(0.4)}${sample(1)} width: |score|, up to ${numberText(largest)}</li>
    <li><b class="ports">q k v</b> where an edge enters a head: query, key or value</li>
    <li class="only-live">
      point at a node or an edge, click to keep it; or Tab to the drawing: ↑ ↓ follow the strongest edge, ← → its
      neighbours, Enter keeps, Esc leaves
    </li>
  </ul>`;
}
