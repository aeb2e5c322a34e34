// Out of heads: result_h = z_h W[rows of h, :].
import type { Step } from '@limn/gpu';
import { defineOp } from '../define-op.js';
import { expectRank, shapeError, showShape } from '../shape.js';
import { allocate, expectDType, type Tensor } from '../tensor.js';
import { perHead, runsOf, settle, type HeadRun, type HeadsOptions, type Settled } from './head-runs.js';
import { multiply, type Operand } from './multiply.js';

const resultsOp = defineOp<readonly [z: Tensor, weights: Tensor], readonly [Tensor], Settled, undefined>({
  name: 'headResults',
  forward(step, [z, weights], s) {
    const count = s.heads.length;
    const out = allocate(step, [...z.shape.slice(0, -1), s.channels], 'head results');
    for (const run of runsOf(s.heads))
      multiply(step, {
        m: s.rows,
        n: s.channels,
        k: s.width,
        innerCount: run.count,
        a: perHead(z, run, s.width, count),
        b: { ...rowsOfHead(weights, run, s), dtype: weights.dtype as 'f32' | 'f16' },
        c: perHead(out, run, s.channels, count),
        label: 'head results',
      });
    return { outputs: [out], saved: undefined };
  },
  vjp(step, { inputs: [z, weights], options: s }, [dOut], [wantZ, wantWeights]) {
    if (!dOut) return [undefined, undefined];
    const count = s.heads.length;
    let dz: Tensor | undefined;
    let dWeights: Tensor | undefined;
    if (wantZ) {
      dz = allocate(step, z.shape, 'd head z');
      for (const run of runsOf(s.heads))
        multiply(step, {
          m: s.rows,
          n: s.width,
          k: s.channels,
          innerCount: run.count,
          a: perHead(dOut, run, s.channels, count),
          b: { ...rowsOfHead(weights, run, s), dtype: weights.dtype as 'f32' | 'f16', transposed: true },
          c: perHead(dz, run, s.width, count),
          label: 'head results backward',
        });
    }
    if (wantWeights) {
      dWeights = allocate(step, weights.shape, 'd head weights');
      step.clear(dWeights.storage);
      for (const run of runsOf(s.heads))
        multiply(step, {
          m: s.width,
          n: s.channels,
          k: s.rows,
          innerCount: run.count,
          a: { ...perHead(z, run, s.width, count), transposed: true },
          b: perHead(dOut, run, s.channels, count),
          c: rowsOfHead(dWeights, run, s),
          label: 'head results backward',
        });
    }
    return [dz, dWeights];
  },
});

/** Rows of W_O [H K, C] that belong to each head of a run. */
function rowsOfHead(weights: Tensor, run: HeadRun, s: Settled): Operand {
  return {
    storage: weights.storage,
    offset: (s.offset + run.head * s.width) * s.channels,
    inner: s.width * s.channels,
    row: s.channels,
  };
}

/**
 * Out of heads: z [..., h, K] → [..., h, C], head by head through its K rows of `weights` [H K, C] (c_proj), without the
 * output bias; summed over all heads and with the bias it is the attention's output. Gradients for z and weights.
 * @throws LimnError `tensor/shape`, `tensor/dtype`
 */
export function headResults(
  step: Step,
  z: Tensor,
  weights: Tensor,
  options: Omit<HeadsOptions, 'headWidth'> = {},
): Tensor {
  const op = 'headResults';
  expectDType(op, z, ['f32'], 'z');
  expectDType(op, weights, ['f32', 'f16'], 'the weights');
  expectRank(op, 'the weights', weights.shape, 2);
  const [places, channels] = weights.shape as readonly [number, number];
  const [count, headWidth] = z.shape.slice(-2);
  if (count === undefined || headWidth === undefined)
    throw shapeError(op, `z ${showShape(z.shape)} has no axis of heads`, 'Give z as [..., h, K].', { shape: z.shape });
  const settled = settle(op, z.shape.slice(0, -2), channels, places, count, { ...options, headWidth });
  return resultsOp(step, [z, weights], settled)[0];
}
