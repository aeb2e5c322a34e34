// y = gelu(x), tanh or erf form; dx = dy · gelu′(x).
import * as shaders from '@limn/shaders';
import { defineKernel, type Step } from '@limn/gpu';
import { defineOp } from '../define-op.js';
import { groupsOf } from '../grid.js';
import { allocate, expectDType, type Tensor } from '../tensor.js';
import { geluNumber, type GeluForm } from './multiply.js';

const forwardKernel = defineKernel(shaders.geluForward, {
  grid: (u, { WG }) => groupsOf(Math.ceil(u.count / WG)),
  work: (u) => 15 * u.count,
});
const backwardKernel = defineKernel(shaders.geluBackward, {
  grid: (u, { WG }) => groupsOf(Math.ceil(u.count / WG)),
  work: (u) => 25 * u.count,
});

/** dx = dy · gelu′(x), a leaf; also the backward of matmul's gelu epilogue. */
export function geluBackward(step: Step, x: Tensor, dy: Tensor, form: GeluForm): Tensor {
  const dx = allocate(step, x.shape, 'd gelu');
  step.dispatch(
    backwardKernel,
    { x: x.storage, dy: dy.storage, dx: dx.storage },
    { count: x.size, form: geluNumber[form] },
  );
  return dx;
}

const geluOp = defineOp<readonly [Tensor], readonly [Tensor], GeluForm, undefined>({
  name: 'gelu',
  forward(step, [x], form) {
    expectDType('gelu', x, ['f32']);
    const y = allocate(step, x.shape, 'gelu');
    step.dispatch(forwardKernel, { x: x.storage, y: y.storage }, { count: x.size, form: geluNumber[form] });
    return { outputs: [y], saved: undefined };
  },
  vjp(step, { inputs: [x], options: form }, [dy], [wanted]) {
    return [wanted && dy ? geluBackward(step, x, dy, form) : undefined];
  },
});

/**
 * gelu of every element, any shape: 'tanh' is GPT-2's gelu_new, 'erf' the exact form (erf to 1.5e-7 absolute).
 * @throws LimnError `tensor/dtype`
 */
export function gelu(step: Step, x: Tensor, form: GeluForm = 'tanh'): Tensor {
  return geluOp(step, [x], form)[0];
}
