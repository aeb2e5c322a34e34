// Makes elements whose content is text: the page's script has no other way to show data.

export function element<K extends keyof HTMLElementTagNameMap>(
  name: K,
  ...content: (Node | string)[]
): HTMLElementTagNameMap[K] {
  const made = document.createElement(name);
  made.append(...content);
  return made;
}

/** A line of small print. */
export function note(...content: (Node | string)[]): HTMLParagraphElement {
  const made = element('p', ...content);
  made.className = 'note';
  return made;
}

/** The content of a list of names and values. */
export const definitions = (pairs: readonly (readonly [name: string, value: string])[]): HTMLElement[] =>
  pairs.map(([name, value]) => element('div', element('dt', name), element('dd', value)));
