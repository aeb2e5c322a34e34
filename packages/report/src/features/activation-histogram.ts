// How often a feature fires how much: bars by the logarithm of their counts, as rare strong activations are what matters.
import { drawn, type Drawn } from '../drawn.js';
import { numberText, tenth } from '../number-text.js';
import type { FeatureRecord } from './feature-record.js';

const [width, height, floor] = [250, 66, 50];

/** Bins are equal, from 0 to the strongest activation. Undefined where nothing was counted. */
export function activationHistogram({ histogram: bins = [], max }: FeatureRecord): Drawn | undefined {
  const most = Math.max(0, ...bins);
  if (most === 0 || max <= 0) return undefined;
  const pitch = (width - 2) / bins.length;
  const tall = (count: number): number =>
    count === 0 ? 0 : tenth((Math.log1p(count) / Math.log1p(most)) * (floor - 4));
  const edge = (bin: number): string => numberText((bin * max) / bins.length);
  return drawn(
    'svg',
    {
      class: 'plot histogram',
      viewBox: `0 0 ${width} ${height}`,
      width,
      height,
      role: 'img',
      'aria-label': `Activations up to ${numberText(max)}, ${numberText(most, 9)} in the fullest of ${bins.length} bins`,
    },
    ...bins.map((count, bin) =>
      drawn(
        'rect',
        {
          class: 'bin',
          x: tenth(1 + bin * pitch),
          y: tenth(floor - tall(count)),
          width: Math.max(0.6, tenth(pitch - 0.8)),
          height: tall(count),
        },
        drawn('title', {}, `${edge(bin)} to ${edge(bin + 1)}: ${numberText(count, 9)} tokens`),
      ),
    ),
    drawn('path', { class: 'axis', d: `M0 ${floor + 0.5}H${width}` }),
    drawn('text', { class: 'soft', x: 1, y: height - 3 }, '0'),
    drawn('text', { class: 'soft mid', x: width / 2, y: height - 3 }, 'activation, log counts'),
    drawn('text', { class: 'soft end', x: width - 1, y: height - 3 }, numberText(max)),
  );
}
