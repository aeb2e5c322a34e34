// How the logit difference of every prompt is spread at some strengths: a histogram below another, on one axis with the margins.
import { scaleLinear } from 'd3-scale';
import { html } from './markup.js';
import type { Markup } from './markup.js';
import { numberTable } from './number-table.js';
import { numberText, percentText, tenth } from './number-text.js';
import { strengthText } from './steering-cell.js';
import type { SteeringRecord } from './steering-record.js';

type Spread = NonNullable<SteeringRecord['distribution']>[number];

const size = { left: 44, right: 12, top: 6, pitch: 64, tall: 46, bottom: 40 } as const;
const bins = 36;
/** Drawn twice, for wide and for narrow windows, so that its text keeps its size; the style shows one. */
const sizes = [
  { kind: 'wide', width: 820 },
  { kind: 'narrow', width: 388 },
] as const;

export function deltaHistograms({ distribution = [], rule }: SteeringRecord): Markup | false {
  const rows = distribution.filter(({ deltas }) => deltas.length > 0).reverse();
  if (!rows.length) return false;
  return html`${sizes.map((each) => plot(rows, rule?.margin, each))}
    <details>
      <summary>The same numbers as a table</summary>
      <div class="scroll" tabindex="0" role="region" aria-label="Spread of the logit difference">
        ${numberTable(
          ['β', 'Prompts', 'Least Δ', 'A quarter below', 'Half below', 'A quarter above', 'Largest Δ', 'Prefer ●'],
          rows.map(({ strength, deltas }) => ({
            texts: [
              strengthText(strength),
              numberText(deltas.length, 9),
              ...[0, 0.25, 0.5, 0.75, 1].map((part) => numberText(quantile(deltas, part))),
              percentText(deltas.filter((delta) => delta > 0).length / deltas.length),
            ],
          })),
        )}
      </div>
    </details>`;
}

function plot(rows: readonly Spread[], margin: number | undefined, { kind, width }: (typeof sizes)[number]): Markup {
  const { left, right, top, pitch, tall, bottom } = size;
  const end = width - right;
  const far = rows.reduce(
    (most, { deltas }) => deltas.reduce((a, b) => Math.max(a, Math.abs(b)), most),
    (margin ?? 1) * 1.2,
  );
  const across = scaleLinear([-far, far], [left, end]).nice();
  const x = (delta: number): number => tenth(across(delta));
  const [least = -far, most = far] = across.domain();
  const wide = (most - least) / bins;
  const counted = rows.map(({ strength, deltas }) => {
    const shares = Array.from({ length: bins }, () => 0);
    for (const delta of deltas) {
      const bin = Math.min(bins - 1, Math.floor((delta - least) / wide));
      shares[bin] = (shares[bin] ?? 0) + 1 / deltas.length;
    }
    return { strength, shares, middle: quantile(deltas, 0.5) };
  });
  const tallest = Math.max(...counted.flatMap(({ shares }) => shares));
  const floor = top + rows.length * pitch;
  return html`<svg
    class="plot spread ${kind}"
    viewBox="0 0 ${width} ${floor + bottom}"
    width="${width}"
    height="${floor + bottom}"
    role="img"
    aria-label="${counted.map(({ strength, middle }) => `β ${strengthText(strength)}: half of the prompts have Δ below ${numberText(middle)}`).join('; ')}"
  >
    <g class="grid">
      ${across
        .ticks(7)
        .map(
          (delta) =>
            html`<path d="M${x(delta)} ${top}V${floor}" /><text class="tick mid" x="${x(delta)}" y="${floor + 16}"
                >${numberText(delta)}</text
              >`,
        )}
    </g>
    <path class="axis" d="M${x(0)} ${top}V${floor}" />
    ${counted.map(({ strength, shares, middle }, row) => {
      const base = top + (row + 1) * pitch;
      const bars = shares.map(
        (share, i) =>
          share > 0 &&
          `M${x(least + i * wide)} ${base}V${tenth(base - (share / tallest) * tall)}H${x(least + (i + 1) * wide)}V${base}Z`,
      );
      return html`<g class="${strength > 0 ? 'towards' : strength < 0 ? 'against' : 'still'}">
        <text class="strong" x="0" y="${base - 6}">β ${strengthText(strength)}</text>
        <path class="bars" d="${bars.filter((bar) => bar !== false).join('')}" />
        <path class="axis" d="M${left} ${base}H${end}" />
        <path class="middle" d="M${x(middle)} ${base}V${base - tall}"
          ><title>half of the prompts below ${numberText(middle)}</title></path
        >
      </g>`;
    })}
    ${margin !== undefined && [-margin, margin].map((at) => html`<path class="limit" d="M${x(at)} ${top}V${floor}" />`)}
    <text class="hinders-text" x="${left}" y="${floor + 34}">■ preferred</text>
    <text class="tick mid" x="${(left + end) / 2}" y="${floor + 34}">Δ, logits</text>
    <text class="helps-text end" x="${end}" y="${floor + 34}">● preferred</text>
  </svg>`;
}

/** The value that a part of the numbers lies below. */
function quantile(numbers: readonly number[], part: number): number {
  const sorted = [...numbers].sort((a, b) => a - b);
  const place = part * (sorted.length - 1);
  const [low, high] = [sorted[Math.floor(place)] ?? 0, sorted[Math.ceil(place)] ?? 0];
  return low + (high - low) * (place % 1);
}
