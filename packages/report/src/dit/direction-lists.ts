// The strongest directions of a diff as tokens: what its linears write to the residual stream, and what they read from it.
import { shadeOf } from '../heat-table.js';
import { html } from '../markup.js';
import type { Markup } from '../markup.js';
import { numberText, percentText } from '../number-text.js';
import { tokenText } from '../prompts.js';
import type { DitReadingRecord } from './reading-record.js';

type Direction = DitReadingRecord['directions'][number];

/** Directions of a side that stand open; the others fold. Tokens of one end of a direction. */
const [open, mostTokens] = [6, 8];

export const directionLists = (directions: readonly Direction[]): Markup =>
  html`<div class="pairwise">
    ${side(
      'It writes, through the unembedding',
      directions.filter((each) => each.side === 'writes'),
    )}
    ${side(
      'It reads, through the embedding',
      directions.filter((each) => each.side === 'reads'),
    )}
  </div>`;

function side(name: string, directions: readonly Direction[]): Markup | false {
  if (!directions.length) return false;
  const sorted = [...directions].sort((a, b) => b.strength - a.strength);
  const [shown, rest] = [sorted.slice(0, open), sorted.slice(open)];
  return html`<div>
    <h4 class="side">${name}</h4>
    <ol class="directions heat">
      ${shown.map(item)}
    </ol>
    ${
      rest.length > 0 &&
      html`<details>
        <summary>${numberText(rest.length, 9)} weaker</summary>
        <ol class="directions heat">
          ${rest.map(item)}
        </ol>
      </details>`
    }
  </div>`;
}

function item({ map, layer, strength, share, tokens }: Direction): Markup {
  const most = tokens.reduce((largest, { value }) => Math.max(largest, Math.abs(value)), 0);
  const chip = ({ text, value }: Direction['tokens'][number]): Markup =>
    html`<span class="chip ${shadeOf(most ? value / most : 0)}"
      >${tokenText(text)}<data value="${value}">${numberText(value, 2)}</data></span
    >`;
  const ends = [
    tokens.filter(({ value }) => value >= 0).sort((a, b) => b.value - a.value),
    tokens.filter(({ value }) => value < 0).sort((a, b) => a.value - b.value),
  ];
  return html`<li>
    <p class="of">
      <b>layer ${layer} <bdi>${map}</bdi></b>
      <span>σ ${numberText(strength)}${share !== undefined && html`, ${percentText(share)} of its square`}</span>
    </p>
    ${ends.map((end) => end.length > 0 && html`<p class="chips">${end.slice(0, mostTokens).map(chip)}</p>`)}
  </li>`;
}
