// Faithfulness against the fraction of edges kept (log axis), with the clean and corrupted baselines, and the same numbers as a table.
import { ablationWords } from './ablation-words.js';
import { format } from 'd3-format';
import { scaleLinear, scaleLog } from 'd3-scale';
import { line } from 'd3-shape';
import type { PointRecord } from './circuit-record.js';
import { band, baselineName, baselineSample, baselineShape, baselinesOf, className } from './curve-baselines.js';
import { plotTable } from './plot-table.js';
import type { CircuitRecord } from './record.js';
import { html } from './markup.js';
import type { Markup } from './markup.js';
import { numberText, ratioText, percentText, tenth } from './number-text.js';

type Selection = 'absolute' | 'signed';
interface Series {
  readonly selection: Selection;
  /** By n, each n once. */
  readonly points: readonly PointRecord[];
}

/** Drawn twice, for wide and for narrow windows, so that its text keeps its size; the style shows one. */
const sizes = [
  { kind: 'wide', width: 700, height: 340, left: 46, right: 92, top: 18, bottom: 50 },
  { kind: 'narrow', width: 388, height: 320, left: 42, right: 72, top: 18, bottom: 50 },
] as const;
/** Faithfulness is not clipped, but an axis that followed every outlier would flatten the curve between 0 and 1. */
const axisEnds = [-1, 2.5] as const;
/** How the circuits of a series are chosen: by edges, or by what the record says. */
const nameOf = ({ method }: CircuitRecord, selection: Selection): string =>
  `top ${method.unit ?? 'edge'}s by ${selection === 'absolute' ? '|score|' : 'signed score'}`;

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
  if (!series.some(({ points }) => points.some((p) => p.n > 0)))
    return html`<p class="note">No size was evaluated.</p>`;
  return html`${sizes.map((size) => plot(record, series, size, id))}
    <ul class="legend">
      ${series.map(({ selection }) => html`<li class="series ${selection}">${sample(selection)} ${nameOf(record, selection)}</li>`)}
      ${record.bands && html`<li class="series absolute">${bandSample} ${percentText(record.bands.confidence)} band over redrawn pairs</li>`}
      ${baselinesOf(record).map((b) => html`<li class="control ${className(b)}">${baselineSample(b)} ${baselineName(b)}${b.draws > 1 && ' and their range'}</li>`)}
    </ul>
    <p class="note" id="${id}-plot-says">${inWords(record, series)}</p>
    <details>
      <summary>The same numbers as a table</summary>
      <div class="scroll" tabindex="0" role="region" aria-label="Evaluated sizes">
        ${plotTable(
          record,
          series.map(({ selection, points }) => ({ name: nameOf(record, selection), selection, points })),
        )}
      </div>
    </details>`;
}

function plot(record: CircuitRecord, series: readonly Series[], size: (typeof sizes)[number], id: string): Markup {
  const measured = series.flatMap(({ points }) => points).filter((p) => p.n > 0);
  const control = baselinesOf(record).flatMap(({ points }) => points);
  const values = [...measured, ...control].flatMap((p) => (p.faithfulness === null ? [] : [p.faithfulness]));
  const edges = record.graph.edgeCount;
  const [left, right, floor] = [size.left, size.width - size.right, size.height - size.bottom];
  const across = scaleLog([Math.min(...measured.map((p) => p.n)) / edges / 1.25, 1.12], [left, right]);
  const lowest = Math.max(axisEnds[0], Math.min(-0.06, ...values) - 0.02);
  const highest = Math.min(axisEnds[1], Math.max(1.08, ...values) + 0.02);
  const upward = scaleLinear([lowest, highest], [floor, size.top]).clamp(true);
  const x = (n: number): number => tenth(across(n / edges));
  const y = (f: number): number => tenth(upward(f));
  const curve = line<PointRecord>()
    .defined((p) => p.faithfulness !== null)
    .x((p) => x(p.n))
    .y((p) => y(p.faithfulness ?? 0));
  const percent = format('~%');
  const powers = across.ticks(5).filter((t) => t <= 1 && Math.abs(Math.log10(t) - Math.round(Math.log10(t))) < 1e-6);
  const level = (f: number): Markup =>
    html`<path d="M${left} ${y(f)}H${right}" /><text class="tick" x="${left - 8}" y="${y(f) + 4}"
        >${numberText(f)}</text
      >`;
  const part = (t: number): Markup =>
    html`<path d="M${x(t * edges)} ${size.top}V${floor}" /><text class="tick mid" x="${x(t * edges)}" y="${floor + 18}"
        >${percent(t)}</text
      ><text class="tick mid soft" x="${x(t * edges)}" y="${floor + 33}"
        >${numberText(Math.round(t * edges), 9)}</text
      >`;
  const baseline = (f: number, name: string, value: number): Markup =>
    html`<path d="M${left} ${y(f)}H${right}" /><text x="${right + 7}" y="${y(f) - 1}">${name}</text
      ><text class="soft" x="${right + 7}" y="${y(f) + 14}">${numberText(value)}</text>`;
  const threshold = ({ threshold: f, n }: CircuitRecord['smallest'][number]): Markup =>
    html`<path d="M${left} ${y(f)}H${n === null ? right : x(n)}${n !== null && `V${floor}`}" /><text
        x="${left + 6}"
        y="${y(f) + 12}"
        >${numberText(f)} ${n === null ? 'not reached' : `at ${numberText(n, 9)}`}</text
      >`;
  const { baselines, smallest } = record;

  return html`<svg
    class="plot ${size.kind}"
    viewBox="0 0 ${size.width} ${size.height}"
    width="${size.width}"
    height="${size.height}"
    role="img"
    aria-labelledby="${id}-plot-says"
  >
    <g class="grid">${upward.ticks(6).map(level)}</g>
    <g class="grid">${powers.map(part)}</g>
    <path class="axis" d="M${left} ${floor}H${right}" />
    <text class="tick" x="${left - 8}" y="${floor + 18}">part</text>
    <text class="tick soft" x="${left - 8}" y="${floor + 33}">edges</text>
    <g class="baseline">
      ${baseline(1, 'clean', baselines.clean)}${baseline(0, ablationWords(record.method).short, baselines.corrupted)}
    </g>
    <g class="threshold">${smallest.map(threshold)}</g>
    ${baselinesOf(record).map((b) => baselineShape(b, { x, y }))}
    ${series.map(({ selection, points }) => {
      const seen = points.filter((p) => p.n > 0);
      const marks = seen.map((p) => mark(p, selection, x(p.n), p.faithfulness === null ? floor : y(p.faithfulness)));
      const banded =
        selection === 'absolute' ? seen.flatMap(({ n, band: b }) => (b ? [{ n, low: b.low, high: b.high }] : [])) : [];
      return html`<g class="series ${selection}"
        >${band(banded, { x, y })}<path class="curve" d="${curve(seen) ?? ''}" />${marks}</g
      >`;
    })}
  </svg>`;
}

const bandSample = html`<svg viewBox="0 0 34 14" width="34" height="14" aria-hidden="true">
  <path class="band" d="M1 2H33V12H1Z" />
</svg>`;

const sample = (selection: Selection): Markup =>
  html`<svg viewBox="0 0 34 14" width="34" height="14" aria-hidden="true">
    <path class="curve" d="M1 7H33" />
    ${shape(selection, 17, 7)}
  </svg>`;

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
  return html`<g data-at="${selection} ${point.n}"
    >${shape(selection, x, y)}<title>${says}${ratioText(point.faithfulness)}</title></g
  >`;
}

/** One sentence a reader who cannot see the plot needs, and what the plot leaves out. */
function inWords(record: CircuitRecord, series: readonly Series[]): string {
  const parts = series.map(({ selection, points }) => {
    const known = points.filter((p) => p.n > 0 && p.faithfulness !== null);
    const [first, last] = [known[0], known.at(-1)];
    if (!first || !last) return `With the ${nameOf(record, selection)}, no size has a faithfulness.`;
    return `With the ${nameOf(record, selection)}, faithfulness goes from ${ratioText(first.faithfulness)} at ${numberText(first.n, 9)} edge${first.n === 1 ? '' : 's'} to ${ratioText(last.faithfulness)} at ${numberText(last.n, 9)}.`;
  });
  parts.push(
    ...baselinesOf(record).flatMap((baseline) => {
      const [first, last] = [baseline.points[0], baseline.points.at(-1)];
      if (!first || !last) return [];
      return `Held against: ${baselineName(baseline)}, from ${ratioText(first.faithfulness)} at ${numberText(first.n, 9)} to ${ratioText(last.faithfulness)} at ${numberText(last.n, 9)} edges.`;
    }),
  );
  const zero = series.some(({ points }) => points.some((p) => p.n === 0));
  const missing = series.flatMap(({ points }) => points).find((p) => p.n > 0 && p.faithfulness === null);
  const { cpr, cmd, logArea } = record.areas;
  parts.push(
    `Areas: mean over the log axis ${numberText(logArea)} (1 is perfect), CMD ${numberText(cmd)} (0 is perfect), CPR ${numberText(cpr)}.`,
  );
  const outside = series.some(({ points }) =>
    points.some(({ faithfulness: f }) => f !== null && (f < axisEnds[0] || f > axisEnds[1])),
  );
  if (outside)
    parts.push(
      `Values outside ${numberText(axisEnds[0])} to ${numberText(axisEnds[1])} are drawn at the edge of the plot.`,
    );
  if (zero) parts.push('Sizes of zero edges are left out of the plot.');
  if (missing) parts.push(`A cross marks a size without faithfulness: ${missing.reason ?? 'no reason recorded'}.`);
  return parts.join(' ');
}
