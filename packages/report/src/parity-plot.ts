// Two answers before and after an edit: one row per item, hollow where Δ stood, filled where it stands, on an axis with 0 in it.
import { scaleLinear } from 'd3-scale';
import { html } from './markup.js';
import type { Markup } from './markup.js';
import { numberText, tenth } from './number-text.js';
import { clip } from './token-words.js';

const size = { width: 388, top: 22, pitch: 20, head: 24, right: 14, bottom: 42 } as const;
/** Pixels of a letter of a row's name, about. */
const LETTER = 6.4;

/** One row. */
export interface DumbbellRow {
  readonly name: string;
  readonly before: number;
  readonly after: number;
  /** How its end is drawn: a diamond for what was not learnt from, a dot for what was. */
  readonly seen: boolean;
  /** A sign at the right end: whether it is as it should be. */
  readonly mark?: '✓' | '✗';
  /** Δ may be anywhere here. */
  readonly band?: readonly [low: number, high: number];
}

/** Rows under a head of their own. */
export interface DumbbellGroup {
  readonly name: string;
  readonly rows: readonly DumbbellRow[];
}

interface Dumbbells {
  readonly head: string;
  /** What it shows, for those who cannot see it. */
  readonly label: string;
  readonly groups: readonly DumbbellGroup[];
  /** The ends of the axis, the same for plots that stand beside one another. */
  readonly ends: readonly [number, number];
  /** What is preferred below and above 0. */
  readonly sides: readonly [below: string, above: string];
  /** Room for names, in pixels of 388. */
  readonly names: number;
}

export function dumbbells({ head, label, groups, ends, sides, names }: Dumbbells): Markup {
  const { width, top, pitch, head: groupHead, right, bottom } = size;
  const marked = groups.some(({ rows }) => rows.some(({ mark }) => mark !== undefined));
  const [left, end] = [names + 10, width - right - (marked ? 18 : 0)];
  const across = scaleLinear(ends, [left, end]);
  const x = (value: number): number => tenth(across(value));
  const letters = Math.floor(names / LETTER);
  let y: number = top;
  const drawn = groups.map(({ name, rows }) => {
    y += groupHead;
    const group = html`<text class="soft" x="0" y="${y - 6}">${name}</text>`;
    return html`${group}${rows.map((row) => {
      y += pitch;
      return rowOf(row, y - pitch / 2, x, clip(row.name, letters));
    })}`;
  });
  const floor = y + 4;
  return html`<svg
    class="plot dumbbells"
    viewBox="0 0 ${width} ${floor + bottom}"
    width="${width}"
    height="${floor + bottom}"
    role="img"
    aria-label="${label}"
  >
    <text class="head" x="0" y="12">${head}</text>
    <g class="grid">
      ${across
        .ticks(5)
        .map(
          (value) =>
            html`<path d="M${x(value)} ${top}V${floor}" /><text class="tick mid" x="${x(value)}" y="${floor + 16}"
                >${numberText(value)}</text
              >`,
        )}
    </g>
    <path class="axis" d="M${x(0)} ${top}V${floor}" />
    ${drawn}
    <text class="soft" x="${left}" y="${floor + 34}">← ${sides[0]}</text>
    <text class="soft mid" x="${(left + end) / 2}" y="${floor + 34}">Δ, logits</text>
    <text class="soft end" x="${end}" y="${floor + 34}">${sides[1]} →</text>
  </svg>`;
}

function rowOf(row: DumbbellRow, y: number, x: (value: number) => number, name: string): Markup {
  const { before, after, seen, mark, band } = row;
  const at = x(after);
  const says = `${row.name}: ${numberText(before)} before, ${numberText(after)} after`;
  return html`<g class="${seen ? 'seen' : 'unseen'} ${mark === '✗' && 'broken'}"
    ><title>${says}</title>
    <text class="name" x="0" y="${y + 4}">${name}</text>
    ${band && html`<rect class="room" x="${x(Math.min(...band))}" y="${y - 7}" width="${tenth(Math.abs(x(band[1]) - x(band[0])))}" height="14" />`}
    <path class="way" d="M${x(before)} ${y}H${at}" /><circle class="stood" cx="${x(before)}" cy="${y}" r="4.2" />
    ${
      seen
        ? html`<circle class="stands" cx="${at}" cy="${y}" r="3.6" />`
        : html`<path
            class="stands"
            d="M${tenth(at - 5.5)} ${y}L${at} ${tenth(y - 5.5)}L${tenth(at + 5.5)} ${y}L${at} ${tenth(y + 5.5)}Z"
          />`
    }
    ${mark && html`<text class="mark end" x="${size.width - 6}" y="${y + 4}">${mark}</text>`}
  </g>`;
}
