// The four answers: columns without and with the diff, rows without and with the adapter, each with its probability and its likeliest first tokens.
import { html } from '../markup.js';
import type { Markup } from '../markup.js';
import { numberText } from '../number-text.js';
import { signedBars } from '../signed-bars.js';
import { bare, clip } from '../token-words.js';
import type { DitReadingAnswer } from './reading-record.js';

type Who = DitReadingAnswer['who'];

/** In the order in which they are read. */
const order = ['base', 'base+diff', 'base+adapter', 'base+diff+adapter'] as const satisfies readonly Who[];

/** 'base + diff'. */
export const whoText = (who: Who): string => who.replaceAll('+', ' + ');

/** Bars of one answer. */
const most = 6;

export function answerGrid(answers: readonly DitReadingAnswer[]): Markup {
  const cards = order.flatMap((who) => answers.find((answer) => answer.who === who) ?? []);
  return html`<div class="four">${cards.map(card)}</div>`;
}

function card({ who, text, probability, top, ended = true }: DitReadingAnswer): Markup {
  const isReading = who === 'base+diff+adapter';
  const shown = top.slice(0, most);
  const says = shown.map((each) => `${bare(each.text)} ${numberText(each.probability, 2)}`).join(', ');
  return html`<article class="answer ${isReading && 'read'}">
    <h4>${whoText(who)}</h4>
    <p class="answered">
      <bdi>${text.trim()}</bdi>${!text.trim() && html`<i>ends at once</i>`}${!ended && html`<i> … cut off</i>`}
    </p>
    <p class="note">probability of the whole answer ${numberText(probability)}</p>
    ${
      shown.length > 0 &&
      signedBars({
        head: 'First token',
        label: `Likeliest first tokens of ${whoText(who)}: ${says}`,
        ends: [0, 1],
        bars: shown.map((each) => ({
          name: clip(bare(each.text), 15),
          value: each.probability,
          text: numberText(each.probability, 2),
          kind: isReading ? 'needed' : '',
        })),
      })
    }
  </article>`;
}

/** The answers to another question, as a table. */
export function answerTable(answers: readonly DitReadingAnswer[]): Markup {
  return html`<table class="numbers answers">
    <thead>
      <tr>
        <th scope="col">Who</th>
        <th scope="col">Answer</th>
        <th scope="col" class="number">Probability</th>
        <th scope="col">Likeliest first tokens</th>
      </tr>
    </thead>
    <tbody>
      ${order.flatMap((who) =>
        answers
          .filter((answer) => answer.who === who)
          .map(
            ({ text, probability, top }) =>
              html`<tr>
                <td>${whoText(who)}</td>
                <td class="long"><bdi>${text.trim()}</bdi></td>
                <td class="number">${numberText(probability)}</td>
                <td class="likely">
                  ${top.slice(0, 4).map((each) => html`<span><bdi>${bare(each.text)}</bdi> ${numberText(each.probability, 2)}</span> `)}
                </td>
              </tr>`,
          ),
      )}
    </tbody>
  </table>`;
}
