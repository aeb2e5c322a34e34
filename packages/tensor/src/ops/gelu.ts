// y = gelu(x), tanh or erf form; dx = dy · gelu′(x).
import * as shaders from '@limn/shaders';
import { defineKernel, type Capabilities, type Step } from '@limn/gpu';
import { defineOp } from '../define-op.js';
import { groupsOf } from '../grid.js';
import { allocate, expectDType, type Tensor } from '../tensor.js';
import { geluNumber, type GeluForm } from './multiply.js';

/** A lane takes 1, 4 or 16 neighbours. */
const per = (numbers: number) => ({
  grid: (u: { count: number }, { WG }: { WG: number }) => groupsOf(Math.ceil(u.count / (numbers * WG))),
});
const forwardWork = (u: { count: number }): number => 15 * u.count;
const backwardWork = (u: { count: number }): number => 25 * u.count;

const forward = {
  1: defineKernel(shaders.geluForward, { ...per(1), work: forwardWork }),
  4: defineKernel(shaders.gelu4Forward, { ...per(4), work: forwardWork }),
  16: defineKernel(shaders.gelu16Forward, { ...per(16), work: forwardWork }),
};
const backward = {
  1: defineKernel(shaders.geluBackward, { ...per(1), work: backwardWork }),
  4: defineKernel(shaders.gelu4Backward, { ...per(4), work: backwardWork }),
  16: defineKernel(shaders.gelu16Backward, { ...per(16), work: backwardWork }),
};

/**
 * Numbers a lane. Software adapters, to which starting a lane costs as much as four of them, take sixteen: 1.0 times a copy by vec4s
 * on lavapipe, where four take 1.3. On GPUs neighbouring lanes read neighbouring vec4s.
 */
function numbersPerLane({ adapter }: Capabilities, count: number): 1 | 4 | 16 {
  if (adapter.isFallback && count % 16 === 0) return 16;
  return count % 4 === 0 ? 4 : 1;
}

/** dx = dy · gelu′(x), a leaf; also the backward of matmul's gelu epilogue. */
export function geluBackward(step: Step, x: Tensor, dy: Tensor, form: GeluForm): Tensor {
  const dx = allocate(step, x.shape, 'd gelu');
  const bindings = { x: x.storage, dy: dy.storage, dx: dx.storage };
  const uniforms = { count: x.size };
  const overrides = { FORM: geluNumber[form] };
  switch (numbersPerLane(step.gpu.capabilities, x.size)) {
    case 1:
      step.dispatch(backward[1], bindings, uniforms, { overrides });
      break;
    case 4:
      step.dispatch(backward[4], bindings, uniforms, { overrides });
      break;
    case 16:
      step.dispatch(backward[16], bindings, uniforms, { overrides });
  }
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
    switch (numbersPerLane(step.gpu.capabilities, x.size)) {
      case 1:
        step.dispatch(forward[1], bindings, uniforms, { overrides });
        break;
      case 4:
        step.dispatch(forward[4], bindings, uniforms, { overrides });
        break;
      case 16:
        step.dispatch(forward[16], bindings, uniforms, { overrides });
    }
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
