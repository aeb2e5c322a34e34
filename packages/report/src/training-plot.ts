// The course of a training run as one SVG document: loss of the batches and of held-out rows above, the learning rate below.
import { format } from 'd3-format';
import { scaleLinear, type ScaleLinear } from 'd3-scale';
import { line } from 'd3-shape';
import { html, Markup } from './markup.js';
import { numberText, tenth } from './number-text.js';

/** One report of a run; a training log's entries are such points. */
export interface TrainingPoint {
  readonly step: number;
  /** Nats per token. */
  readonly loss: number;
  readonly rate: number;
  /** Nats per token, where it was measured. */
  readonly heldOutLoss?: number;
}

const size = { width: 720, height: 452, left: 58, right: 108, top: 52, floor: 318, rateTop: 352, rateFloor: 408 };

const style = `
svg { --paper: #fffdf9; --ink: #221d16; --soft: #6b6252; --rule: #ddd3c0; --batch: #1f4c9a; --held: #b3391c; --rate: #95691a;
  font: 13px ui-sans-serif, system-ui, 'Segoe UI', 'Liberation Sans', sans-serif; }
@media (prefers-color-scheme: dark) {
  svg { --paper: #1d1f26; --ink: #ece6d9; --soft: #a9a08f; --rule: #383a44; --batch: #8db2ff; --held: #ff9a7c; --rate: #d8b15c; }
}
.paper { fill: var(--paper); } text { fill: var(--ink); } .soft { fill: var(--soft); } .title { font-size: 15px; font-weight: 600; }
.grid path { stroke: var(--rule); } .axis { stroke: var(--soft); } .end { text-anchor: end; } .mid { text-anchor: middle; }
.curve { fill: none; stroke-width: 1.6; stroke-linejoin: round; }
.batch .curve { stroke: var(--batch); } .held .curve { stroke: var(--held); stroke-width: 2; } .rate .curve { stroke: var(--rate); }
.batch text { fill: var(--batch); } .held text { fill: var(--held); } .rate text { fill: var(--rate); } .held circle { fill: var(--held); }
`;

/**
 * A self-contained SVG document of a run. Of many points, the first, least and greatest loss of every pixel column are drawn, so that no
 * spike is lost. An empty run is a plot that says so.
 */
export function trainingPlot(points: readonly TrainingPoint[], title = 'training'): string {
  const { width, height } = size;
  return `${html`<svg
    xmlns="http://www.w3.org/2000/svg"
    viewBox="0 0 ${width} ${height}"
    width="${width}"
    height="${height}"
    role="img"
  >
    <title>${title}: ${inWords(points)}</title>
    <style>
      ${new Markup(style)}
    </style>
    <rect class="paper" width="${width}" height="${height}" />
    <text class="title" x="${size.left}" y="24">${title}</text>
    <text class="soft" x="${size.left}" y="42">
      ${points.length ? 'loss, nats per token' : 'nothing was reported yet'}
    </text>
    ${points.length > 0 && curves(points)}
  </svg>`}
`;
}

function curves(points: readonly TrainingPoint[]): Markup {
  const held = points.filter((p) => p.heldOutLoss !== undefined);
  const all = [...points.map((p) => p.loss), ...held.map((p) => p.heldOutLoss as number)];
  const [first, last] = [points[0] as TrainingPoint, points.at(-1) as TrainingPoint];
  const across = scaleLinear([Math.min(first.step, last.step - 1), last.step], [size.left, width()]);
  const [low, high] = extent(all);
  const upward = scaleLinear([low, high], [size.floor, size.top]).nice(6);
  const rates = scaleLinear([0, Math.max(...points.map((p) => p.rate)) || 1], [size.rateFloor, size.rateTop]);
  const seen = thin(points);
  const at = (p: TrainingPoint): number => tenth(across(p.step));
  const path = (
    of: readonly TrainingPoint[],
    scale: ScaleLinear<number, number>,
    value: (p: TrainingPoint) => number,
  ) => line<TrainingPoint>(at, (p) => tenth(scale(value(p))))(of) ?? '';
  const heldLoss = (p: TrainingPoint): number => p.heldOutLoss as number;
  const lastHeld = held.at(-1);
  const [batchY, heldY] = apart(upward(last.loss), lastHeld && upward(heldLoss(lastHeld)));
  return html` <g class="grid">${upward.ticks(6).map((t) => level(upward(t), numberText(t)))}</g>
    <g class="grid"
      >${rates.ticks(2).map((t) => level(rates(t), t === 0 ? '0' : format('.1~e')(t).replace('-', '−')))}</g
    >
    <path class="axis" d="M${size.left} ${size.floor}H${width()}M${size.left} ${size.rateFloor}H${width()}" />
    <text class="soft" x="${size.left}" y="${size.rateTop - 8}">learning rate</text>
    ${across
      .ticks(6)
      .filter(Number.isInteger)
      .map(
        (t) =>
          html`<text class="soft mid" x="${tenth(across(t))}" y="${size.rateFloor + 18}">${numberText(t, 9)}</text>`,
      )}
    <text class="soft mid" x="${(size.left + width()) / 2}" y="${size.rateFloor + 36}">updates</text>
    <g class="batch"
      ><path class="curve" d="${path(seen, upward, (p) => p.loss)}" />${name('batches', last.loss, batchY)}</g
    >
    ${
      lastHeld !== undefined &&
      html`<g class="held"
        ><path
          class="curve"
          d="${path(held, upward, heldLoss)}"
        />${held.length < 60 && held.map((p) => html`<circle cx="${at(p)}" cy="${tenth(upward(heldLoss(p)))}" r="2.6" />`)}${name('held out', heldLoss(lastHeld), heldY as number)}</g
      >`
    }
    <g class="rate"><path class="curve" d="${path(points, rates, (p) => p.rate)}" /></g>`;
}

const width = (): number => size.width - size.right;

const level = (y: number, says: string): Markup =>
  html`<path d="M${size.left} ${tenth(y)}H${width()}" /><text class="soft end" x="${size.left - 8}" y="${tenth(y) + 4}"
      >${says}</text
    >`;

const name = (what: string, value: number, y: number): Markup =>
  html`<text x="${width() + 8}" y="${tenth(y) + 4}">${what} ${numberText(value)}</text>`;

/** Least and greatest, kept apart where a constant would leave no height. */
function extent(values: readonly number[]): [number, number] {
  const [low, high] = values.reduce(([a, b], v) => [Math.min(a, v), Math.max(b, v)], [Infinity, -Infinity]);
  return high - low > 1e-9 ? [low, high] : [low - 0.5, high + 0.5];
}

/** Heights of two names that would otherwise lie on each other. */
function apart(a: number, b: number | undefined): [number, number | undefined] {
  if (b === undefined || Math.abs(a - b) >= 16) return [a, b];
  const middle = (a + b) / 2;
  return a <= b ? [middle - 8, middle + 8] : [middle + 8, middle - 8];
}

function thin(points: readonly TrainingPoint[]): readonly TrainingPoint[] {
  const columns = width() - size.left;
  if (points.length <= 3 * columns) return points;
  const kept: TrainingPoint[] = [];
  for (let column = 0; column < columns; column++) {
    const from = Math.floor((column * points.length) / columns);
    const part = points.slice(from, Math.floor(((column + 1) * points.length) / columns));
    const [least, greatest] = extentOf(part);
    kept.push(...new Set([part[0] as TrainingPoint, ...[least, greatest].sort((a, b) => a.step - b.step)]));
  }
  return [...kept, points.at(-1) as TrainingPoint];
}

function extentOf(part: readonly TrainingPoint[]): [TrainingPoint, TrainingPoint] {
  return [part.reduce((a, b) => (b.loss < a.loss ? b : a)), part.reduce((a, b) => (b.loss > a.loss ? b : a))];
}

/** What the plot shows, for those who cannot see it. */
function inWords(points: readonly TrainingPoint[]): string {
  const [first, last] = [points[0], points.at(-1)];
  if (!first || !last) return 'nothing was reported yet.';
  const held = points.filter((p) => p.heldOutLoss !== undefined).at(-1);
  const behind = held
    ? `; ${numberText(held.heldOutLoss, 4)} on held-out rows at update ${numberText(held.step, 9)}`
    : '';
  return `loss from ${numberText(first.loss, 4)} at update ${numberText(first.step, 9)} to ${numberText(last.loss, 4)} at ${numberText(last.step, 9)} nats per token${behind}.`;
}
