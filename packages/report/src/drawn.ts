// Small drawings as values, so that the page and its script draw them alike: the one as markup, the other as elements.
import { Markup, escapeText } from './markup.js';

/** Names of elements and attributes are the code's own; attribute values and texts may be of the data. */
export interface Drawn {
  readonly tag: 'svg' | 'g' | 'path' | 'text' | 'rect' | 'circle' | 'title';
  readonly attributes: Readonly<Record<string, string | number>>;
  readonly children: readonly (Drawn | string)[];
}

export const drawn = (
  tag: Drawn['tag'],
  attributes: Drawn['attributes'],
  ...children: readonly (Drawn | string | false)[]
): Drawn => ({ tag, attributes, children: children.filter((child) => child !== false) });

/** The drawing as markup. */
export function drawnMarkup({ tag, attributes, children }: Drawn): Markup {
  const given = Object.entries(attributes).map(([name, value]) => ` ${name}="${escapeText(String(value))}"`);
  const inside = children.map((child) => (typeof child === 'string' ? escapeText(child) : drawnMarkup(child).text));
  return new Markup(`<${tag}${given.join('')}>${inside.join('')}</${tag}>`);
}
