// What is said of pairs that stand there more than once.
import { expect, it } from 'vitest';
import { duplicateFlags } from '../src/duplicate-pairs.js';

const pairs = (...ids: readonly number[]) =>
  ids.map((id) => ({ clean: [id, 2], corrupted: [3, 2], correct: [4], incorrect: [5] }));
const texts = (...sets: Parameters<typeof duplicateFlags>) => duplicateFlags(...sets).map(({ text }) => text);

it('counts the copies within a set', () => {
  const own = pairs(1, 6, 1, 1);
  expect(duplicateFlags({ discovery: own, evaluation: own })).toEqual([
    {
      code: 'duplicate-pairs',
      text: expect.stringMatching(/^Of the 4 pairs of search and measurement, 2 repeat another/),
    },
  ]);
  const [search, measurement, ...rest] = texts({ discovery: pairs(1, 6, 6), evaluation: pairs(6, 7, 6, 8) });
  expect(search).toMatch(/^Of the 3 pairs of the search, 1 repeats another/);
  expect(measurement).toMatch(/^Of the 4 pairs of the measurement, 1 repeats another/);
  expect(rest).toEqual([]);
  expect(texts({ discovery: pairs(1, 6), evaluation: pairs(7, 8) })).toEqual([]);
});
