// Why heads look where they look: a score before the softmax as a table of sources of the query and of the key, below the tokens that the head looks at.
import { html } from '../markup.js';
import type { Markup } from '../markup.js';
import { matrix } from '../matrix.js';
import { numberText, percentText, signedText } from '../number-text.js';
import { tokenText } from '../prompts.js';
import { shadeOf } from '../steering-cell.js';
import { bare } from '../token-words.js';
import { nodeName, placeOf } from './graph-names.js';
import type { FeatureGraphHeadScore, FeatureGraphNode, FeatureGraphRecord } from './graph-record.js';

/** A term below this share of the largest is not shaded. */
const least = 0.02;
/** Attention below this is not written. */
const leastLook = 0.005;
/** Shades of attention, from 0 to 9. */
const shades = 10;

/** '1.0 at 16 looking at 6'. */
export const headName = ({ layer, head, query, key }: FeatureGraphHeadScore): string =>
  `${layer}.${head} at ${query} looking at ${key}`;

export function headScores(record: FeatureGraphRecord): Markup | false {
  const { headScores: scores = [] } = record;
  if (scores.length === 0) return false;
  const places = new Map(record.nodes.map(({ id }, i) => [id, i]));
  return html`<div class="part">
    <h3>Why heads look where they look</h3>
    <p class="note">
      A score before the softmax is q·k, and so a sum over what the query is made of (columns) and what the key is made
      of (rows). The last column and row are all others together; everything sums to the score. A column adds to the
      scores of other keys as well, so that only differences between keys move attention.
    </p>
    ${scores.map((score) => scoreFigure(score, record, places))}
    <ul class="legend">
      <li><span class="swatch up s6">+</span> draws it there</li>
      <li><span class="swatch down s6">−</span> keeps it away</li>
    </ul>
  </div>`;
}

function scoreFigure(
  score: FeatureGraphHeadScore,
  record: FeatureGraphRecord,
  places: ReadonlyMap<string, number>,
): Markup {
  const { layer, head, query, key, queries, keys, terms, attention = [] } = score;
  const { prompt } = record;
  const most = terms.flat().reduce((size, term) => Math.max(size, Math.abs(term)), 0);
  const name = (node: FeatureGraphNode | undefined): Markup | string =>
    node === undefined ? 'all others' : sourceName(node, record, places.get(node.id));
  const looks = attention[key];
  return html`<figure class="head-score">
    <h4>
      Head ${layer}.${head} at ${query} <bdi>“${bare(prompt[query] ?? '')}”</bdi>, looking at ${key}
      <bdi>“${bare(prompt[key] ?? '')}”</bdi>
    </h4>
    <p class="note">
      Score ${signedText(score.score, 2)}${looks !== undefined && html`, ${percentText(looks)} of its attention`}
    </p>
    ${attention.length > 0 && lookedAt(attention, prompt, key)}
    ${matrix({
      kind: 'heat signed terms',
      caption: `Terms of the score, ${signedText(score.score, 2)} in all`,
      corner: 'key ↓ query →',
      rows: [...keys, undefined].map(name),
      columns: [...queries, undefined].map(name),
      cell: (row, column) => {
        const value = terms[row]?.[column] ?? 0;
        return html`<td class="${Math.abs(value) >= least * most && most > 0 && shadeOf(value, most)}">
          ${signedText(value, 2)}
        </td>`;
      },
    })}
  </figure>`;
}

/** A node of the graph is a way to it. */
function sourceName(node: FeatureGraphNode, record: FeatureGraphRecord, place: number | undefined): Markup {
  const words = html`<bdi>${nodeName(node, record)}</bdi> <i><bdi>${placeOf(node, record)}</bdi></i>`;
  return place === undefined
    ? words
    : html`<button type="button" class="plain-button" data-go="${place}">${words}</button>`;
}

/** The tokens, shaded by how much of the attention they have. */
function lookedAt(attention: readonly number[], prompt: readonly string[], key: number): Markup {
  return html`<ol class="looked-at" aria-label="Attention over the tokens">
    ${attention.map(
      (share, position) =>
        html`<li
          class="${`heat${Math.min(shades - 1, Math.floor(share * shades))}`} ${position === key && 'now'}"
          title="${position}: ${numberText(100 * share)} %"
        >
          ${tokenText(prompt[position] ?? '')}<span>${share >= leastLook && numberText(100 * share, 2)}</span>
        </li>`,
    )}
  </ol>`;
}
