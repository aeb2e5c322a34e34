// Into heads: q_h = x_h W[:, columns of h] + b[columns of h].
import type { Step } from '@limn/gpu';
import { defineOp } from '../define-op.js';
import { expectRank, expectShape, shapeError, showShape } from '../shape.js';
import { allocate, expectDType, Tensor } from '../tensor.js';
import { perHead, runsOf, settle, type HeadsOptions, type Settled } from './head-runs.js';
import { multiply } from './multiply.js';
import { sumRun } from './sum-run.js';

const projectOp = defineOp<readonly Tensor[], readonly [Tensor], Settled, undefined>({
  name: 'headProject',
  forward(step, inputs, s) {
    const [x, weights, bias] = inputs as readonly [Tensor, Tensor, Tensor?];
    const count = s.heads.length;
    const lead = x.shape.slice(0, s.shared ? -1 : -2);
    const out = allocate(step, [...lead, count, s.width], 'head projection');
    for (const run of runsOf(s.heads)) {
      const column = s.offset + run.head * s.width;
      const dtype = weights.dtype as 'f32' | 'f16';
      const b = { storage: weights.storage, offset: column, row: weights.shape[1] as number, dtype };
      const common = { m: s.rows, k: s.channels, label: 'head projection' };
      const added = bias ? { bias: { storage: bias.storage, offset: column, inner: s.width } } : {};
      // With one x for all heads, consecutive heads are one wide matrix.
      if (s.shared)
        multiply(step, {
          ...common,
          ...added,
          n: run.count * s.width,
          a: { storage: x.storage, row: s.channels },
          b,
          c: { storage: out.storage, offset: run.at * s.width, row: count * s.width },
        });
      else
        multiply(step, {
          ...common,
          ...added,
          n: s.width,
          innerCount: run.count,
          a: perHead(x, run, s.channels, count),
          b: { ...b, inner: s.width },
          c: perHead(out, run, s.width, count),
        });
    }
    return { outputs: [out], saved: undefined };
  },
  vjp(step, { inputs, options: s }, [dOut], [wantX, wantWeights, wantBias]) {
    const [x, weights, bias] = inputs as readonly [Tensor, Tensor, Tensor?];
    if (!dOut) return inputs.map(() => undefined);
    const dx = wantX ? pullThroughWeights(step, dOut, weights, x.shape, s) : undefined;
    const dWeights = wantWeights ? projectWeights(step, x, dOut, weights.shape, s) : undefined;
    if (!bias) return [dx, dWeights];
    return [dx, dWeights, wantBias ? projectBias(step, dOut, bias.shape, s) : undefined];
  },
});

/** dx_h = d_h W[:, columns of h]ᵀ, or their sum over heads where x is shared. */
function pullThroughWeights(step: Step, dOut: Tensor, weights: Tensor, shape: readonly number[], s: Settled): Tensor {
  const dx = allocate(step, shape, 'd head input');
  const count = s.heads.length;
  runsOf(s.heads).forEach((run, at) => {
    const column = s.offset + run.head * s.width;
    const dtype = weights.dtype as 'f32' | 'f16';
    const b = { storage: weights.storage, offset: column, row: weights.shape[1] as number, dtype, transposed: true };
    const common = { m: s.rows, n: s.channels, label: 'head projection backward' };
    if (s.shared)
      multiply(step, {
        ...common,
        k: run.count * s.width,
        a: { storage: dOut.storage, offset: run.at * s.width, row: count * s.width },
        b,
        c: { storage: dx.storage, row: s.channels },
        accumulate: at > 0,
      });
    else
      multiply(step, {
        ...common,
        k: s.width,
        innerCount: run.count,
        a: perHead(dOut, run, s.width, count),
        b: { ...b, inner: s.width },
        c: perHead(dx, run, s.channels, count),
      });
  });
  return dx;
}

/** dW[:, columns of h] = x_hᵀ d_h; the other columns are zero. */
function projectWeights(step: Step, x: Tensor, dOut: Tensor, shape: readonly number[], s: Settled): Tensor {
  const dWeights = allocate(step, shape, 'd head weights');
  step.clear(dWeights.storage);
  const count = s.heads.length;
  for (const run of runsOf(s.heads)) {
    const c = { storage: dWeights.storage, offset: s.offset + run.head * s.width, row: shape[1] as number };
    const common = { m: s.channels, k: s.rows, label: 'head projection backward' };
    if (s.shared)
      multiply(step, {
        ...common,
        n: run.count * s.width,
        a: { storage: x.storage, row: s.channels, transposed: true },
        b: { storage: dOut.storage, offset: run.at * s.width, row: count * s.width },
        c,
      });
    else
      multiply(step, {
        ...common,
        n: s.width,
        innerCount: run.count,
        a: { ...perHead(x, run, s.channels, count), transposed: true },
        b: perHead(dOut, run, s.width, count),
        c: { ...c, inner: s.width },
      });
  }
  return dWeights;
}

/** db[columns of h] = Σ_rows d_h; zero elsewhere. */
function projectBias(step: Step, dOut: Tensor, shape: readonly number[], s: Settled): Tensor {
  const dBias = allocate(step, shape, 'd head bias');
  step.clear(dBias.storage);
  const sums = sumRun(step, new Tensor(dOut.storage, [s.rows, s.heads.length * s.width]), 0, 1, 1);
  for (const run of runsOf(s.heads))
    step.copy(sums.storage, dBias.storage, {
      fromOffset: 4 * run.at * s.width,
      toOffset: 4 * (s.offset + run.head * s.width),
      byteLength: 4 * run.count * s.width,
    });
  return dBias;
}

/**
 * Into heads: x [..., h, C] (one input per head) or [..., C] (one for all) → [..., h, K], through the columns of
 * `weights` [C, columns] that belong to each head, plus the same places of `bias` [columns]. `shared` says that x is one
 * for all; by default it is below rank 4. For q, k, v of GPT-2 pass c_attn with offset 0, C, 2 C. Gradients for x, weights (zero outside the columns used) and bias; weights may be f16.
 * @throws LimnError `tensor/shape`, `tensor/dtype`
 */
export function headProject(
  step: Step,
  x: Tensor,
  weights: Tensor,
  bias: Tensor | undefined,
  options: HeadsOptions & { readonly shared?: boolean },
): Tensor {
  const op = 'headProject';
  expectDType(op, x, ['f32'], 'x');
  expectDType(op, weights, ['f32', 'f16'], 'the weights');
  expectRank(op, 'the weights', weights.shape, 2);
  const [channels, columns] = weights.shape as readonly [number, number];
  if (x.shape.at(-1) !== channels)
    throw shapeError(
      op,
      `x ${showShape(x.shape)} does not end in the ${channels} rows of the weights ${showShape(weights.shape)}`,
      `Give x as [..., ${channels}].`,
      { x: x.shape, weights: weights.shape },
    );
  if (bias) expectShape(op, 'the bias', bias.shape, [columns]);
  const shared = options.shared ?? x.shape.length < 4;
  const lead = x.shape.slice(0, shared ? -1 : -2);
  const settled = settle(op, lead, channels, columns, shared ? undefined : x.shape.at(-2), options);
  return projectOp(step, bias ? [x, weights, bias] : [x, weights], settled)[0];
}

/**
 * Back through headProject: d [..., h, K] → [..., h, C] = d_h W[:, columns of h]ᵀ per head, outside the tape. This is the
 * gradient at each head's own input, without summing over heads.
 * @throws LimnError `tensor/shape`, `tensor/dtype`
 */
export function headPullback(step: Step, d: Tensor, weights: Tensor, options: HeadsOptions): Tensor {
  const op = 'headPullback';
  expectDType(op, d, ['f32'], 'the gradient');
  expectDType(op, weights, ['f32', 'f16'], 'the weights');
  expectRank(op, 'the weights', weights.shape, 2);
  const [channels, columns] = weights.shape as readonly [number, number];
  if (d.shape.length < 2 || d.shape.at(-1) !== options.headWidth)
    throw shapeError(
      op,
      `the gradient ${showShape(d.shape)} does not end in a head of width ${options.headWidth}`,
      'Give it as [..., h, K].',
      { shape: d.shape },
    );
  const lead = d.shape.slice(0, -2);
  const settled = settle(op, lead, channels, columns, d.shape.at(-2), options);
  return pullThroughWeights(step, d, weights, [...lead, settled.heads.length, channels], settled);
}
