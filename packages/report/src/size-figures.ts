// What is known of one circuit size, as names and values: written into the page, and again by its script when the size changes.
import type { SizeFigures } from './live-data.js';
import { numberText, percentText, ratioText } from './number-text.js';

/** Names and values in the order in which they are read; only what was measured. */
export function sizeFigures(size: SizeFigures): readonly (readonly [name: string, value: string])[] {
  const { faithfulness, value, band, accuracy, divergence, random, ranking } = size;
  const figures: [string, string | undefined][] = [
    ['faithfulness', ratioText(faithfulness)],
    ['with pairs redrawn', band && rangeText(band)],
    ['metric', value === undefined ? undefined : numberText(value)],
    ['right answers', typeof accuracy === 'number' ? percentText(accuracy) : undefined],
    ['nats from the model', typeof divergence === 'number' ? numberText(divergence) : undefined],
    ['random circuits', random === undefined ? undefined : ratioText(random)],
    ['by |Δ| alone', ranking === undefined ? undefined : ratioText(ranking)],
  ];
  return figures.flatMap(([name, text]) => (text === undefined ? [] : [[name, text] as const]));
}

/** '0.8 to 0.91'; '–' where there is no such range. */
export const rangeText = ({ low, high }: { readonly low: number | null; readonly high: number | null }): string =>
  low === null || high === null ? '–' : `${ratioText(low)} to ${ratioText(high)}`;
