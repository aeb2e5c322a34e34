// What the drawings of features share: inks, the heading, and the document.
import { OKABE_ITO, svgDocument } from '../svg-document.mjs';

/** Readable on light and on dark paper. */
export const INK = { first: 'var(--first)', against: OKABE_ITO.vermilion } as const;

const STYLE = `<style>svg{--first:${OKABE_ITO.blue}}@media(prefers-color-scheme:dark){svg{--first:${OKABE_ITO.sky}}}.node{stroke:var(--soft);fill:var(--paper)}.node.circuit{fill:${OKABE_ITO.sky};stroke:${OKABE_ITO.blue}}.node.error{stroke-dasharray:2 2}.in{font-size:10px}.in.circuit{fill:#14202b}.in.error{fill:var(--soft)}</style>`;

/** The heading of a drawing. */
export const caption = (text: string): string => `<text class="title" x="16" y="26">${escaped(text)}</text>`;

const escaped = (text: string): string => text.replace(/&/g, '&amp;').replace(/</g, '&lt;').replace(/>/g, '&gt;');

/** A document; `title` is what is read to those who do not see it. */
export const document = (width: number, height: number, title: string, body: string): string =>
  svgDocument(width, height, escaped(title), `${STYLE}\n${body}`);
