// y = f(x) elementwise for the functions that architectures are built of, and dx = f′(x) · dy.
import * as shaders from '@limn/shaders';
import { defineKernel, type Step } from '@limn/gpu';
import { defineOp } from '../define-op.js';
import { perElement } from '../grid.js';
import { allocate, expectDType, type Tensor } from '../tensor.js';

/** Numbers of the functions in unary_forward.wgsl. */
const FUNCTIONS = { square: 0, sqrt: 1, rsqrt: 2, reciprocal: 3, exp: 4, log: 5, relu: 6, sigmoid: 7, tanh: 8, abs: 9 };

/**
 * A function of one number.
 * @useDeclaredType
 */
export type UnaryName = keyof typeof FUNCTIONS;

const forwardKernel = defineKernel(shaders.unaryForward, { grid: perElement, work: (u) => 8 * u.size });
const backwardKernel = defineKernel(shaders.unaryBackward, { grid: perElement, work: (u) => 4 * u.size });

const unaryOp = defineOp({
  name: 'unary',
  forward(step, [x]: readonly [Tensor], { name }: { name: UnaryName }) {
    expectDType(name, x, ['f32']);
    const y = allocate(step, x.shape, name);
    const overrides = { FUNCTION: FUNCTIONS[name] };
    step.dispatch(forwardKernel, { x: x.storage, y: y.storage }, { size: x.size }, { overrides });
    return { outputs: [y], saved: undefined };
  },
  vjp(step, { inputs: [x], outputs: [y], options: { name } }, [dy]) {
    if (!dy) return [undefined];
    const dx = allocate(step, x.shape, `${name} (backward)`);
    const bindings = { x: x.storage, y: y.storage, dy: dy.storage, dx: dx.storage };
    step.dispatch(backwardKernel, bindings, { size: x.size }, { overrides: { FUNCTION: FUNCTIONS[name] } });
    return [dx];
  },
});

function unary(name: UnaryName): (step: Step, x: Tensor) => Tensor {
  return (step, x) => unaryOp(step, [x], { name })[0];
}

/**
 * x².
 * @throws LimnError `tensor/dtype`
 */
export const square = unary('square');
/**
 * √x; infinite slope at 0.
 * @throws LimnError `tensor/dtype`
 */
export const sqrt = unary('sqrt');
/**
 * 1 / √x.
 * @throws LimnError `tensor/dtype`
 */
export const rsqrt = unary('rsqrt');
/**
 * 1 / x.
 * @throws LimnError `tensor/dtype`
 */
export const reciprocal = unary('reciprocal');
/**
 * eˣ.
 * @throws LimnError `tensor/dtype`
 */
export const exp = unary('exp');
/**
 * Natural logarithm.
 * @throws LimnError `tensor/dtype`
 */
export const log = unary('log');
/**
 * max(x, 0); slope 0 at 0.
 * @throws LimnError `tensor/dtype`
 */
export const relu = unary('relu');
/**
 * 1 / (1 + e⁻ˣ).
 * @throws LimnError `tensor/dtype`
 */
export const sigmoid = unary('sigmoid');
/**
 * Hyperbolic tangent through exp, so that it does not depend on the adapter's own tanh.
 * @throws LimnError `tensor/dtype`
 */
export const tanh = unary('tanh');
/**
 * |x|; slope 0 at 0.
 * @throws LimnError `tensor/dtype`
 */
export const abs = unary('abs');
