// What an adapter reaches on diffs that it was not trained on: a mark with its 95 % interval for every figure that is a share, the others in words.
import { html } from '../markup.js';
import type { Markup } from '../markup.js';
import { numberText, tenth } from '../number-text.js';
import { clip } from '../token-words.js';
import type { DitAdapterRecord } from './dit-parts.js';

type HeldOut = NonNullable<DitAdapterRecord['heldOut']>;

const [width, left, right, pitch, top] = [388, 6, 382, 42, 4] as const;

/** '0.62 (0.55 to 0.69), 128 diffs'. */
export const figureText = ({ value, interval: [low, high], count }: HeldOut[number]): string =>
  `${numberText(value)} (${numberText(low)} to ${numberText(high)}), ${numberText(count, 9)} diff${count === 1 ? '' : 's'}`;

export function heldOutPlot(figures: HeldOut): Markup {
  const isShare = ({ value, interval: [low, high] }: HeldOut[number]): boolean =>
    Math.min(value, low) >= 0 && Math.max(value, high) <= 1;
  const shares = figures.filter(isShare);
  const others = figures.filter((figure) => !isShare(figure));
  return html`${shares.length > 0 && intervals(shares)}
  ${
    others.length > 0 &&
    html`<ul class="plain note">
      ${others.map((figure) => html`<li><bdi>${figure.what}</bdi>: ${figureText(figure)}</li>`)}
    </ul>`
  }`;
}

/** One axis from 0 to 1; name and numbers above each track. */
function intervals(figures: HeldOut): Markup {
  const height = top + figures.length * pitch + 16;
  const x = (share: number): number => tenth(left + share * (right - left));
  return html`<svg
    class="plot held-out"
    viewBox="0 0 ${width} ${height}"
    width="${width}"
    height="${height}"
    role="img"
    aria-label="${figures.map((figure) => `${figure.what} ${figureText(figure)}`).join('; ')}"
  >
    ${figures.map((figure, i) => {
      const {
        what,
        value,
        interval: [low, high],
      } = figure;
      const y = top + i * pitch;
      return html`<g>
        <text x="${left}" y="${y + 13}">${clip(what, 24)}</text>
        <text class="soft end" x="${right}" y="${y + 13}">${figureText(figure)}</text>
        <path class="rest" d="M${left} ${y + 26}H${right}" />
        <path
          class="range"
          d="M${x(low)} ${y + 26}H${x(high)}M${x(low)} ${y + 21}V${y + 31}M${x(high)} ${y + 21}V${y + 31}"
        />
        <circle class="value" cx="${x(value)}" cy="${y + 26}" r="5" />
      </g>`;
    })}
    ${[0, 0.25, 0.5, 0.75, 1].map(
      (share) =>
        html`<text class="tick ${share === 0 ? 'start' : share === 1 ? '' : 'mid'}" x="${x(share)}" y="${height - 3}"
          >${numberText(share)}</text
        >`,
    )}
  </svg>`;
}
