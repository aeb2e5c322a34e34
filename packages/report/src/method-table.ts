// Methods of steering beside one another: every figure as mean ± deviation over seeds, and success with its interval as a picture.
import { html } from './markup.js';
import type { Markup } from './markup.js';
import { numberText, percentText, tenth } from './number-text.js';
import { smallPlot } from './small-plot.js';
import type { SteeringMethodRecord } from './steering-record.js';
import { spreadText } from './steering-summary.js';

type Spread = SteeringMethodRecord['drift'];
const [width, height] = [132, 18];

export function methodTable(methods: readonly SteeringMethodRecord[], limit: number | undefined): Markup {
  const has = (key: 'parameters' | 'nonZero' | 'effect' | 'gap'): boolean =>
    methods.some((method) => method[key] !== undefined);
  const spread = (value: Spread | undefined, say: (value: number) => string): Markup =>
    html`<td class="number">${value === undefined ? '–' : spreadText(value, say)}</td>`;
  const short = (value: number): string => numberText(value, 2);
  const seeds = [...new Set(methods.map((method) => method.seeds))];
  return html`<div class="scroll" tabindex="0" role="region" aria-label="Methods of steering">
      <table class="numbers methods">
        <thead>
          <tr>
            <th scope="col" class="number"></th>
            <th scope="col">Method</th>
            <th scope="col" class="number">Success both ways</th>
            <th scope="col">0 % to 100 %</th>
            <th scope="col" class="number">KL, nats</th>
            ${has('effect') && html`<th scope="col" class="number">Mean βΔ</th>`}
            ${has('parameters') && html`<th scope="col" class="number">Numbers learnt</th>`}
            ${has('nonZero') && html`<th scope="col" class="number">Not 0</th>`}
            ${has('gap') && html`<th scope="col" class="number">Train − test</th>`}
            ${seeds.length > 1 && html`<th scope="col" class="number">Seeds</th>`}
          </tr>
        </thead>
        <tbody>
          ${methods.map(
            (method, i) =>
              html`<tr class="${method.own && 'now'}">
                <td class="number">${i + 1}</td>
                <td><bdi>${method.name}</bdi></td>
                ${spread(method.twoWaySuccess, percentText)}
                <td>${interval(method.twoWaySuccess)}</td>
                ${spread(method.drift, short)} ${has('effect') && spread(method.effect, short)}
                ${
                  has('parameters') &&
                  html`<td class="number">
                    ${method.parameters === undefined ? '–' : numberText(method.parameters, 9)}
                  </td>`
                }
                ${has('nonZero') && spread(method.nonZero, (value) => numberText(value))}
                ${has('gap') && spread(method.gap, percentText)}
                ${seeds.length > 1 && html`<td class="number">${numberText(method.seeds, 9)}</td>`}
              </tr>`,
          )}
        </tbody>
      </table>
    </div>
    <p class="note">
      Mean ±
      deviation${seeds.length === 1 && ` over ${numberText(seeds[0] ?? 1, 9)} ${seeds[0] === 1 ? 'seed' : 'seeds'}`}, on
      prompts with unseen entities.
    </p>
    ${versus(methods, limit)}`;
}

/** A dot and its deviation between 0 and 1. */
function interval({ mean, deviation }: Spread): Markup {
  const x = (value: number): number => tenth(6 + Math.max(0, Math.min(1, value)) * (width - 12));
  const half = deviation ?? 0;
  return html`<svg
    class="plot interval"
    viewBox="0 0 ${width} ${height}"
    width="${width}"
    height="${height}"
    aria-hidden="true"
  >
    <path class="axis" d="M6 9H${width - 6}M6 5V13M${width - 6} 5V13" />
    <path class="whisker" d="M${x(mean - half)} 9H${x(mean + half)}" />
    <circle cx="${x(mean)}" cy="9" r="4.5" />
  </svg>`;
}

/** Success against its price, each method by its number in the table: the best stand at the upper left. */
function versus(methods: readonly SteeringMethodRecord[], limit: number | undefined): Markup {
  const most = Math.max(1e-3, ...methods.map(({ drift }) => drift.mean));
  const end = limit === undefined ? most * 1.1 : Math.max(limit * 1.3, Math.min(most * 1.1, limit * 2.5));
  const names = methods.map(
    ({ name, twoWaySuccess, drift }) => `${name} ${percentText(twoWaySuccess.mean)} at ${numberText(drift.mean)}`,
  );
  return smallPlot({
    kind: 'versus',
    head: 'Success both ways',
    under: most > end ? 'what costs more is drawn at the edge' : '',
    label: `Success against KL: ${names.join('; ')}`,
    across: { ends: [0, end], name: 'KL, nats' },
    upward: { ends: [0, 1.08], ticks: [0, 0.25, 0.5, 0.75, 1], text: (part) => percentText(part, 3) },
    height: 290,
    inside: ({ x, y, top, floor }) => html`
      ${
        limit !== undefined &&
        html`<path class="limit" d="M${x(limit)} ${top}V${floor}" /><text
            class="soft"
            x="${x(limit) + 5}"
            y="${floor - 6}"
            >limit ${numberText(limit)}</text
          >`
      }
      ${methods
        .map(({ name, own, twoWaySuccess: success, drift }, i) => {
          const [across, upward] = [x(drift.mean), y(success.mean)];
          const [wide, tall] = [drift.deviation ?? 0, success.deviation ?? 0];
          return html`<g class="${own && 'own'}">
            <path
              class="whisker"
              d="M${x(drift.mean - wide)} ${upward}H${x(drift.mean + wide)}M${across} ${y(success.mean - tall)}V${y(success.mean + tall)}"
            />
            <circle cx="${across}" cy="${upward}" r="8.5"><title>${name}</title></circle>
            <text class="name" x="${across}" y="${upward + 4}">${i + 1}</text>
          </g>`;
        })
        .reverse()}
    `,
  });
}
