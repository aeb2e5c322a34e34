// Small drawings as elements of the page.
import type { Drawn } from '../drawn.js';

export function nodesOf({ tag, attributes, children }: Drawn): SVGElement {
  const made = document.createElementNS('http://www.w3.org/2000/svg', tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, String(value));
  made.append(...children.map((child) => (typeof child === 'string' ? child : nodesOf(child))));
  return made;
}
