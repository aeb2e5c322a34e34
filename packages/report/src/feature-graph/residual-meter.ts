// How far the edges into a node are from its value at worst: a scale of powers of ten with the limit on it.
import { html } from '../markup.js';
import type { Markup } from '../markup.js';
import { numberText, tenth } from '../number-text.js';
import type { FeatureGraphRecord } from './graph-record.js';

const [width, left, right] = [340, 8, 332];
/** Powers of ten at the ends. */
const [least, most] = [-9, 0];

export function residualMeter({ worst, tolerance, targets }: NonNullable<FeatureGraphRecord['accounting']>): Markup {
  const holds = worst <= tolerance;
  const x = (value: number): number => {
    const power = value > 0 ? Math.min(most, Math.max(least, Math.log10(value))) : least;
    return tenth(left + ((power - least) / (most - least)) * (right - left));
  };
  const says = `${holds ? '✓' : '✗'} The edges into ${targets === undefined ? 'every target' : `each of ${numberText(targets, 9)} targets`} sum to its value within ${numberText(worst, 2)} of it; allowed is ${numberText(tolerance, 2)}.`;
  return html`<div class="meter ${holds ? 'holds' : 'fails'}">
    <svg class="plot" viewBox="0 0 ${width} 44" width="${width}" height="44" role="img" aria-label="${says}">
      <rect class="room" x="${left}" y="12" width="${x(tolerance) - left}" height="10" />
      <path class="axis" d="M${left} 22.5H${right}" />
      ${Array.from({ length: (most - least) / 3 + 1 }, (_, i) => least + 3 * i).map(
        (power) =>
          html`<path class="axis" d="M${x(10 ** power)} 22V26" /><text
              class="soft ${power === least ? '' : power === most ? 'end' : 'mid'}"
              x="${power === least ? left : x(10 ** power)}"
              y="39"
              >${power === 0 ? '1' : `1e−${-power}`}</text
            >`,
      )}
      <path class="limit" d="M${x(tolerance)} 6V26" />
      <path class="needle" d="M${x(worst)} 22L${x(worst) - 5} 8H${x(worst) + 5}Z" />
    </svg>
    <p>${says}</p>
  </div>`;
}
