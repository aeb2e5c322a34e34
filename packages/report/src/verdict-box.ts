// Whether the cells are the cause: the effect with its interval above what chance does, how few cells keep it, and the verdict with its reasons.
import { scaleLinear } from 'd3-scale';
import { html } from './markup.js';
import type { Markup } from './markup.js';
import { numberTable } from './number-table.js';
import { numberText, percentText, tenth } from './number-text.js';
import { curveOf, smallPlot } from './small-plot.js';
import type { SteeringVerdictRecord } from './steering-record.js';

const [width, label, pitch] = [388, 132, 26];

export function verdictBox(verdict: SteeringVerdictRecord): Markup {
  const { effect, interval, p, stability, offTask, supported, reasons = [], controls = [], cells = [] } = verdict;
  const figure = (name: string, value: string): Markup =>
    html`<div>
      <dt>${name}</dt>
      <dd>${value}</dd>
    </div>`;
  return html`<div class="verdict ${supported ? 'supported' : 'unsupported'}">
      <p class="stamp">${supported ? '✓ supported' : '✗ not supported'}</p>
      <dl class="figures">
        ${figure('effect Δ₊₁ − Δ₋₁, logits', numberText(effect))}
        ${figure('95 % of it', `${numberText(interval.low)} to ${numberText(interval.high)}`)}
        ${figure('p, shuffled cells', numberText(p, 2))}
        ${figure('cells found again', stability === null ? '–' : percentText(stability))}
        ${figure('KL on other tasks, nats', numberText(offTask, 2))}
      </dl>
      ${
        reasons.length > 0 &&
        html`<ul>
          ${reasons.map((reason) => html`<li>${reason}</li>`)}
        </ul>`
      }
    </div>
    <div class="pairwise">
      ${strip(verdict, [{ name: 'these values', draws: 1, mean: effect, low: interval.low, high: interval.high }, ...controls])}
      ${cells.length > 1 && subsets(cells)}
    </div>
    ${
      (controls.length > 0 || cells.length > 0) &&
      html`<details>
        <summary>The same numbers as a table</summary>
        <div class="scroll" tabindex="0" role="region" aria-label="Controls, and sets of cells">
          ${controls.length > 0 && controlTable(controls)} ${cells.length > 0 && subsetTable(cells)}
        </div>
      </details>`
    }`;
}

type Control = NonNullable<SteeringVerdictRecord['controls']>[number];
type Subset = NonNullable<SteeringVerdictRecord['cells']>[number];

/** The effect and its controls as ranges below one another. */
function strip({ supported }: SteeringVerdictRecord, rows: readonly Control[]): Markup {
  const all = rows.flatMap(({ mean, low, high, effects = [] }) => [mean, low, high, ...effects]);
  const across = scaleLinear([Math.min(0, ...all), Math.max(0, ...all) || 1], [label + 12, width - 20]).nice(4);
  const x = (value: number): number => tenth(across(value));
  const floor = 30 + rows.length * pitch;
  const height = floor + 26;
  return html`<svg
    class="plot strip"
    viewBox="0 0 ${width} ${height}"
    width="${width}"
    height="${height}"
    role="img"
    aria-label="${rows.map(({ name, mean, low, high }) => `${name}: ${numberText(mean)}, ${numberText(low)} to ${numberText(high)}`).join('; ')}"
  >
    <text class="head" x="0" y="12">Effect, logits</text>
    <g class="grid">
      ${across
        .ticks(4)
        .map(
          (value) =>
            html`<path d="M${x(value)} 22V${floor}" /><text class="tick mid" x="${x(value)}" y="${floor + 18}"
                >${numberText(value)}</text
              >`,
        )}
    </g>
    <path class="axis" d="M${x(0)} 22V${floor}" />
    ${rows.map(({ name, mean, low, high, effects = [] }, i) => {
      const y = 30 + i * pitch + pitch / 2;
      return html`<g class="${i > 0 ? 'chance' : supported ? 'own' : 'own doubt'}">
        <text class="end" x="${label}" y="${y + 4}">${name}</text>
        <path class="whisker" d="M${x(low)} ${y}H${x(high)}M${x(low)} ${y - 5}V${y + 5}M${x(high)} ${y - 5}V${y + 5}" />
        ${
          effects.length > 1 &&
          html`<path
            class="whisker"
            opacity="0.55"
            d="${effects.map((each) => `M${x(each)} ${y - 4}V${y + 4}`).join('')}"
          />`
        }
        <circle cx="${x(mean)}" cy="${y}" r="4.5"
          ><title>${name}: ${numberText(mean)}, ${numberText(low)} to ${numberText(high)}</title></circle
        >
      </g>`;
    })}
  </svg>`;
}

/** What is left of the effect with only the k largest cells, and without them. */
function subsets(cells: readonly Subset[]): Markup {
  const shares = cells.flatMap(({ only, without }) => [only, without]);
  const last = cells.at(-1)?.k ?? 1;
  return smallPlot({
    kind: 'subsets',
    head: 'Part of the effect',
    under: '— only the k largest cells   - - without them',
    label: cells
      .map(({ k, only, without }) => `k = ${k}: ${percentText(only)} only, ${percentText(without)} without`)
      .join('; '),
    across: { ends: [0, last], name: 'k' },
    upward: {
      ends: [Math.min(0, ...shares), Math.max(1, ...shares) * 1.03],
      text: (part) => percentText(part, 3),
    },
    inside: (place) =>
      html`<g class="series absolute"
          ><path
            class="curve"
            d="${curveOf(
              cells.map(({ k, only }) => [k, only] as const),
              place,
            )}" /></g
        ><g class="series signed"
          ><path
            class="curve"
            d="${curveOf(
              cells.map(({ k, without }) => [k, without] as const),
              place,
            )}"
        /></g>`,
  });
}

const controlTable = (controls: readonly Control[]): Markup =>
  numberTable(
    ['By chance', 'Draws', 'Mean effect', 'from', 'to'],
    controls.map(({ name, draws, mean, low, high }) => ({
      texts: [name, ...[draws, mean, low, high].map((value) => numberText(value))],
    })),
    1,
  );

const subsetTable = (cells: readonly Subset[]): Markup =>
  numberTable(
    ['k largest cells', 'Only they', 'Without them'],
    cells.map(({ k, only, without }) => ({ texts: [numberText(k, 9), percentText(only), percentText(without)] })),
  );
