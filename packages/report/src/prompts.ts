// Pairs of prompts with their tokens one above the other, so that what was corrupted is seen at once.
import type { PairRecord } from './circuit-record.js';
import { html } from './markup.js';
import type { Markup } from './markup.js';
import { numberText } from './number-text.js';

const open = 3;
const mostAnswers = 8;

export function prompts(pairs: readonly PairRecord[]): Markup {
  if (!pairs.length) return html`<p class="note">The record holds no prompts.</p>`;
  const rest = pairs.slice(open);
  return html`<p class="note">
      Clean above, corrupted below; marked where they differ. A dot stands for a leading space.
    </p>
    ${pairs.slice(0, open).map(pairFigure)}
    ${
      rest.length > 0 &&
      html`<details>
        <summary>${rest.length} more</summary>
        ${rest.map((pair, i) => pairFigure(pair, i + open))}
      </details>`
    }`;
}

function pairFigure(pair: PairRecord, index: number): Markup {
  const { clean, corrupted, correct, incorrect, values } = pair;
  return html`<figure class="pair" aria-label="Pair ${index + 1}">
    <div class="aligned" aria-hidden="true">${clean.map((token, i) => column(token, corrupted[i] ?? ''))}</div>
    <p class="spoken">Clean: <bdi>${asText(clean)}</bdi>. Corrupted: <bdi>${asText(corrupted)}</bdi>.</p>
    <figcaption>
      ${answers('right', correct)}${answers('wrong', incorrect)}${values && html`<span>metric <b>${numberText(values.clean)}</b> clean, <b>${numberText(values.corrupted)}</b> corrupted</span>`}
    </figcaption>
  </figure>`;
}

/** Tokens read aloud as one text. */
export function asText(tokens: readonly string[]): string {
  return tokens.join(carriesSpaces(tokens) ? '' : ' ');
}

/** Tokens of a vocabulary of whole words carry no spaces of their own. */
export function carriesSpaces(tokens: readonly string[]): boolean {
  return tokens.some((token) => /\s/.test(token));
}

function column(clean: string, corrupted: string): Markup {
  const differ = clean !== corrupted;
  return html`<span class="column ${differ && 'differ'}">${tokenText(clean)}${tokenText(corrupted)}</span>`;
}

/** A token by itself: its own direction, its leading space as a dot. */
export function tokenText(token: string): Markup {
  const spaced = token.startsWith(' ');
  return html`<bdi class="token">${spaced && html`<i>·</i>`}${spaced ? token.slice(1) : token}</bdi>`;
}

function answers(kind: string, list: readonly string[] | undefined): Markup | false {
  if (!list?.length) return false;
  const more = list.length - mostAnswers;
  return html`<span>${kind} ${list.slice(0, mostAnswers).map(tokenText)}${more > 0 && html` and ${more} more`}</span>`;
}
