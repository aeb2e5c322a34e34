// Elementwise functions and their slopes against float64.
import { describe, it } from 'vitest';
import { referenceRandom, referenceUnary } from '@limn/testing';
import { abs, exp, log, reciprocal, relu, rsqrt, sigmoid, sqrt, square, tanh } from '../../src/index.js';
import { checkOp } from '../check-op.js';
import { around, withWorkgroup, WORKGROUPS } from '../workgroups.js';

const ops = { square, sqrt, rsqrt, reciprocal, exp, log, relu, sigmoid, tanh, abs };
const random = referenceRandom(22);

async function check(name: keyof typeof ops, x: Float64Array, workgroup: number, what = ''): Promise<void> {
  await checkOp({
    kernel: name,
    case: `${x.length}${what}, WG ${workgroup}`,
    inputs: [{ shape: [x.length], values: x }],
    run: (step, [input]) => ops[name](withWorkgroup(step, workgroup), input!),
    expected: referenceUnary.unaryForward(name, x),
    n: 1,
    vjp: (seed) => [referenceUnary.unaryVjp(name, x, seed)],
    vjpN: [1],
  });
}

describe('unary', () => {
  for (const name of Object.keys(ops) as (keyof typeof ops)[])
    it(name, async () => {
      const positive = ['sqrt', 'rsqrt', 'log'].includes(name);
      const input = (count: number, scale = 1) =>
        random.normals(count, scale).map((v) => Math.fround(positive ? Math.abs(v) + 0.01 : v));
      for (const workgroup of WORKGROUPS)
        for (const size of around(workgroup)) await check(name, input(size), workgroup);
      await check(name, input(768), 64);
      // Arguments far out: exp must neither overflow inside sigmoid and tanh nor lose its tail.
      if (name === 'sigmoid' || name === 'tanh') await check(name, input(301, 30), 64, ' wide');
      if (name === 'tanh') await check(name, input(301, 0.05), 64, ' near 0');
      if (name === 'exp') await check(name, input(301, 10), 64, ' wide');
    });
});
