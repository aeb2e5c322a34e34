// Drawings and parts of a page as elements of it.
import { drawingTags, type Drawn } from '../drawn.js';
import { visibleText } from '../visible-text.js';

const drawings = new Set<string>(drawingTags);

/** Texts are shown as the page shows them: characters that act on their surroundings become signs. */
export function nodesOf({ tag, attributes, children }: Drawn): Element {
  const made = drawings.has(tag)
    ? document.createElementNS('http://www.w3.org/2000/svg', tag)
    : document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, visibleText(String(value)));
  made.append(...children.map((child) => (typeof child === 'string' ? visibleText(child) : nodesOf(child))));
  return made;
}
