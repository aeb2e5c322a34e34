// Heads on the tokens of a prompt: a row per token as it is read, a column per head, a shaded number where they meet.
import { html } from './markup.js';
import type { Markup, Part } from './markup.js';
import { matrix } from './matrix.js';
import { numberText } from './number-text.js';
import { tokenText } from './prompts.js';
import { shadeOf } from './steering-cell.js';

/** Rows of a table: of a longer prompt those tokens whose weight in some head is largest. */
const mostTokens = 32;

interface TokenHeads {
  readonly caption: string;
  /** The first tokens of a prompt, as many as have values. */
  readonly tokens: readonly string[];
  /** What stands above each column. */
  readonly heads: readonly Part[];
  /** What a cell says, what it is shaded by, and what its row is kept for where there are many. */
  readonly cell: (
    token: number,
    head: number,
  ) => { readonly text: Part; readonly value: number; readonly weight: number };
  /** The value that is shaded fully. */
  readonly most: number;
  /** A value up to this size is not shaded. */
  readonly least: number;
}

export function tokenHeadTable({ caption, tokens, heads, cell, most, least }: TokenHeads): Markup {
  const weights = tokens.map((_, token) =>
    heads.reduce<number>((most, __, head) => Math.max(most, cell(token, head).weight), 0),
  );
  const rows = [...tokens.keys()]
    .sort((a, b) => (weights[b] ?? 0) - (weights[a] ?? 0))
    .slice(0, mostTokens)
    .sort((a, b) => a - b);
  return html`${matrix({
    kind: 'heat signed on-tokens',
    caption,
    corner: 'token',
    rows: rows.map((token) => html`<i>${token}</i> ${tokenText(tokens[token] ?? '')}`),
    columns: heads,
    cell: (row, head) => {
      const { text, value } = cell(rows[row] ?? 0, head);
      return html`<td class="${Math.abs(value) > least && shadeOf(value, most)}">${text}</td>`;
    },
  })}
  ${
    rows.length < tokens.length &&
    html`<p class="note">
      The ${numberText(rows.length, 9)} tokens that matter most, of ${numberText(tokens.length, 9)}; the record has all.
    </p>`
  }`;
}
