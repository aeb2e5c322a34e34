// Names and values as the content of a list of definitions.
import { html } from './markup.js';
import type { Markup } from './markup.js';

/** The value stands above its name where the list is one of figures. */
export const definitionsOf = (figures: readonly (readonly [name: string, value: string])[]): Markup[] =>
  figures.map(
    ([name, value]) =>
      html`<div>
        <dt>${name}</dt>
        <dd>${value}</dd>
      </div>`,
  );
