// The frame of a small plot that stands beside others: its name, a grid with numbers at both axes, and whatever is drawn inside.
import { scaleLinear, scaleLog, scaleSqrt } from 'd3-scale';
import { line } from 'd3-shape';
import { html } from './markup.js';
import type { Markup, Part } from './markup.js';
import { numberText, tenth } from './number-text.js';

const size = { width: 388, left: 44, right: 12, top: 34, bottom: 44 } as const;

/** Values outside the ends are drawn at them. */
export interface PlotAxis {
  readonly ends: readonly [number, number];
  readonly name?: string;
  /** Default: a few round numbers. */
  readonly ticks?: readonly number[];
  readonly text?: (value: number) => string;
  /** By square roots: counts whose small ones matter most. */
  readonly root?: boolean;
  /** By powers of ten; both ends are above 0. */
  readonly log?: boolean;
}

/** Pixels of values. */
export interface PlotPlace {
  readonly x: (value: number) => number;
  readonly y: (value: number) => number;
  readonly left: number;
  readonly right: number;
  readonly top: number;
  readonly floor: number;
}

interface SmallPlot {
  /** A further class. */
  readonly kind: string;
  readonly head: string;
  /** A line below the head. */
  readonly under?: string;
  /** What it shows, for those who cannot see it. */
  readonly label: string;
  readonly across: PlotAxis;
  readonly upward: PlotAxis;
  readonly height?: number;
  /** Of the whole, in pixels. Default 388. */
  readonly width?: number;
  /** Room at the right of the grid, in pixels, for words. Default 12. */
  readonly margin?: number;
  readonly inside: (place: PlotPlace) => Part;
}

export function smallPlot({
  kind,
  head,
  under = '',
  label,
  across,
  upward,
  height = 230,
  width = size.width,
  margin = size.right,
  inside,
}: SmallPlot): Markup {
  const { left, top, bottom } = size;
  const right = width - margin;
  const floor = height - bottom;
  const horizontal = scaleOf(across, [left, right]);
  const vertical = scaleOf(upward, [floor, top]);
  const x = (value: number): number => tenth(horizontal(value));
  const y = (value: number): number => tenth(vertical(value));
  const acrossTicks =
    across.ticks ??
    (across.root ? rootTicks(across.ends[1], horizontal) : across.log ? logTicks(across.ends) : horizontal.ticks(5));
  const { text: acrossText = numberText } = across;
  const { text: upwardText = numberText } = upward;
  return html`<svg
    class="plot ${kind}"
    viewBox="0 0 ${width} ${height}"
    width="${width}"
    height="${height}"
    role="img"
    aria-label="${label}"
  >
    <text class="head" x="${left}" y="12">${head}</text>
    <text class="soft" x="${left}" y="27">${under}</text>
    <g class="grid">
      ${(upward.ticks ?? vertical.ticks(5)).map(
        (value) =>
          html`<path d="M${left} ${y(value)}H${right}" /><text class="tick" x="${left - 8}" y="${y(value) + 4}"
              >${upwardText(value)}</text
            >`,
      )}
    </g>
    <g class="grid">
      ${acrossTicks.map(
        (value) =>
          html`<path d="M${x(value)} ${top}V${floor}" /><text class="tick mid" x="${x(value)}" y="${floor + 18}"
              >${acrossText(value)}</text
            >`,
      )}
    </g>
    <path class="axis" d="M${left} ${floor}H${right}" />
    <text class="tick mid" x="${(left + right) / 2}" y="${floor + 36}">${across.name ?? ''}</text>
    ${inside({ x, y, left, right, top, floor })}
  </svg>`;
}

function scaleOf({ ends, root = false, log = false }: PlotAxis, range: readonly [number, number]) {
  if (log) return scaleLog(ends[0] === ends[1] ? [ends[0] / 2, ends[1] * 2] : ends, range).clamp(true);
  const given = ends[0] === ends[1] ? [ends[0] - 0.5, ends[1] + 0.5] : ends;
  return (root ? scaleSqrt(given, range) : scaleLinear(given, range)).clamp(true);
}

/** Round counts whose numbers do not lie on each other. */
function rootTicks(most: number, place: (value: number) => number): number[] {
  const kept = [0];
  for (let power = 1; power <= most; power *= 10)
    for (const value of [power, 2 * power, 5 * power])
      if (value <= most && place(value) - place(kept.at(-1) ?? 0) >= 30) kept.push(value);
  return kept;
}

/** 1, 2 and 5 times powers of ten between the ends; only the powers themselves where there would be too many. */
function logTicks([least, most]: readonly [number, number]): number[] {
  const found: number[] = [];
  for (let power = Math.floor(Math.log10(least)); 10 ** power <= most; power++)
    for (const value of [1, 2, 5].map((times) => times * 10 ** power))
      if (value >= least && value <= most) found.push(value);
  return found.length > 8 ? found.filter((value) => Number.isInteger(Math.log10(value))) : found;
}

/** The path of a curve through points. */
export const curveOf = (points: readonly (readonly [x: number, y: number])[], { x, y }: PlotPlace): string =>
  line<readonly [number, number]>(
    ([value]) => x(value),
    ([, value]) => y(value),
  )(points) ?? '';

/** A value that something is to reach, or not to pass. */
export interface Level {
  readonly value: number;
  readonly name: string;
  /** Where along the line its name stands. */
  readonly side: 'start' | 'mid' | 'end';
}

/** A line across the plot with its name above it. */
export function levelLine({ value, name, side }: Level, { y, left, right }: PlotPlace): Markup {
  const x = { start: left + 4, mid: (left + right) / 2, end: right }[side];
  return html`<g class="threshold"
    ><path d="M${left} ${y(value)}H${right}" /><text class="${side}" x="${x}" y="${y(value) - 4}">${name}</text></g
  >`;
}
