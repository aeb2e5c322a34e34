// What an attention cell gives the answer, taken apart: heads and the output bias that it is the sum of, and each head on the tokens that it reads.
import { byPrompt } from './by-prompt.js';
import { cellName } from './cell-name.js';
import type { CellPlaces } from './cell-name.js';
import { html } from './markup.js';
import type { Markup } from './markup.js';
import { shortDecimalsFor, signedText } from './number-text.js';
import { signedBars } from './signed-bars.js';
import type { SteeringSplitRecord } from './steering-explanations.js';
import type { SteeredPromptRecord } from './steering-record.js';
import { tokenHeadTable } from './token-head-table.js';

export function attentionSplits(
  splits: readonly SteeringSplitRecord[],
  prompts: readonly SteeredPromptRecord[],
  grid: CellPlaces['grid'],
): Markup | false {
  if (splits.length === 0) return false;
  return html`<p class="note">
      What a cell writes times the slope of Δ there, in logits: to first order what it gives ● over ■. Its heads and the
      output bias add up to it, and the tokens that a head reads to the head.
    </p>
    ${byPrompt(splits, prompts, (split, prompt) => partsOf(split, prompt, { grid, prompt }))}`;
}

/** Heads as bars, and on tokens. */
function partsOf(
  { cell, total, bias, heads }: SteeringSplitRecord,
  { tokens }: SteeredPromptRecord,
  places: CellPlaces,
): readonly [Markup, Markup] {
  const bars = [
    ...heads.map(({ head, value }) => ({ name: `head ${head}`, value })),
    { name: 'output bias', value: bias },
    { name: 'together', value: total },
  ];
  const decimals = shortDecimalsFor(bars.map(({ value }) => value));
  const text = (value: number): string => signedText(value, decimals);
  const most = heads
    .flatMap(({ sources }) => sources)
    .reduce((largest, value) => Math.max(largest, Math.abs(value)), 0);
  const name = cellName(places, cell);
  return [
    signedBars({
      head: name,
      label: `${name}: ${bars.map((bar) => `${bar.name} ${text(bar.value)}`).join('; ')}`,
      bars: bars.map((bar) => ({ ...bar, text: text(bar.value), kind: bar.value > 0 ? 'needed' : 'harmful' })),
    }),
    tokenHeadTable({
      caption: 'Its heads on the tokens that they read',
      tokens: tokens.slice(0, heads[0]?.sources.length).map((token) => token.text),
      heads: heads.map(({ head, value }) => html`head ${head} <b>${text(value)}</b>`),
      most,
      least: most / 50,
      cell: (token, head) => {
        const value = heads[head]?.sources[token] ?? 0;
        return { text: text(value), value, weight: Math.abs(value) };
      },
    }),
  ];
}
