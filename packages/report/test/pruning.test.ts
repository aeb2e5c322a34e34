// What goes with a part that is dropped: all that no longer lies on a path from input to logits.
import { expect, test } from 'vitest';
import { withoutPart } from '../src/client/pruning.js';

const circuit = ['input->a0.h0<q>', 'a0.h0->m0', 'm0->a1.h0<v>', 'a0.h0->a1.h0<k>', 'a1.h0->logits', 'input->logits'];

test.each([
  ['input->logits', circuit.slice(0, 5)],
  ['a0.h0->m0', ['input->a0.h0<q>', 'a0.h0->a1.h0<k>', 'a1.h0->logits', 'input->logits']],
  ['m0', ['input->a0.h0<q>', 'a0.h0->a1.h0<k>', 'a1.h0->logits', 'input->logits']],
  ['a0.h0', ['input->logits']],
  ['a1.h0->logits', ['input->logits']],
  ['logits', []],
])('without %s', (part, left) => {
  expect([...withoutPart(circuit, part)]).toEqual(left);
});
