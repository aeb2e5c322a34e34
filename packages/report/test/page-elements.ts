// The elements of a page as a browser would find them, for comparing pages and for looking into one.
import { parse } from 'parse5';
import type { DefaultTreeAdapterTypes } from 'parse5';

export interface Found {
  readonly name: string;
  readonly attributes: ReadonlyMap<string, string>;
  readonly text: string;
}

/** Every element of the page in document order. */
export function elements(page: string): Found[] {
  const found: Found[] = [];
  const visit = (node: DefaultTreeAdapterTypes.Node): void => {
    if ('tagName' in node) {
      const text = node.childNodes.map((child) => ('value' in child ? child.value : '')).join('');
      found.push({ name: node.tagName, attributes: new Map(node.attrs.map((a) => [a.name, a.value])), text });
    }
    if ('childNodes' in node) for (const child of node.childNodes) visit(child);
  };
  visit(parse(page));
  return found;
}

/** Names of elements and attributes, without any value. */
export const skeleton = (page: string): string[] =>
  elements(page).map(({ name, attributes }) => `${name} ${[...attributes.keys()].join(' ')}`);

/** What is read on the page, without its script, its data and its style. */
export const textOf = (page: string): string =>
  page
    .replace(/<script[\s\S]*?<\/script>|<style[\s\S]*?<\/style>/g, ' ')
    .replace(/<[^>]*>/g, ' ')
    .replace(/\s+/g, ' ');
