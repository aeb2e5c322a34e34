// Faithfulness against the fraction of edges kept (log axis), with the clean and corrupted baselines, and the same numbers as a table.
import { format } from 'd3-format';
import { scaleLinear, scaleLog } from 'd3-scale';
import { line } from 'd3-shape';
import type { PointRecord } from './circuit-record.js';
import type { CircuitRecord } from './record.js';
import { html } from './markup.js';
import type { Markup } from './markup.js';
import { numberText, percentText } from './number-text.js';

type Selection = 'absolute' | 'signed';
interface Series {
  readonly selection: Selection;
  /** By n, each n once. */
  readonly points: readonly PointRecord[];
}

const size = { width: 640, height: 330, left: 46, right: 92, top: 18, bottom: 50 };
const names: Readonly<Record<Selection, string>> = {
  absolute: 'top edges by |score|',
  signed: 'top edges by signed score',
};

/** One series per way of selecting, over all sizes that were evaluated. */
export function seriesOf({ curves }: CircuitRecord): Series[] {
  return (['absolute', 'signed'] as const).flatMap((selection) => {
    const byN = new Map(
      curves.filter((c) => c.selection === selection).flatMap((c) => c.points.map((p) => [p.n, p] as const)),
    );
    return byN.size ? [{ selection, points: [...byN.values()].sort((a, b) => a.n - b.n) }] : [];
  });
}

export function faithfulnessPlot(record: CircuitRecord, id: string): Markup {
  const series = seriesOf(record);
  const measured = series.flatMap(({ points }) => points).filter((p) => p.n > 0);
  if (!measured.length) return html`<p class="note">No size was evaluated.</p>`;
  const values = measured.flatMap((p) => (p.faithfulness === null ? [] : [p.faithfulness]));
  const edges = record.graph.edgeCount;
  const x = scaleLog(
    [Math.min(...measured.map((p) => p.n)) / edges / 1.25, 1.12],
    [size.left, size.width - size.right],
  );
  const y = scaleLinear(
    [Math.min(-0.06, ...values) - 0.02, Math.max(1.08, ...values) + 0.02],
    [size.height - size.bottom, size.top],
  );
  const { clean, corrupted } = record.baselines;
  const [left, right, floor] = [size.left, size.width - size.right, size.height - size.bottom];
  const percent = format('~%');
  const ticks = x.ticks(5).filter((t) => t <= 1 && Number.isInteger(Math.round(Math.log10(t) * 1e6) / 1e6));
  const lineTo = line<PointRecord>()
    .defined((p) => p.faithfulness !== null)
    .x((p) => x(p.fraction))
    .y((p) => y(p.faithfulness ?? 0));

  return html`<div class="scroll" tabindex="0" role="region" aria-label="Plot of faithfulness">
      <svg
        class="plot"
        viewBox="0 0 ${size.width} ${size.height}"
        width="${size.width}"
        height="${size.height}"
        role="img"
        aria-labelledby="${id}-plot-says"
      >
        <g class="grid">
          ${y.ticks(6).map((t) => html`<path d="M${left} ${y(t)}H${right}" /><text class="tick" x="${left - 8}" y="${y(t) + 4}">${numberText(t)}</text>`)}
        </g>
        <g class="grid">
          ${ticks.map((t) => html`<path d="M${x(t)} ${size.top}V${floor}" /><text class="tick mid" x="${x(t)}" y="${floor + 18}">${percent(t)}</text><text class="tick mid soft" x="${x(t)}" y="${floor + 33}">${numberText(t * edges)}</text>`)}
        </g>
        <path class="axis" d="M${left} ${floor}H${right}" />
        <text class="tick" x="${left - 8}" y="${floor + 18}" aria-hidden="true">part</text>
        <text class="tick soft" x="${left - 8}" y="${floor + 33}" aria-hidden="true">edges</text>
        <g class="baseline">
          <path d="M${left} ${y(1)}H${right}" />
          <text x="${right + 8}" y="${y(1) - 1}">clean</text>
          <text class="soft" x="${right + 8}" y="${y(1) + 14}">${numberText(clean)}</text>
          <path d="M${left} ${y(0)}H${right}" />
          <text x="${right + 8}" y="${y(0) - 1}">corrupted</text>
          <text class="soft" x="${right + 8}" y="${y(0) + 14}">${numberText(corrupted)}</text>
        </g>
        ${record.smallest.map(({ threshold, n }) => threshold > 0 && html`<g class="threshold"><path d="M${left} ${y(threshold)}H${n === null ? right : x(n / edges)}${n === null ? '' : `V${floor}`}" /><text x="${left + 6}" y="${y(threshold) - 4}">${numberText(threshold)}${n === null ? ' not reached' : ` at ${numberText(n, 9)}`}</text></g>`)}
        ${series.map(({ selection, points }) => {
          const seen = points.filter((p) => p.n > 0);
          return html`<g class="series ${selection}"
            ><path
              class="curve"
              d="${lineTo(seen) ?? ''}"
            />${seen.map((p) => mark(p, selection, x(p.fraction), p.faithfulness === null ? floor : y(p.faithfulness)))}</g
          >`;
        })}
      </svg>
    </div>
    <ul class="legend">
      ${series.map(
        ({ selection }) =>
          html`<li class="series ${selection}">
            <svg viewBox="0 0 34 14" width="34" height="14" aria-hidden="true">
              <path class="curve" d="M1 7H33" />
              ${shape(selection, 17, 7)}
            </svg>
            ${names[selection]}
          </li>`,
      )}
    </ul>
    <p class="note" id="${id}-plot-says">${inWords(record, series)}</p>
    <details>
      <summary>The same numbers as a table</summary>
      <div class="scroll" tabindex="0" role="region" aria-label="Evaluated sizes">${table(series)}</div>
    </details>`;
}

function shape(selection: Selection, x: number, y: number): Markup {
  return selection === 'absolute'
    ? html`<circle cx="${x}" cy="${y}" r="4" />`
    : html`<rect x="${x - 3.6}" y="${y - 3.6}" width="7.2" height="7.2" />`;
}

function mark(point: PointRecord, selection: Selection, x: number, y: number): Markup {
  const says = `${numberText(point.n, 9)} edges (${percentText(point.fraction)}), ${numberText(point.kept, 9)} after pruning: `;
  if (point.faithfulness === null)
    return html`<g
      ><path class="cross" d="M${x - 4} ${y - 4}l8 8m0-8l-8 8" /><title>
        ${says}no faithfulness, ${point.reason ?? 'no reason recorded'}
      </title></g
    >`;
  return html`<g>${shape(selection, x, y)}<title>${says}${numberText(point.faithfulness)}</title></g>`;
}

/** One sentence a reader who cannot see the plot needs, and what the plot leaves out. */
function inWords(record: CircuitRecord, series: readonly Series[]): string {
  const parts = series.map(({ selection, points }) => {
    const known = points.filter((p) => p.n > 0 && p.faithfulness !== null);
    const [first, last] = [known[0], known.at(-1)];
    if (!first || !last) return `With the ${names[selection]}, no size has a faithfulness.`;
    return `With the ${names[selection]}, faithfulness goes from ${numberText(first.faithfulness)} at ${numberText(first.n, 9)} edge${first.n === 1 ? '' : 's'} to ${numberText(last.faithfulness)} at ${numberText(last.n, 9)}.`;
  });
  const zero = series.some(({ points }) => points.some((p) => p.n === 0));
  const missing = series.flatMap(({ points }) => points).find((p) => p.faithfulness === null);
  const { cpr, cmd, logArea } = record.areas;
  parts.push(
    `Areas: mean over the log axis ${numberText(logArea)} (1 is perfect), CMD ${numberText(cmd)} (0 is perfect), CPR ${numberText(cpr)}.`,
  );
  if (zero) parts.push('Sizes of zero edges are left out of the plot.');
  if (missing) parts.push(`A cross marks a size without faithfulness: ${missing.reason ?? 'no reason recorded'}.`);
  return parts.join(' ');
}

function table(series: readonly Series[]): Markup {
  const rows = series.flatMap(({ selection, points }) => points.map((p) => ({ selection, ...p })));
  return html`<table class="numbers">
    <thead>
      <tr>
        <th scope="col">Chosen</th>
        <th scope="col">Edges asked for</th>
        <th scope="col">Part of all</th>
        <th scope="col">After pruning</th>
        <th scope="col">Faithfulness</th>
      </tr>
    </thead>
    <tbody>
      ${rows.map(
        (p) =>
          html`<tr>
            <td>${names[p.selection]}</td>
            <td>${numberText(p.n, 9)}</td>
            <td>${percentText(p.fraction)}</td>
            <td>${numberText(p.kept, 9)}</td>
            <td>
              ${p.faithfulness === null ? `– (${p.reason ?? 'no reason recorded'})` : numberText(p.faithfulness, 4)}
            </td>
          </tr>`,
      )}
    </tbody>
  </table>`;
}
