// How likely the answer is with the diff at every strength, from none to twice.
import { html } from '../markup.js';
import type { Markup } from '../markup.js';
import { numberTable } from '../number-table.js';
import { numberText } from '../number-text.js';
import { curveOf, smallPlot } from '../small-plot.js';
import type { DitReadingRecord } from './reading-record.js';

type Strengths = NonNullable<DitReadingRecord['strengths']>;

export function strengthPlot({ points }: Strengths): Markup {
  const at = points.map(({ strength }) => strength);
  const values = points.map(({ logProbability }) => logProbability);
  const least = Math.min(...values, -0.01);
  const [from, to] = [Math.min(...at), Math.max(...at)];
  const said = points.some(({ text }) => text !== undefined);
  return html`<div class="pairwise">
    ${smallPlot({
      kind: 'strengths',
      head: 'log-probability of the answer',
      under: 'nats',
      label: `Log-probability of the answer at ${points.length} strengths of the diff, ${numberText(values[0])} at ${numberText(from)} to ${numberText(values.at(-1))} at ${numberText(to)}; the numbers are in the table`,
      across: { ends: [from, to], name: 'strength of the diff' },
      upward: { ends: [least * 1.05, 0] },
      height: 260,
      inside: (place) =>
        html`${from <= 1 && to >= 1 && html`<g class="threshold"><path d="M${place.x(1)} ${place.top}V${place.floor}" /></g>`}<path
            class="curve"
            d="${curveOf(
              points.map(({ strength, logProbability }) => [strength, logProbability]),
              place,
            )}"
          /><g class="series"
            >${points.map(
              ({ strength, logProbability }) =>
                html`<circle cx="${place.x(strength)}" cy="${place.y(logProbability)}" r="4"
                  ><title>${numberText(strength)}: ${numberText(logProbability)}</title></circle
                >`,
            )}</g
          >`,
    })}
    <div class="scroll" tabindex="0" role="region" aria-label="Answers by strength">
      ${numberTable(
        ['Strength', 'log p', 'p', ...(said ? ['What is said'] : [])],
        points.map(({ strength, logProbability, text = '' }) => ({
          texts: [
            numberText(strength),
            numberText(logProbability),
            numberText(Math.exp(logProbability)),
            ...(said ? [text.trim()] : []),
          ],
          now: strength === 1,
        })),
      )}
    </div>
  </div>`;
}
