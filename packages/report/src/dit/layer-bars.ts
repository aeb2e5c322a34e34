// What every layer of a diff is worth to the answer: what is lost without it, and what it gives alone, layers upwards.
import { html } from '../markup.js';
import type { Markup } from '../markup.js';
import { numberTable } from '../number-table.js';
import { decimalsFor, numberText, scoreText, shortDecimalsFor, signedText } from '../number-text.js';
import { signedBars } from '../signed-bars.js';
import type { DitReadingRecord } from './reading-record.js';

type Layers = NonNullable<DitReadingRecord['layers']>;

export function layerBars({ whole, bare, rows }: Layers): Markup {
  const upwards = [...rows].sort((a, b) => b.layer - a.layer);
  const changes = upwards.map(({ layer, without, only }) => ({ layer, lost: without - whole, gained: only - bare }));
  const all = changes.flatMap(({ lost, gained }) => [lost, gained]);
  const decimals = shortDecimalsFor(all);
  const [least, most] = [Math.min(0, ...all), Math.max(0, ...all)];
  const bars = (head: string, from: number, value: (change: (typeof changes)[number]) => number): Markup =>
    signedBars({
      head,
      label: `${head}, nats from ${numberText(from)}: ${changes.map((each) => `layer ${each.layer} ${signedText(value(each), decimals)}`).join(', ')}`,
      // Both on one scale.
      ends: [least, most],
      names: 64,
      bars: changes.map((each) => ({
        name: `layer ${each.layer}`,
        value: value(each),
        text: signedText(value(each), decimals),
        kind: value(each) > 0 ? 'needed' : 'harmful',
      })),
    });
  return html`<div class="pairwise">
      ${bars('Without the layer', whole, ({ lost }) => lost)}
      ${bars('With only the layer', bare, ({ gained }) => gained)}
    </div>
    <details>
      <summary>Log-probabilities as a table</summary>
      <div class="scroll" tabindex="0" role="region" aria-label="Log-probabilities by layer">
        ${layerTable(upwards)}
      </div>
    </details>`;
}

function layerTable(rows: Layers['rows']): Markup {
  const decimals = decimalsFor(rows.flatMap(({ without, only }) => [without, only]));
  return numberTable(
    ['Layer', 'Without it', 'Only it'],
    rows.map(({ layer, without, only }) => ({
      texts: [String(layer), scoreText(without, decimals), scoreText(only, decimals)],
    })),
  );
}

/** Which layer the answer needs most, and which gives most of it alone. */
export function layerSentence({ whole, bare, rows }: Layers): string {
  const [needed] = [...rows].sort((a, b) => a.without - b.without);
  const [giving] = [...rows].sort((a, b) => b.only - a.only);
  if (!needed || !giving) return '';
  return (
    `The whole diff gives it ${numberText(whole)} nats, none of the diff ${numberText(bare)}. ` +
    `Most is lost without layer ${needed.layer} (${numberText(needed.without)}); ` +
    `layer ${giving.layer} alone gives most (${numberText(giving.only)}).`
  );
}
