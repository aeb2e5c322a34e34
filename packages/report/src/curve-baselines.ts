// What the headline curve is held against, in the plot: a line, the range of random draws, and how it is called.
import { line } from 'd3-shape';
import type { BaselineRecord } from './circuit-record.js';
import { html } from './markup.js';
import type { Markup } from './markup.js';
import { numberText, ratioText } from './number-text.js';
import type { CircuitRecord } from './record.js';

/** Baselines of the record's curves that have a point. */
export function baselinesOf({ curves }: Pick<CircuitRecord, 'curves'>): readonly BaselineRecord[] {
  return curves.flatMap(({ baselines = [] }) => baselines).filter(({ points }) => points.length > 0);
}

/** How a baseline is called; a name that this page does not know stands as it is. */
export function baselineName({ name, draws }: BaselineRecord): string {
  if (name === 'random-connected')
    return draws === 1 ? 'a random connected circuit of each size' : `random connected circuits, mean of ${draws}`;
  const random = /^random (node|neuron)s$/.exec(name)?.[1];
  if (random !== undefined) return `as many random ${random}s${draws === 1 ? '' : `, mean of ${draws}`}`;
  return name === 'delta-ranking' ? 'top edges by |Δ|, without gradients' : name;
}

/** Where a size and a faithfulness stand in the plot. */
export interface PlotScales {
  readonly x: (n: number) => number;
  readonly y: (faithfulness: number) => number;
}

/** An area between `low` and `high` at each size; parts without either are left open. */
export function band(
  points: readonly { readonly n: number; readonly low: number | null; readonly high: number | null }[],
  { x, y }: PlotScales,
): Markup | false {
  const known = points.flatMap(({ n, low, high }) => (low === null || high === null ? [] : [{ n, low, high }]));
  if (known.length < 2) return false;
  const upper = known.map(({ n, high }) => `${x(n)} ${y(high)}`);
  const lower = known.map(({ n, low }) => `${x(n)} ${y(low)}`).reverse();
  return html`<path class="band" d="M${[...upper, ...lower].join('L')}Z" />`;
}

/** A baseline as a line with marks, and the range of its draws behind it. */
export function baselineShape(baseline: BaselineRecord, scales: PlotScales): Markup {
  const { x, y } = scales;
  const known = baseline.points.flatMap((p) => (p.faithfulness === null ? [] : [{ ...p, f: p.faithfulness }]));
  const path = line<(typeof known)[number]>()
    .x((p) => x(p.n))
    .y((p) => y(p.f))(known);
  return html`<g class="control ${className(baseline)}">
    ${baseline.draws > 1 && band(baseline.points, scales)}
    <path class="curve" d="${path ?? ''}" />
    ${known.map(
      (p) =>
        html`<g
          >${markAt(baseline, x(p.n), y(p.f))}<title>
            ${baselineName(baseline)}: ${numberText(p.n, 9)} edges, ${ratioText(p.f)}
          </title></g
        >`,
    )}
  </g>`;
}

/** The sample of a baseline in the legend. */
export function baselineSample(baseline: BaselineRecord): Markup {
  return html`<svg viewBox="0 0 34 14" width="34" height="14" aria-hidden="true">
    ${baseline.draws > 1 && html`<path class="band" d="M1 2H33V12H1Z" />`}
    <path class="curve" d="M1 7H33" />
    ${markAt(baseline, 17, 7)}
  </svg>`;
}

const isRandom = (name: string): boolean => name.startsWith('random');

/** The class of the style; only names that it knows. */
export const className = ({ name }: BaselineRecord): string => (isRandom(name) ? 'random' : 'ranking');

function markAt({ name }: BaselineRecord, x: number, y: number): Markup {
  return isRandom(name)
    ? html`<path class="mark" d="M${x - 3.5} ${y}H${x + 3.5}M${x} ${y - 3.5}V${y + 3.5}" />`
    : html`<path class="mark" d="M${x} ${y - 4}L${x + 4} ${y + 3}H${x - 4}Z" />`;
}
