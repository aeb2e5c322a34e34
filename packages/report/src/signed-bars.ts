// Signed bars below one another from a common zero, each with its name at the left and its number at its end.
import { scaleLinear } from 'd3-scale';
import { html } from './markup.js';
import type { Markup } from './markup.js';
import { tenth } from './number-text.js';

const size = { width: 388, value: 50, pitch: 22, top: 26, bottom: 8 } as const;

interface SignedBar {
  readonly name: string;
  readonly value: number;
  /** As it is written at the end of the bar. */
  readonly text: string;
  /** Class: 'needed' is drawn as what helps, 'harmful' as what hinders, others still. */
  readonly kind: string;
}

interface SignedBars {
  readonly head: string;
  /** What it shows, for those who cannot see it. */
  readonly label: string;
  readonly bars: readonly SignedBar[];
  /** Room for names, in pixels of 388. */
  readonly names?: number;
  /** What stands at both ends, where several plots are to be compared. Default: the least and the largest value. */
  readonly ends?: readonly [number, number];
}

export function signedBars({ head, label, bars, names = 124, ends = endsOf(bars) }: SignedBars): Markup {
  const { width, value: room, pitch, top, bottom } = size;
  // Values stand beside their bars, at either side.
  const left = names + (ends[0] < 0 ? room : 8);
  const right = width - (ends[1] > 0 || ends[0] === 0 ? room : 12);
  const x = scaleLinear(ends[0] === ends[1] ? [-1, 1] : ends, [left, right]);
  const height = top + bars.length * pitch + bottom;
  const bar = ({ name, value, text, kind }: SignedBar, i: number): Markup => {
    const y = top + i * pitch;
    const [from, to] = [tenth(x(0)), tenth(x(value))];
    const side = value < 0 ? 'before' : 'after';
    return html`<g class="drops ${kind}">
      <text class="name" x="${names - 10}" y="${y + 14}">${name}</text>
      <path class="bar" d="M${from} ${y + 3}H${to}V${y + pitch - 4}H${from}Z" />
      <text class="${side}" x="${to + (side === 'before' ? -6 : 6)}" y="${y + 14}">${text}</text>
    </g>`;
  };
  return html`<svg
    class="plot worth"
    viewBox="0 0 ${width} ${height}"
    width="${width}"
    height="${height}"
    role="img"
    aria-label="${label}"
  >
    <text class="head" x="0" y="14">${head}</text>
    <path class="axis" d="M${x(0).toFixed(1)} ${top - 4}V${height - bottom}" />
    ${bars.map(bar)}
  </svg>`;
}

/** From the least value, or 0, to the largest, or 0. */
export const endsOf = (bars: readonly { readonly value: number }[]): readonly [number, number] => [
  bars.reduce((least, { value }) => Math.min(least, value), 0),
  bars.reduce((most, { value }) => Math.max(most, value), 0),
];
