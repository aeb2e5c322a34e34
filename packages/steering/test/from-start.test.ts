// Values by place from the start: prompts may be longer or shorter than those they were made from.
import { expect, it } from 'vitest';
import { positionTable, slotsOf } from '../src/index.js';

it('from-start: tokens in front take their places, those beyond are left alone, whatever the length of the prompt', () => {
  const table = positionTable([{ length: 4 }, { length: 3 }], 'from-start', { skip: 1 });
  expect(table).toEqual({ mode: 'from-start', names: ['1', '2', '3'], skip: 1 });
  expect([...slotsOf(table, { length: 4 })]).toEqual([-1, 0, 1, 2]);
  expect([...slotsOf(table, { length: 7 })]).toEqual([-1, 0, 1, 2, -1, -1, -1]);
  expect([...slotsOf(table, { length: 2 })]).toEqual([-1, 0]);
});
