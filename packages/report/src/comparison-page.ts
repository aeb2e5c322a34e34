// renderComparison: circuits compared as one HTML file, from the same parts as the page of a circuit.
import { checkComparison } from './comparison-record.js';
import type { ComparedPair, ComparisonRecord, OverlapRecord } from './comparison-record.js';
import { chanceText, shareText, summariseComparison } from './comparison-summary.js';
import { heatTable } from './heat-table.js';
import type { HeatCell } from './heat-table.js';
import { html } from './markup.js';
import type { Markup } from './markup.js';
import { nodeLabel, numberText } from './number-text.js';
import { pageShell } from './page-shell.js';
import { commandBlock, factList, valueList } from './provenance.js';
import { maskSecrets } from './secrets.js';
import { transferPlot } from './transfer-plot.js';

/** Nodes and edges of the core that are named on the page; the record has all. */
const mostNamed = 60;

/**
 * One self-contained HTML page about a comparison: heat maps of overlap, of chance and of faithfulness across tasks, and overlap against
 * transfer, each with its numbers. Deterministic: the same record gives the same bytes.
 * @throws ReportError as `checkComparison`
 */
export function renderComparison(given: ComparisonRecord): string {
  const record = maskSecrets(checkComparison(given));
  const { headline, sentences } = summariseComparison(record);
  const { cross, withoutCore, core } = record;
  return pageShell({
    title: record.title,
    skip: ['shared', 'Skip to what is shared'],
    head: html`<div class="record-head">
      <p class="lede">${headline}</p>
      ${sentences.map((sentence) => html`<p>${sentence}</p>`)}
    </div>`,
    main: html`<section class="record" id="shared" aria-labelledby="shared-title">
        <h2 id="shared-title">What they share</h2>
        ${overlaps(record, record.pairs)}
      </section>
      ${
        withoutCore &&
        html`<section class="record" aria-labelledby="core-title">
          <h2 id="core-title">Without what all of them share</h2>
          ${coreNames(core)} ${overlaps(record, withoutCore)}
        </section>`
      }
      ${
        cross &&
        html`<section class="record" aria-labelledby="cross-title">
          <h2 id="cross-title">How far one does another’s work</h2>
          <figure>
            ${heatTable({
              caption: 'Faithfulness of every circuit on every task',
              corner: 'pairs of ↓ circuit of →',
              names: record.circuits.map(({ name }) => name),
              cell: (task, circuit) => shareCell(cross.faithfulness[task]?.[circuit] ?? null),
            })}
          </figure>
          <figure>
            <h3>Does overlap tell how far?</h3>
            ${transferPlot(record, cross)}
          </figure>
        </section>`
      }
      <section class="record" aria-labelledby="again-title">
        <h2 id="again-title">How to get this again</h2>
        ${commandBlock(record.provenance.commandLine)} ${facts(record)}
      </section>`,
    version: record.provenance.versions['limn'],
    footer: html`IoU is |A ∩ B| ÷ |A ∪ B|; recall is the part of the row’s circuit that the column’s has; p is the
    chance of an overlap as large when as many are drawn at random. Faithfulness is (circuit − empty) ÷ (clean − empty)
    with the task’s own pairs and metric, and is not clipped.`,
  });
}

/** Four maps: IoU of edges and nodes, recall of edges, and chance; then all numbers of every pair. */
function overlaps(record: ComparisonRecord, pairs: readonly ComparedPair[]): Markup {
  const names = record.circuits.map(({ name }) => name);
  const found = new Map(pairs.map((pair) => [`${pair.first} ${pair.second}`, pair]));
  /** The overlap of row and column, turned so that the row comes first. */
  const at = (what: 'edges' | 'nodes', row: number, column: number): OverlapRecord | undefined => {
    const overlap = found.get(`${Math.min(row, column)} ${Math.max(row, column)}`)?.[what];
    if (!overlap || row < column) return overlap;
    const { first, second, recallOfFirst, recallOfSecond } = overlap;
    return { ...overlap, first: second, second: first, recallOfFirst: recallOfSecond, recallOfSecond: recallOfFirst };
  };
  const rarest = Math.max(1, ...pairs.flatMap(({ edges, nodes }) => [-edges.log10P, -nodes.log10P]));
  const map = (caption: string, what: 'edges' | 'nodes', cell: (overlap: OverlapRecord) => HeatCell): Markup =>
    heatTable({
      caption,
      corner: '',
      names,
      cell: (row, column) => {
        const overlap = at(what, row, column);
        return overlap && cell(overlap);
      },
    });
  const rare = (overlap: OverlapRecord): HeatCell => ({ text: chanceText(overlap), share: -overlap.log10P / rarest });
  return html`<div class="pairwise">
      ${map('Edges: IoU', 'edges', ({ iou }) => shareCell(iou))}
      ${map('Nodes: IoU', 'nodes', ({ iou }) => shareCell(iou))}
      ${map('Edges: recall of the row’s by the column’s', 'edges', ({ recallOfFirst }) => shareCell(recallOfFirst))}
      ${map('Nodes: recall of the row’s by the column’s', 'nodes', ({ recallOfFirst }) => shareCell(recallOfFirst))}
      ${map('Edges: p of an overlap as large', 'edges', rare)} ${map('Nodes: p of an overlap as large', 'nodes', rare)}
    </div>
    <details>
      <summary>All numbers of every two</summary>
      <div class="scroll tall" tabindex="0" role="region" aria-label="Every two circuits">
        ${pairTable(pairs, names)}
      </div>
    </details>`;
}

const shareCell = (share: number | null): HeatCell => ({ text: shareText(share), share });

function pairTable(pairs: readonly ComparedPair[], names: readonly string[]): Markup {
  const row = (pair: ComparedPair, what: 'edges' | 'nodes'): Markup => {
    const { shared, first, second, population, iou, recallOfFirst, recallOfSecond } = pair[what];
    const numbers = [shared, first, second, population].map((count) => numberText(count, 9));
    const texts = [
      ...numbers,
      shareText(iou),
      shareText(recallOfFirst),
      shareText(recallOfSecond),
      chanceText(pair[what]),
    ];
    return html`<tr>
      <td><bdi>${names[pair.first]}</bdi></td>
      <td><bdi>${names[pair.second]}</bdi></td>
      <td>${what}</td>
      ${texts.map((text) => html`<td class="number">${text}</td>`)}
    </tr>`;
  };
  const heads = ['Shared', 'Of first', 'Of second', 'Out of', 'IoU', 'Recall of first', 'Of second', 'p'];
  return html`<table class="numbers">
    <thead>
      <tr>
        <th scope="col">First</th>
        <th scope="col">Second</th>
        <th scope="col">What</th>
        ${heads.map((head) => html`<th scope="col" class="number">${head}</th>`)}
      </tr>
    </thead>
    <tbody>
      ${pairs.map((pair) => [row(pair, 'edges'), row(pair, 'nodes')])}
    </tbody>
  </table>`;
}

function coreNames({ edges, nodes }: ComparisonRecord['core']): Markup {
  if (!edges.length && !nodes.length) return html`<p class="note">All of them have nothing in common.</p>`;
  const named = (all: readonly string[], show: (name: string) => string): string =>
    `${all.slice(0, mostNamed).map(show).join(', ')}${all.length > mostNamed ? ' …' : ''}`;
  return html`<p class="note">
      ${numberText(edges.length, 9)} edges and ${numberText(nodes.length, 9)} nodes are left out of both sets and of
      what they are drawn from.
    </p>
    <details>
      <summary>Which ones</summary>
      ${nodes.length > 0 && html`<p class="note">Nodes: ${named(nodes, nodeLabel)}.</p>`}
      ${edges.length > 0 && html`<p class="note">Edges: ${named(edges, (name) => name)}.</p>`}
    </details>`;
}

function facts({ provenance, n, selector, ranking, circuits, graph }: ComparisonRecord): Markup {
  const { model, versions, adapter, options } = provenance;
  const each = circuits.map(
    ({ name, kept }) =>
      html`<span
        ><i><bdi>${name}</bdi></i> ${numberText(kept, 9)}</span
      >`,
  );
  return factList([
    ['Model', model?.name !== undefined && html`${model.name}`],
    ['Weights', model?.weightsSha256 !== undefined && html`<code class="hash">${model.weightsSha256}</code> (SHA-256)`],
    ['Graph', html`${graph.layers} layers of ${graph.heads} heads, ${numberText(graph.edgeCount, 9)} edges`],
    [
      'Circuits',
      html`top ${numberText(n, 9)} edges by ${selector}${ranking === 'signed' && ' of the signed scores'}; left after
        pruning: <span class="pairs">${each}</span>`,
    ],
    ['Adapter', adapter !== undefined && valueList(adapter)],
    ['Versions', valueList(versions)],
    ['Options', valueList(options)],
  ]);
}
