// How often the search finds each edge again when its pairs are redrawn: edges of the circuit and others by their share of the resamples, with the counts as a table.
import { scaleLinear } from 'd3-scale';
import { html } from './markup.js';
import type { Markup } from './markup.js';
import { numberText, percentText } from './number-text.js';
import type { CircuitRecord } from './record.js';

type Stability = NonNullable<CircuitRecord['stability']>;
const bins = 10;
const size = { width: 388, height: 220, left: 40, right: 20, top: 14, bottom: 46 } as const;

/** Edges of the circuit and others that came back in more than i and up to i + 1 tenths of the resamples; never at all is in the first. */
function countsOf({ edges }: CircuitRecord, { selected }: Stability): { inside: number[]; outside: number[] } {
  const counts = { inside: Array.from({ length: bins }, () => 0), outside: Array.from({ length: bins }, () => 0) };
  const shares = new Map(selected.map(([index, share]) => [index, share]));
  edges.forEach(([, , marked], index) => {
    const share = shares.get(index);
    if (share === undefined && !marked) return;
    // A share is a ratio of counts: without its round-off, 0.3 is in the third tenth and not in the fourth.
    const bin = Math.min(bins - 1, Math.max(0, Math.ceil((share ?? 0) * bins - 1e-9) - 1));
    const list = marked ? counts.inside : counts.outside;
    list[bin] = (list[bin] ?? 0) + 1;
  });
  return counts;
}

export function stabilityPlot(record: CircuitRecord, stability: Stability): Markup {
  const counts = countsOf(record, stability);
  const { width, height, left, right, top, bottom } = size;
  const floor = height - bottom;
  const x = scaleLinear([0, bins], [left, width - right]);
  const y = scaleLinear([0, Math.max(1, ...counts.inside, ...counts.outside)], [floor, top]).nice();
  const at = (value: number): number => Math.round(value * 10) / 10;
  const bar = (kind: 'inside' | 'outside', count: number, bin: number): Markup | false => {
    const from = x(bin) + (kind === 'inside' ? 3 : (x(1) - x(0)) / 2 + 1);
    const to = from + (x(1) - x(0)) / 2 - 4;
    return (
      count > 0 &&
      html`<path class="${kind}" d="M${at(from)} ${floor}V${at(y(count))}H${at(to)}V${floor}Z"
        ><title>${numberText(count, 9)}, in ${binText(bin)}</title></path
      >`
    );
  };
  const { resamples, jaccard } = stability;
  return html`<svg
      class="plot stable"
      viewBox="0 0 ${width} ${height}"
      width="${width}"
      height="${height}"
      role="img"
      aria-label="Edges by how often they came back in ${numberText(resamples, 9)} resamples; the counts are in the table below"
    >
      <g class="grid">
        ${y
          .ticks(4)
          .filter(Number.isInteger)
          .map(
            (count) =>
              html`<path d="M${left} ${at(y(count))}H${width - right}" /><text
                  class="tick"
                  x="${left - 8}"
                  y="${at(y(count)) + 4}"
                  >${numberText(count, 9)}</text
                >`,
          )}
      </g>
      ${counts.inside.map((count, bin) => bar('inside', count, bin))}
      ${counts.outside.map((count, bin) => bar('outside', count, bin))}
      <path class="axis" d="M${left} ${floor}H${width - right}" />
      ${[0, 2, 4, 6, 8, 10].map((edge) => html`<text class="tick mid" x="${at(x(edge))}" y="${floor + 18}">${edge * 10}%</text>`)}
      <text class="tick mid" x="${(left + width - right) / 2}" y="${floor + 37}">of the resampled searches</text>
    </svg>
    <ul class="legend">
      <li class="stable">
        <svg viewBox="0 0 34 12" width="34" height="12" aria-hidden="true">
          <path class="inside" d="M1 1H33V11H1Z" />
        </svg>
        edges of the circuit
      </li>
      <li class="stable">
        <svg viewBox="0 0 34 12" width="34" height="12" aria-hidden="true">
          <path class="outside" d="M1 1H33V11H1Z" />
        </svg>
        edges that only a resample has
      </li>
    </ul>
    <p class="note">
      Edges by how many of ${numberText(resamples, 9)} searches, on pairs drawn with replacement, found them again.
      Circuits of two such searches share ${jaccard.pairwise === null ? '–' : percentText(jaccard.pairwise)} of all
      edges in either (Jaccard), each with the circuit ${percentText(jaccard.withAll)} (95 % of them
      ${percentText(jaccard.low)} to ${percentText(jaccard.high)}).
    </p>
    <details>
      <summary>The same numbers as a table</summary>
      <table class="numbers">
        <thead>
          <tr>
            <th scope="col">Found again in</th>
            <th scope="col" class="number">Edges of the circuit</th>
            <th scope="col" class="number">Others</th>
          </tr>
        </thead>
        <tbody>
          ${counts.inside.map(
            (count, bin) =>
              html`<tr>
                <td>${binText(bin)}</td>
                <td class="number">${numberText(count, 9)}</td>
                <td class="number">${numberText(counts.outside[bin] ?? 0, 9)}</td>
              </tr>`,
          )}
        </tbody>
      </table>
    </details>`;
}

const binText = (bin: number): string => (bin === 0 ? 'up to 10 %' : `over ${bin * 10} to ${bin * 10 + 10} %`);
