// Where the last token looks, head by head on the tokens of a prompt: its attention without steering, and what steering moves.
import { byPrompt } from './by-prompt.js';
import { html } from './markup.js';
import type { Markup } from './markup.js';
import { percentText, scoreText, signedText } from './number-text.js';
import { strengthText } from './steering-cell.js';
import type { SteeringAttentionRecord } from './steering-explanations.js';
import type { SteeredPromptRecord } from './steering-record.js';
import { tokenHeadTable } from './token-head-table.js';

/** A change of less than half a hundredth is written as none. */
const none = 0.005;
/** Changes are shaded fully at this size or the largest of all, so that small ones stay pale where all are small. */
const leastFull = 0.1;

export function headAttention(
  attention: readonly SteeringAttentionRecord[],
  prompts: readonly SteeredPromptRecord[],
): Markup | false {
  if (attention.length === 0) return false;
  const most = attention
    .flatMap(({ heads }) => heads.flatMap(({ change }) => change))
    .reduce((largest, by) => Math.max(largest, Math.abs(by)), leastFull);
  return html`<p class="note">
      Attention of the last token in hundredths: without steering, and <b>by how much steering changes it</b>. Moved is
      the share of a head’s attention that goes elsewhere.
    </p>
    ${byPrompt(attention, prompts, (layer, prompt) => [layerTable(layer, prompt, most)])}
    <ul class="legend">
      <li><span class="swatch up s6">+</span> looks there more</li>
      <li><span class="swatch down s6">−</span> looks there less</li>
    </ul>`;
}

function layerTable(
  { layer, strength, heads }: SteeringAttentionRecord,
  { tokens }: SteeredPromptRecord,
  most: number,
): Markup {
  return tokenHeadTable({
    caption: `Layer ${layer}, β = ${strengthText(strength)}`,
    tokens: tokens.map(({ text }) => text),
    heads: heads.map(({ head, moved }) => html`head ${head} <b>${percentText(moved)} moved</b>`),
    most,
    least: none,
    cell: (token, head) => {
      const { before = [], change = [] } = heads[head] ?? {};
      const [from, by] = [before[token] ?? 0, change[token] ?? 0];
      return {
        text: html`<span class="from">${scoreText(100 * from, 0)}</span>
          <b>${Math.abs(by) >= none && signedText(100 * by, 0)}</b>`,
        value: by,
        weight: Math.max(from, Math.abs(by)),
      };
    },
  });
}
