// Drawings and parts of a page as values, so that the page and its script make them alike: the one as markup, the other as elements.
import { Markup, escapeText } from './markup.js';

/** Elements of drawings, which are SVG; all others are HTML. */
export const drawingTags = ['svg', 'g', 'path', 'text', 'rect', 'circle', 'title'] as const;
/** Elements that have no content and no end. */
const emptyTags = new Set<string>(['input']);

/** Names of elements and attributes are the code's own; attribute values and texts may be of the data. */
export interface Drawn {
  readonly tag:
    | (typeof drawingTags)[number]
    | 'article'
    | 'b'
    | 'bdi'
    | 'button'
    | 'data'
    | 'dd'
    | 'details'
    | 'div'
    | 'dl'
    | 'dt'
    | 'h3'
    | 'h4'
    | 'h5'
    | 'i'
    | 'input'
    | 'label'
    | 'li'
    | 'ol'
    | 'p'
    | 'span'
    | 'summary'
    | 'td'
    | 'tr'
    | 'ul';
  readonly attributes: Readonly<Record<string, string | number>>;
  readonly children: readonly (Drawn | string)[];
}

export const drawn = (
  tag: Drawn['tag'],
  attributes: Drawn['attributes'],
  ...children: readonly (Drawn | string | false)[]
): Drawn => ({ tag, attributes, children: children.filter((child) => child !== false) });

/** As markup. */
export function drawnMarkup({ tag, attributes, children }: Drawn): Markup {
  const given = Object.entries(attributes).map(([name, value]) => ` ${name}="${escapeText(String(value))}"`);
  const inside = children.map((child) => (typeof child === 'string' ? escapeText(child) : drawnMarkup(child).text));
  if (emptyTags.has(tag)) return new Markup(`<${tag}${given.join('')} />`);
  return new Markup(`<${tag}${given.join('')}>${inside.join('')}</${tag}>`);
}
