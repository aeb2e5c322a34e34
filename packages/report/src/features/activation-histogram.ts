// How often a feature fires how much: bars by the logarithm of their counts, as rare strong activations are what matters.
import { drawn, type Drawn } from '../drawn.js';
import { numberText, tenth } from '../number-text.js';
import type { FeatureRecord } from './feature-record.js';

const [width, height, floor] = [250, 66, 50];

/** Undefined where nothing was counted. */
export function activationHistogram(bins: NonNullable<FeatureRecord['histogram']>): Drawn | undefined {
  const [first] = bins;
  const last = bins.at(-1);
  const most = Math.max(0, ...bins.map(({ count }) => count));
  if (!first || !last || most === 0 || last.to <= first.from) return undefined;
  const x = (value: number): number => tenth(((value - first.from) / (last.to - first.from)) * (width - 2) + 1);
  const tall = (count: number): number =>
    count === 0 ? 0 : tenth((Math.log1p(count) / Math.log1p(most)) * (floor - 4));
  return drawn(
    'svg',
    {
      class: 'plot histogram',
      viewBox: `0 0 ${width} ${height}`,
      width,
      height,
      role: 'img',
      'aria-label': `Activations from ${numberText(first.from)} to ${numberText(last.to)}, ${numberText(most, 9)} in the fullest of ${bins.length} bins`,
    },
    ...bins.map(({ from, to, count }) =>
      drawn(
        'rect',
        {
          class: 'bin',
          x: x(from),
          y: tenth(floor - tall(count)),
          width: Math.max(0.6, tenth(x(to) - x(from) - 0.8)),
          height: tall(count),
        },
        drawn('title', {}, `${numberText(from)} to ${numberText(to)}: ${numberText(count, 9)} tokens`),
      ),
    ),
    drawn('path', { class: 'axis', d: `M0 ${floor + 0.5}H${width}` }),
    drawn('text', { class: 'soft', x: 1, y: height - 3 }, numberText(first.from)),
    drawn('text', { class: 'soft mid', x: width / 2, y: height - 3 }, 'activation, log counts'),
    drawn('text', { class: 'soft end', x: width - 1, y: height - 3 }, numberText(last.to)),
  );
}
