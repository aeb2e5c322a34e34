// y = gelu(x), tanh or erf form; dx = dy · gelu′(x).
import * as shaders from '@limn/shaders';
import { defineKernel, type Step } from '@limn/gpu';
import { defineOp } from '../define-op.js';
import { groupsOf } from '../grid.js';
import { allocate, expectDType, type Tensor } from '../tensor.js';
import { geluNumber, type GeluForm } from './multiply.js';

const perNumber = (u: { count: number }, { WG }: { WG: number }) => groupsOf(Math.ceil(u.count / WG));
const perFour = (u: { count: number }, { WG }: { WG: number }) => groupsOf(Math.ceil(u.count / (4 * WG)));
const forwardWork = (u: { count: number }): number => 15 * u.count;
const backwardWork = (u: { count: number }): number => 25 * u.count;

const forwardKernel = defineKernel(shaders.geluForward, { grid: perNumber, work: forwardWork });
const forwardKernel4 = defineKernel(shaders.gelu4Forward, { grid: perFour, work: forwardWork });
const backwardKernel = defineKernel(shaders.geluBackward, { grid: perNumber, work: backwardWork });
const backwardKernel4 = defineKernel(shaders.gelu4Backward, { grid: perFour, work: backwardWork });

/** dx = dy · gelu′(x), a leaf; also the backward of matmul's gelu epilogue. */
export function geluBackward(step: Step, x: Tensor, dy: Tensor, form: GeluForm): Tensor {
  const dx = allocate(step, x.shape, 'd gelu');
  const bindings = { x: x.storage, dy: dy.storage, dx: dx.storage };
  const uniforms = { count: x.size };
  const overrides = { FORM: geluNumber[form] };
  if (x.size % 4 === 0) step.dispatch(backwardKernel4, bindings, uniforms, { overrides });
  else step.dispatch(backwardKernel, bindings, uniforms, { overrides });
  return dx;
}

const geluOp = defineOp<readonly [Tensor], readonly [Tensor], GeluForm, undefined>({
  name: 'gelu',
  forward(step, [x], form) {
    expectDType('gelu', x, ['f32']);
    const y = allocate(step, x.shape, 'gelu');
    const bindings = { x: x.storage, y: y.storage };
    const uniforms = { count: x.size };
    const overrides = { FORM: geluNumber[form] };
    if (x.size % 4 === 0) step.dispatch(forwardKernel4, bindings, uniforms, { overrides });
    else step.dispatch(forwardKernel, bindings, uniforms, { overrides });
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
