// Overlap against transfer: how much a circuit shares with a task's own, across, and how faithful it is on that task, upwards; with the points as a table.
import type { ComparisonRecord, OverlapMeasure } from './comparison-record.js';
import { measureNames, shareText } from './comparison-summary.js';
import { html } from './markup.js';
import type { Markup } from './markup.js';
import { numberText } from './number-text.js';
import { smallPlot } from './small-plot.js';

type Cross = NonNullable<ComparisonRecord['cross']>;
/** Faithfulness is not clipped, but an axis that followed every outlier would flatten what lies between 0 and 1. */
const axisEnds = [-1, 2] as const;
const measures = Object.keys(measureNames) as OverlapMeasure[];

export function transferPlot({ circuits }: ComparisonRecord, cross: Cross): Markup {
  if (!cross.points.length) return html`<p class="note">No circuit was run on another’s pairs.</p>`;
  const name = (place: number): string => circuits[place]?.name ?? '';
  const outside = cross.points.some(({ faithfulness: f }) => f < axisEnds[0] || f > axisEnds[1]);
  return html`<div class="pairwise">${measures.map((measure) => scatter(cross, measure, name))}</div>
    <p class="note">
      A point is a circuit on another’s task: across, what it shares with that task’s own circuit; upwards, its
      faithfulness there.
      ${outside && html`Values outside ${numberText(axisEnds[0])} to ${numberText(axisEnds[1])} are drawn at the edge.`}
    </p>
    <details>
      <summary>The same numbers as a table</summary>
      <div class="scroll tall" tabindex="0" role="region" aria-label="Circuits on other tasks">
        ${pointTable(cross, name)}
      </div>
    </details>`;
}

function scatter({ points, correlation }: Cross, measure: OverlapMeasure, name: (place: number) => string): Markup {
  const values = points.map(({ faithfulness }) => faithfulness);
  const { points: count, spearman, pearson } = correlation[measure];
  const says = `Spearman ${shareText(spearman)}, Pearson ${shareText(pearson)}, ${count} points`;
  const known = points.flatMap((point) => {
    const x = point[measure];
    return x === null ? [] : [{ ...point, x }];
  });
  return smallPlot({
    kind: 'scatter',
    head: measureNames[measure],
    under: says,
    label: `Faithfulness on the other task against ${measureNames[measure]}: ${says}`,
    across: { ends: [0, 1], name: 'shared with the task’s own circuit' },
    upward: {
      ends: [
        Math.max(axisEnds[0], Math.min(-0.05, ...values) - 0.03),
        Math.min(axisEnds[1], Math.max(1.05, ...values) + 0.03),
      ],
    },
    height: 300,
    inside: ({ x, y }) =>
      html`<g class="series absolute">
        ${known.map(
          (point) =>
            html`<circle cx="${x(point.x)}" cy="${y(point.faithfulness)}" r="4.5">
              <title>${name(point.circuit)} on ${name(point.task)}: ${shareText(point.faithfulness)}</title>
            </circle>`,
        )}
      </g>`,
  });
}

function pointTable({ points }: Cross, name: (place: number) => string): Markup {
  return html`<table class="numbers">
    <thead>
      <tr>
        <th scope="col">Circuit of</th>
        <th scope="col">on pairs of</th>
        <th scope="col" class="number">Faithfulness</th>
        ${measures.map((measure) => html`<th scope="col" class="number">${measureNames[measure]}</th>`)}
      </tr>
    </thead>
    <tbody>
      ${points.map(
        (point) =>
          html`<tr>
            <td><bdi>${name(point.circuit)}</bdi></td>
            <td><bdi>${name(point.task)}</bdi></td>
            <td class="number">${shareText(point.faithfulness)}</td>
            ${measures.map((measure) => html`<td class="number">${shareText(point[measure])}</td>`)}
          </tr>`,
      )}
    </tbody>
  </table>`;
}
