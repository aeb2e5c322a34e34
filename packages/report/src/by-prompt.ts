// What was measured on several prompts, prompt by prompt: the first stands open, the others are folded below it.
import { html } from './markup.js';
import type { Markup } from './markup.js';
import { numberText } from './number-text.js';
import { asText } from './prompts.js';
import type { SteeredPromptRecord } from './steering-record.js';
import { bare } from './token-words.js';

/** Entries of a part of a page, of which the record has all; and heads up to which two tables stand beside one another. */
const [mostDrawn, fewHeads] = [24, 6];

/** The drawings of `entries` under the prompts that they are of, beside one another where their heads leave room. */
export function byPrompt<Entry extends { readonly prompt: number; readonly heads: readonly unknown[] }>(
  entries: readonly Entry[],
  prompts: readonly SteeredPromptRecord[],
  draw: (entry: Entry, prompt: SteeredPromptRecord) => readonly Markup[],
): Markup {
  const shown = entries.slice(0, mostDrawn);
  const groups = [...new Set(shown.map(({ prompt }) => prompt))].flatMap((at) => {
    const prompt = prompts[at];
    return prompt ? [{ prompt, own: shown.filter((entry) => entry.prompt === at) }] : [];
  });
  const [first, ...rest] = groups;
  const name = ({ tokens, correct, wrong }: SteeredPromptRecord): Markup =>
    html`<bdi>${asText(tokens.map(({ text }) => text))}</bdi>
      <span class="helps-text">● <bdi>${bare(correct)}</bdi></span>
      <span class="hinders-text">■ <bdi>${bare(wrong)}</bdi></span>`;
  const drawings = ({ prompt, own }: (typeof groups)[number]): Markup =>
    html`<div class="pairwise ${own.some(({ heads }) => heads.length > fewHeads) && 'below'}">
      ${own.flatMap((entry) => draw(entry, prompt)).map((each) => html`<div>${each}</div>`)}
    </div>`;
  return html`${
    first &&
    html`<h4 class="of-prompt">${name(first.prompt)}</h4>
      ${drawings(first)}`
  }
  ${rest.map(
    (group) =>
      html`<details>
        <summary>${name(group.prompt)}</summary>
        ${drawings(group)}
      </details>`,
  )}
  ${
    entries.length > shown.length &&
    html`<p class="note">and ${numberText(entries.length - shown.length, 9)} more in the record</p>`
  }`;
}
