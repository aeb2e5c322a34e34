// Straight-through gradients of θ are those of the expected loss: finite differences of the loss over a smooth pre-activation say the same.
// In float64; that the recorded update has the same gradients is loss-gradients.test.ts.
import { referenceDictionary } from '@limn/testing';
import { expect, test } from 'vitest';
import type { DictionaryLoss } from '../src/index.js';

const { dictionaryLoss } = referenceDictionary;

/** The loss is a step function of θ at each row: with so many, hundreds lie in the window and in the difference. */
const ROWS = 20_000;
const [F, O] = [3, 2];
/** ε. Where it fires within the window a is θ + ε / 4 on average: the term of the activation is off by about ε / 4θ, 1 %; another 1 % for rows at the edges. */
const bandwidth = 0.02;
/** Step of the differences in log θ. */
const STEP = 0.05;

/** Quantiles of a logistic distribution: a smooth density without noise. */
const x = Float64Array.from({ length: ROWS }, (_, n) => Math.fround(0.6 * Math.log((n + 0.5) / (ROWS - n - 0.5))));
const y = Float64Array.from({ length: ROWS * O }, (_, at) => Math.fround(Math.sin(x[Math.floor(at / O)]! + (at % O))));
const parameters = {
  wEnc: Float64Array.of(1, -0.75, 0.5),
  bEnc: Float64Array.of(0.25, 0.125, 0.5),
  wDec: Float64Array.of(1, 0.5, -0.5, 1, 0.25, -0.75),
  bDec: Float64Array.of(0.125, -0.25),
  logThreshold: Float64Array.of(-0.5, -0.75, -1),
};

test.each<[string, DictionaryLoss]>([
  ['of the reconstruction', { reconstruction: 'sum' }],
  ['of L0 with it', { reconstruction: 'sum', sparsity: { kind: 'l0', weight: 0.7 } }],
  // A tanh of a has no such term: halfway between its slopes at 0 and at θ is not their mean.
  ['of L1 with it', { reconstruction: 'sum', sparsity: { kind: 'l1-decoder', weight: 0.5 } }],
])('%s', (_, loss) => {
  const at = (logThreshold: Float64Array): referenceDictionary.DictionaryResult =>
    dictionaryLoss(
      { rows: ROWS, features: F, x, y, activation: { kind: 'jump-relu', bandwidth }, loss, dead: new Float64Array(F) },
      { ...parameters, logThreshold },
    );
  const expected = Array.from({ length: F }, (_none, f) => {
    const moved = (by: number): Float64Array => parameters.logThreshold.map((value, i) => value + (i === f ? by : 0));
    return (at(moved(STEP)).loss - at(moved(-STEP)).loss) / (2 * STEP);
  });
  const { logThreshold: found } = at(parameters.logThreshold).gradients;
  const size = Math.max(...expected.map(Math.abs));
  expected.forEach((slope, f) => expect(Math.abs((found[f] as number) - slope)).toBeLessThan(0.02 * size));
});
