// The table of TransformerLens's names is whole, and what it names here exists.
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import * as hooks from '../src/index.js';
import { toy } from './toy.js';

const table = readFileSync(new URL('../docs/transformer-lens.md', import.meta.url), 'utf8')
  .split('\n')
  .filter((line) => line.startsWith('| ') && !line.startsWith('| TransformerLens'))
  .map((line) => line.split('|').map((cell) => cell.trim()));
const spans = (cell: string | undefined): string[] =>
  [...(cell ?? '').matchAll(/`([^`]+)`/g)].map((found) => found[1] as string);
const library = JSON.parse(
  readFileSync(new URL('golden/transformer-lens-names.json', import.meta.url), 'utf8'),
) as Record<string, string[]>;

test.each(Object.entries(library))('every public name of %s is spoken of', (_, names) => {
  const words = new Set(table.flatMap((cells) => spans(cells[1])).flatMap((span) => span.split(/\W+/)));
  expect(names.filter((name) => !words.has(name))).toEqual([]);
});

test('every name in the second column exists; a row without one gives a reason', async () => {
  const model = await toy();
  const { cache } = await hooks.runWithCache(model, [[1, 2]]);
  const places: Record<string, object> = { cache, model };
  for (const [, theirs, ours = '', note = ''] of table) {
    if (ours === '–') expect(note, theirs).not.toBe('');
    for (const span of spans(ours)) {
      const [, place, name] = /^(?:(cache|model)\.)?([A-Za-z]+)/.exec(span) ?? [];
      expect(place ? places[place] : hooks, `${theirs}: ${span}`).toHaveProperty(name as string);
    }
  }
  cache.dispose();
});
