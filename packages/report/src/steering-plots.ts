// What steering does along its two knobs: at every strength β, and at every weight λ of the penalty; and the course of learning. Each with its numbers as a table.
import { html } from './markup.js';
import type { Markup } from './markup.js';
import { numberTable } from './number-table.js';
import { numberText, percentText } from './number-text.js';
import { curveOf, levelLine, smallPlot } from './small-plot.js';
import type { Level, PlotAxis, PlotPlace } from './small-plot.js';
import { strengthText } from './steering-cell.js';
import type { SteeringRecord } from './steering-record.js';

interface Curve {
  readonly head: string;
  readonly under?: string;
  readonly upward: PlotAxis;
  /** Where it is not that of the others. */
  readonly across?: PlotAxis;
  /** In the order in which the curve goes through them; `at` is what the page's script marks. */
  readonly points: readonly {
    readonly x: number;
    readonly y: number;
    readonly at: string;
    readonly now: boolean;
    readonly says: string;
  }[];
  readonly levels?: readonly Level[];
}

/** Plots above the same axis. */
function curves(across: PlotAxis, all: readonly Curve[]): Markup {
  return html`<div class="pairwise">
    ${all.map(({ head, under, upward, points, levels = [], across: own = across }) =>
      smallPlot({
        kind: 'follow',
        head,
        ...(under === undefined ? {} : { under }),
        label: `${head}: ${points.map(({ says }) => says).join('; ')}`,
        across: own,
        upward,
        inside: (place) => html`
          ${levels.map((level) => levelLine(level, place))}
          <g class="series absolute">
            <path
              class="curve"
              d="${curveOf(
                points.map(({ x, y }) => [x, y] as const),
                place,
              )}"
            />
            ${points.map((point) => mark(point, place))}
          </g>
        `,
      }),
    )}
  </div>`;
}

const mark = ({ x, y, at, now, says }: Curve['points'][number], place: PlotPlace): Markup =>
  html`<g data-at="${at}" class="${now && 'now'}"
    ><circle cx="${place.x(x)}" cy="${place.y(y)}" r="4" /><title>${says}</title></g
  >`;

const nats = (most: number, limit: number | undefined): PlotAxis => ({
  ends: [0, Math.max(1e-3, limit === undefined ? most : Math.max(limit * 1.2, Math.min(most, limit * 8))) * 1.04],
});
const parts: PlotAxis = { ends: [0, 1.03], ticks: [0, 0.25, 0.5, 0.75, 1], text: (part) => percentText(part, 3) };
const highest = (numbers: readonly number[]): number => Math.max(0, ...numbers);

/** Mean Δ, the share of prompts that follow, KL and the probability that leaves the answers, against β. */
export function sweepPlots({ sweep = [], rule }: SteeringRecord, strength: number): Markup | false {
  if (!sweep.length) return false;
  const rows = sweep.map((each) => ({ ...each, delta: each.strength < 0 ? -each.effect : each.effect }));
  const across = {
    ends: [sweep[0]?.strength ?? 0, sweep.at(-1)?.strength ?? 0],
    name: 'β',
    text: strengthText,
  } as const;
  const points = (value: (row: (typeof rows)[number]) => number, say: (value: number) => string): Curve['points'] =>
    rows.map((row) => ({
      x: row.strength,
      y: value(row),
      at: `b ${row.strength}`,
      now: row.strength === strength,
      says: `${strengthText(row.strength)}: ${say(value(row))}`,
    }));
  const size = highest(rows.map(({ delta }) => Math.abs(delta)).concat(rule?.margin ?? 1)) * 1.1;
  return html`${curves(across, [
      {
        head: 'Δ, logits',
        under: '■ below 0, ● above',
        upward: { ends: [-size, size] },
        points: points((row) => row.delta, numberText),
        levels: rule
          ? [
              { value: rule.margin, name: `margin ${numberText(rule.margin)}`, side: 'start' },
              { value: -rule.margin, name: `margin −${numberText(rule.margin)}`, side: 'end' },
            ]
          : [],
      },
      {
        head: 'Prompts that follow β',
        under: 'prefer ■ where β < 0, ● elsewhere',
        upward: parts,
        points: points((row) => row.flipped, percentText),
      },
      {
        head: 'KL of everything else, nats',
        upward: nats(highest(rows.map(({ bucket }) => bucket)), rule?.drift),
        points: points((row) => row.bucket, numberText),
        levels: rule ? [{ value: rule.drift, name: `limit ${numberText(rule.drift)}`, side: 'mid' }] : [],
      },
      {
        head: 'Change of p(●) + p(■)',
        upward: nats(highest(rows.map(({ massDrift }) => massDrift)), undefined),
        points: points((row) => row.massDrift, numberText),
      },
    ])}
    <details>
      <summary>The same numbers as a table</summary>
      <div class="scroll" tabindex="0" role="region" aria-label="Figures at every strength">
        ${numberTable(
          ['β', 'Mean Δ', 'Follow β', 'KL', 'Change of p(●) + p(■)'],
          rows.map((row) => ({
            at: `b ${row.strength}`,
            now: row.strength === strength,
            texts: [
              strengthText(row.strength),
              numberText(row.delta),
              percentText(row.flipped),
              numberText(row.bucket),
              numberText(row.massDrift),
            ],
          })),
        )}
      </div>
    </details>`;
}

/** Success both ways, effect and KL against the cells that λ leaves. */
export function pathPlots({ path, rule }: SteeringRecord): Markup | false {
  if (!path?.points.length) return false;
  const order = path.points.map((point, i) => ({ ...point, i })).sort((a, b) => a.nonZero - b.nonZero || a.i - b.i);
  const ends = [0, highest(order.map(({ nonZero }) => nonZero)) * 1.04 || 1] as const;
  const across = { ends, name: 'cells that are not 0', root: true };
  const points = (value: (row: (typeof order)[number]) => number, say: (value: number) => string): Curve['points'] =>
    order.map((row) => ({
      x: row.nonZero,
      y: value(row),
      at: `l ${row.i}`,
      now: row.i === path.chosen,
      says: `λ = ${numberText(row.penalty)}, ${numberText(row.nonZero, 9)} cells: ${say(value(row))}`,
    }));
  const least = Math.min(0, ...order.map(({ effect }) => effect));
  const drifts = nats(highest(order.map(({ drift }) => drift)), rule?.drift);
  return html`${curves(across, [
      { head: 'Success both ways', upward: parts, points: points((row) => row.twoWaySuccess, percentText) },
      {
        head: 'Success both ways',
        under: 'against its price',
        upward: parts,
        across: { ...drifts, name: 'KL of everything else, nats' },
        points: [...order]
          .sort((a, b) => a.drift - b.drift)
          .map((row) => ({
            x: row.drift,
            y: row.twoWaySuccess,
            at: `l ${row.i}`,
            now: row.i === path.chosen,
            says: `λ = ${numberText(row.penalty)}: ${percentText(row.twoWaySuccess)} at ${numberText(row.drift)} nats`,
          })),
      },
      {
        head: 'Effect: mean βΔ, logits',
        upward: { ends: [least, highest(order.map(({ effect }) => effect).concat(rule?.margin ?? 1)) * 1.1] },
        points: points((row) => row.effect, numberText),
        levels: rule ? [{ value: rule.margin, name: `margin ${numberText(rule.margin)}`, side: 'end' }] : [],
      },
      {
        head: 'KL of everything else, nats',
        upward: drifts,
        points: points((row) => row.drift, numberText),
        levels: rule ? [{ value: rule.drift, name: `limit ${numberText(rule.drift)}`, side: 'end' }] : [],
      },
    ])}
    <details>
      <summary>The same numbers as a table</summary>
      <div class="scroll" tabindex="0" role="region" aria-label="Figures at every weight of the penalty">
        ${numberTable(
          ['λ', 'Cells', 'Success both ways', 'Mean βΔ', 'KL'],
          order.map((row) => ({
            at: `l ${row.i}`,
            now: row.i === path.chosen,
            texts: [
              numberText(row.penalty),
              numberText(row.nonZero, 9),
              percentText(row.twoWaySuccess),
              numberText(row.effect),
              numberText(row.drift),
            ],
          })),
        )}
      </div>
    </details>`;
}

/** E, F and the cells that are not 0, update by update. */
export function historyPlots({ history = [] }: SteeringRecord): Markup | false {
  if (history.length < 2) return false;
  const across = { ends: [0, history.at(-1)?.update ?? 1] as const, name: 'updates' };
  const one = (head: string, value: (row: (typeof history)[number]) => number): Markup => {
    const most = highest(history.map(value)) * 1.06 || 1;
    return smallPlot({
      kind: 'follow',
      head,
      label: `${head}: from ${numberText(value(history[0] as (typeof history)[number]))} to ${numberText(value(history.at(-1) as (typeof history)[number]))}`,
      across,
      upward: { ends: [0, most] },
      height: 190,
      inside: (place) =>
        html`<g class="series absolute"
          ><path
            class="curve"
            d="${curveOf(
              history.map((row) => [row.update, value(row)] as const),
              place,
            )}"
        /></g>`,
    });
  };
  return html`<div class="pairwise triple">
      ${one('Effectiveness E', ({ effect }) => effect)} ${one('Faithfulness F', ({ drift }) => drift)}
      ${one('Cells that are not 0', ({ nonZero }) => nonZero)}
    </div>
    <details>
      <summary>The same numbers as a table</summary>
      <div class="scroll tall" tabindex="0" role="region" aria-label="The course of learning">
        ${numberTable(
          ['Updates', 'E', 'F', 'M', 'Cells that are not 0'],
          history.map(({ update, effect, drift, penalty, nonZero }) => ({
            texts: [update, effect, drift, penalty, nonZero].map((value) => numberText(value)),
          })),
        )}
      </div>
    </details>`;
}
