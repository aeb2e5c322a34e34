// HTML and SVG as values: everything put into a template is text unless it is markup already, so data never becomes an element.
import { visibleText } from './visible-text.js';

/** Finished markup. Only `html` and the page's own constants make it. */
export class Markup {
  constructor(readonly text: string) {}
  toString(): string {
    return this.text;
  }
}

export type Part = Markup | string | number | null | undefined | false | readonly Part[];

const entities: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

/** Safe in element content and in quoted attributes; characters that cannot be seen are replaced by signs that can. */
export function escapeText(text: string): string {
  return visibleText(text).replace(/[&<>"']/g, (character) => entities[character] ?? '');
}

function render(part: Part): string {
  if (part === null || part === undefined || part === false) return '';
  if (part instanceof Markup) return part.text;
  if (typeof part === 'object') return part.map(render).join('');
  return escapeText(String(part));
}

/** Template tag. Attributes in the template must be quoted; nothing may be put into a tag or attribute name. */
export function html(strings: TemplateStringsArray, ...parts: readonly Part[]): Markup {
  return new Markup(strings.raw.map((text, i) => text + render(parts[i])).join(''));
}

/** What could end a script element or start another, and what acts on the text around it instead of being seen. */
// eslint-disable-next-line no-control-regex -- keeping control characters out is what this is for
const notInScript = /[<>&\u007f-\u009f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]/g;

/** JSON for a script element that is data: no character in it can end the element or start another. */
export function scriptJson(value: unknown): Markup {
  const code = (character: string): string => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
  return new Markup(JSON.stringify(value).replace(notInScript, code));
}
