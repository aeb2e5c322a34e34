// y = a + alpha · b, a · b, a / b, alpha · x: with broadcasting, and their gradients.
import * as shaders from '@limn/shaders';
import { defineKernel, type Step } from '@limn/gpu';
import { defineOp } from '../define-op.js';
import { perElement } from '../grid.js';
import { expectShape, sameShape } from '../shape.js';
import { allocate, expectDType, type Tensor } from '../tensor.js';
import { planBroadcast, sumToShape } from './broadcast.js';
import { recordAddScaled, recordMultiply, recordScale, type PairBindings } from './by-fours.js';

const addScaledBroadcastKernel = defineKernel(shaders.addScaledBroadcast, {
  grid: perElement,
  work: (u) => 2 * u.size,
});
const multiplyBroadcastKernel = defineKernel(shaders.multiplyBroadcast, { grid: perElement, work: (u) => u.size });
const divideKernel = defineKernel(shaders.divide, { grid: perElement, work: (u) => u.size });
const divideBroadcastKernel = defineKernel(shaders.divideBroadcast, { grid: perElement, work: (u) => u.size });

type Pair = readonly [a: Tensor, b: Tensor];

/** The uniforms that the broadcasting kernels share. */
type SpreadUniforms = Record<
  'size' | 'middle' | 'inner' | 'a_outer' | 'a_middle' | 'a_inner' | 'b_outer' | 'b_middle' | 'b_inner',
  number
>;

/** Checks types and shapes, allocates y and records the plain kernel for equal shapes, the broadcasting one for others. */
function combine(
  step: Step,
  op: string,
  [a, b]: Pair,
  plain: (bindings: PairBindings, size: number) => void,
  spread: (bindings: PairBindings, uniforms: SpreadUniforms) => void,
): Tensor {
  expectDType(op, a, ['f32'], 'the first input');
  expectDType(op, b, ['f32'], 'the second input');
  if (sameShape(a.shape, b.shape)) {
    const y = allocate(step, a.shape, op);
    plain({ a: a.storage, b: b.storage, y: y.storage }, y.size);
    return y;
  }
  const plan = planBroadcast(op, a.shape, b.shape);
  const y = allocate(step, plan.shape, op);
  spread(
    { a: a.storage, b: b.storage, y: y.storage },
    {
      size: y.size,
      middle: plan.middle,
      inner: plan.inner,
      a_outer: plan.a.outer,
      a_middle: plan.a.middle,
      a_inner: plan.a.inner,
      b_outer: plan.b.outer,
      b_middle: plan.b.middle,
      b_inner: plan.b.inner,
    },
  );
  return y;
}

const addScaledOp = defineOp({
  name: 'add',
  forward(step, pair: Pair, { alpha }: { alpha: number }) {
    const y = combine(
      step,
      'add',
      pair,
      (bindings, size) => recordAddScaled(step, bindings, size, alpha),
      (bindings, uniforms) => step.dispatch(addScaledBroadcastKernel, bindings, { ...uniforms, alpha }),
    );
    return { outputs: [y], saved: undefined };
  },
  vjp(step, { inputs: [a, b], options: { alpha } }, [dy], [wantA, wantB]) {
    if (!dy) return [undefined, undefined];
    const da = wantA ? sumToShape(step, dy, a.shape) : undefined;
    const db = wantB ? scaled(step, sumToShape(step, dy, b.shape), alpha) : undefined;
    return [da, db];
  },
});

/**
 * a + alpha · b, broadcasting (see `planBroadcast`).
 * @throws LimnError `tensor/dtype`, `tensor/shape`
 */
export function addScaled(step: Step, a: Tensor, b: Tensor, alpha: number): Tensor {
  return addScaledOp(step, [a, b], { alpha })[0];
}

/**
 * a + b, broadcasting: [N, C] + [C], [N, C] + [N, 1], [B, T, C] + [1, T, C].
 * @throws LimnError `tensor/dtype`, `tensor/shape`
 */
export function add(step: Step, a: Tensor, b: Tensor): Tensor {
  return addScaled(step, a, b, 1);
}

/**
 * a − b, broadcasting.
 * @throws LimnError `tensor/dtype`, `tensor/shape`
 */
export function sub(step: Step, a: Tensor, b: Tensor): Tensor {
  return addScaled(step, a, b, -1);
}

function multiplied(step: Step, pair: Pair): Tensor {
  return combine(
    step,
    'mul',
    pair,
    (bindings, size) => recordMultiply(step, bindings, size),
    (bindings, uniforms) => step.dispatch(multiplyBroadcastKernel, bindings, uniforms),
  );
}

function divided(step: Step, pair: Pair): Tensor {
  return combine(
    step,
    'div',
    pair,
    (bindings, size) => step.dispatch(divideKernel, bindings, { size }),
    (bindings, uniforms) => step.dispatch(divideBroadcastKernel, bindings, uniforms),
  );
}

const mulOp = defineOp({
  name: 'mul',
  forward: (step, pair: Pair) => ({ outputs: [multiplied(step, pair)], saved: undefined }),
  vjp(step, { inputs: [a, b] }, [dy], [wantA, wantB]) {
    if (!dy) return [undefined, undefined];
    return [
      wantA ? sumToShape(step, multiplied(step, [dy, b]), a.shape) : undefined,
      wantB ? sumToShape(step, multiplied(step, [dy, a]), b.shape) : undefined,
    ];
  },
});

/**
 * a · b elementwise, broadcasting.
 * @throws LimnError `tensor/dtype`, `tensor/shape`
 */
export function mul(step: Step, a: Tensor, b: Tensor): Tensor {
  return mulOp(step, [a, b], undefined)[0];
}

const divOp = defineOp({
  name: 'div',
  forward: (step, pair: Pair) => ({ outputs: [divided(step, pair)], saved: undefined }),
  // da = dy / b, db = −dy · y / b.
  vjp(step, { inputs: [a, b], outputs: [y] }, [dy], [wantA, wantB]) {
    if (!dy) return [undefined, undefined];
    const quotient = divided(step, [dy, b]);
    return [
      wantA ? sumToShape(step, quotient, a.shape) : undefined,
      wantB ? scaled(step, sumToShape(step, multiplied(step, [quotient, y]), b.shape), -1) : undefined,
    ];
  },
});

/**
 * a / b elementwise, broadcasting.
 * @throws LimnError `tensor/dtype`, `tensor/shape`
 */
export function div(step: Step, a: Tensor, b: Tensor): Tensor {
  return divOp(step, [a, b], undefined)[0];
}

/** alpha · x as a leaf; the same tensor for alpha = 1. */
function scaled(step: Step, x: Tensor, alpha: number): Tensor {
  if (alpha === 1) return x;
  const y = allocate(step, x.shape, 'scale');
  recordScale(step, { x: x.storage, y: y.storage }, x.size, alpha);
  return y;
}

const scaleOp = defineOp({
  name: 'scale',
  forward(step, [x]: readonly [Tensor], { alpha }: { alpha: number }) {
    expectDType('scale', x, ['f32']);
    const y = allocate(step, x.shape, 'scale');
    recordScale(step, { x: x.storage, y: y.storage }, x.size, alpha);
    return { outputs: [y], saved: undefined };
  },
  vjp: (step, { options: { alpha } }, [dy]) => [dy && scaled(step, dy, alpha)],
});

/**
 * factor · x. A number travels as a uniform: changing it makes no new plan. A tensor [1] is differentiable itself.
 * @throws LimnError `tensor/dtype`, `tensor/shape`
 */
export function scale(step: Step, x: Tensor, factor: number | Tensor): Tensor {
  if (typeof factor === 'number') return scaleOp(step, [x], { alpha: factor })[0];
  expectShape('scale', 'the factor', factor.shape, [1]);
  return mul(step, x, factor);
}

/**
 * −x.
 * @throws LimnError `tensor/dtype`, `tensor/shape`
 */
export function neg(step: Step, x: Tensor): Tensor {
  return scale(step, x, -1);
}
