// The numbers of the faithfulness plot as a table: every evaluated size of every curve, and what the curves are held against.
import type { PointRecord } from './circuit-record.js';
import { baselinesOf, baselineName } from './curve-baselines.js';
import { html } from './markup.js';
import type { Markup } from './markup.js';
import { numberText, percentText, ratioText } from './number-text.js';
import type { CircuitRecord } from './record.js';
import { rangeText } from './size-figures.js';

interface Row {
  readonly chosen: string;
  readonly n: number;
  readonly kept: number;
  readonly f: string;
  readonly range: string;
  readonly also: PointRecord['also'];
  readonly units: PointRecord['units'];
  /** Selection and size of a circuit of the curve. */
  readonly of: string | false;
}

/** `series` are the curves by how their circuits are chosen. */
export function plotTable(
  record: CircuitRecord,
  series: readonly { readonly name: string; readonly selection: string; readonly points: readonly PointRecord[] }[],
): Markup {
  const rows: Row[] = [
    ...series.flatMap(({ name, selection, points }) =>
      points.map((p) => ({
        chosen: name,
        n: p.n,
        kept: p.kept,
        f: p.faithfulness === null ? `– (${p.reason ?? 'no reason recorded'})` : ratioText(p.faithfulness),
        range: p.band ? rangeText(p.band) : '',
        also: p.also,
        units: p.units,
        of: `${selection} ${p.n}`,
      })),
    ),
    ...baselinesOf(record).flatMap((baseline) =>
      baseline.points.map((p) => ({
        chosen: baselineName(baseline),
        n: p.n,
        kept: p.kept,
        f: ratioText(p.faithfulness),
        range: baseline.draws > 1 ? rangeText(p) : '',
        also: undefined,
        units: undefined,
        of: false as const,
      })),
    ),
  ];
  const { unit } = record.method;
  const ranged = rows.some(({ range }) => range !== '');
  const further = [...new Set(rows.flatMap(({ also }) => Object.keys(also ?? {})))];
  return html`<table class="numbers">
    <thead>
      <tr>
        <th scope="col">Chosen</th>
        ${unit && html`<th scope="col" class="number">${unit === 'node' ? 'Nodes' : 'Neurons'}</th>`}
        <th scope="col" class="number">${unit ? 'Edges' : 'Edges asked for'}</th>
        <th scope="col" class="number">Part of all</th>
        <th scope="col" class="number">After pruning</th>
        <th scope="col" class="number">Faithfulness</th>
        ${ranged && html`<th scope="col">Range</th>`}
        ${further.map((name) => html`<th scope="col" class="number">${metricName(name)}</th>`)}
      </tr>
    </thead>
    <tbody>
      ${rows.map(
        ({ chosen, n, kept, f, range, also, of, units }) =>
          html`<tr ${of && html`data-at="${of}"`}>
            <td>${chosen}</td>
            ${unit && html`<td class="number">${units === undefined ? '' : numberText(units, 9)}</td>`}
            <td class="number">${numberText(n, 9)}</td>
            <td class="number">${percentText(n / record.graph.edgeCount)}</td>
            <td class="number">${numberText(kept, kept % 1 ? 3 : 9)}</td>
            <td class="number">${f}</td>
            ${ranged && html`<td>${range}</td>`}
            ${further.map((name) => html`<td class="number">${also?.[name] ? numberText(also[name].value) : ''}</td>`)}
          </tr>`,
      )}
    </tbody>
  </table>`;
}

/** Every metric is higher where the model is better; the divergence is negated for it. */
export const metricName = (name: string): string => (name === 'kl' ? '−KL' : name);
