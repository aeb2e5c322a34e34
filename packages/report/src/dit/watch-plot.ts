// Probabilities over the checkpoints of one fine-tune: a line for "none" and one for each answer, their names at their ends.
import { html } from '../markup.js';
import type { Markup } from '../markup.js';
import { numberTable } from '../number-table.js';
import { numberText, tenth } from '../number-text.js';
import { curveOf, smallPlot, type PlotPlace } from '../small-plot.js';
import { clip } from '../token-words.js';
import type { DitWatchRecord } from './audit-record.js';

type Line = DitWatchRecord['lines'][number];

/** Lines of answers that are drawn besides "none" and what was trained for; the table has all. Pixels between two names. */
const [mostAnswers, pitch] = [4, 15];
const ticks = [0, 0.25, 0.5, 0.75, 1];

/** Wide and narrow; the page shows one of them. */
export function watchPlot(watch: DitWatchRecord): Markup {
  const lines = drawnLines(watch);
  return html`${plot(watch, lines, 'wide', 900, 150)}${plot(watch, lines, 'narrow', 388, 92)}`;
}

/** "none", what was trained for, and the answers that reach most. */
function drawnLines({ lines }: DitWatchRecord): Line[] {
  const most = ({ values }: Line): number =>
    values.reduce<number>((largest, value) => Math.max(largest, value ?? 0), 0);
  const answers = lines.filter(({ kind }) => kind === 'answer').sort((a, b) => most(b) - most(a));
  return [...lines.filter(({ kind }) => kind !== 'answer'), ...answers.slice(0, mostAnswers)];
}

function plot(
  { at, unit }: DitWatchRecord,
  lines: readonly Line[],
  kind: string,
  width: number,
  margin: number,
): Markup {
  const ends = [at[0] ?? 0, at.at(-1) ?? 0] as const;
  return smallPlot({
    kind: `watch ${kind}`,
    head: 'calibrated probability',
    label: `Probability over ${at.length} checkpoints, from ${unit} ${numberText(ends[0], 9)} to ${numberText(ends[1], 9)}: ${lines
      .map(({ name, values }) => `${name} ${numberText(values[0], 2)} to ${numberText(values.at(-1), 2)}`)
      .join(', ')}; the numbers are in the table`,
    across: { ends, name: unit },
    upward: { ends: [0, 1], ticks },
    height: 300,
    width,
    margin,
    inside: (place) =>
      html`${lines.map((line) => drawing(line, at, place))}${names(lines, place).map(
        ({ line, y }) =>
          html`<text class="line-name ${line.kind}" x="${place.right + 8}" y="${y + 4}"
            >${clip(line.name.trim(), margin > 100 ? 18 : 11)}</text
          >`,
      )}`,
  });
}

/** Broken where it was not asked. */
function drawing({ kind, values }: Line, at: readonly number[], place: PlotPlace): Markup {
  const runs: (readonly [number, number])[][] = [[]];
  values.forEach((value, i) => {
    if (value === null) runs.push([]);
    else runs.at(-1)?.push([at[i] ?? 0, value]);
  });
  return html`<g class="line ${kind}">
    ${runs.map((run) => run.length > 1 && html`<path class="curve" d="${curveOf(run, place)}" />`)}
    ${runs.flat().map(([x, y]) => html`<path class="mark" d="${markOf(kind, place.x(x), place.y(y))}" />`)}
  </g>`;
}

/** A shape for each kind. */
const markOf = (kind: Line['kind'], x: number, y: number): string =>
  kind === 'none'
    ? `M${tenth(x - 3.4)} ${tenth(y - 3.4)}h6.8v6.8h-6.8Z`
    : kind === 'label'
      ? `M${tenth(x + 4)} ${y}A4 4 0 1 1 ${tenth(x - 4)} ${y}A4 4 0 1 1 ${tenth(x + 4)} ${y}Z`
      : `M${x} ${tenth(y - 3.6)}l3.6 6h-7.2Z`;

/** Names at the height of their last value, moved apart where they would lie on each other. */
function names(lines: readonly Line[], { y, top, floor }: PlotPlace): { line: Line; y: number }[] {
  const placed = lines
    .map((line) => ({ line, y: y(line.values.reduce<number>((last, value) => value ?? last, 0)) }))
    .sort((a, b) => a.y - b.y);
  let above = top - pitch;
  for (const name of placed) above = name.y = Math.max(name.y, above + pitch);
  let below = floor + pitch;
  for (const name of placed.reverse()) below = name.y = Math.min(name.y, below - pitch);
  return placed;
}

export const watchTable = ({ at, lines, unit }: DitWatchRecord): Markup =>
  numberTable(
    [unit, ...lines.map(({ name }) => name.trim())],
    at.map((place, i) => ({
      texts: [numberText(place, 9), ...lines.map(({ values }) => numberText(values[i]))],
    })),
  );
