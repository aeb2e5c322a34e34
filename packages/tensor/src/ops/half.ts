// f32 ↔ f16 storage on the GPU: two elements to a word, rounded to nearest even; gradients pass straight through.
import * as shaders from '@limn/shaders';
import { defineKernel, type Step } from '@limn/gpu';
import { defineOp } from '../define-op.js';
import { perElement } from '../grid.js';
import { allocate, expectDType, type Tensor } from '../tensor.js';

const packKernel = defineKernel(shaders.packF16, { grid: perElement, work: (u) => 16 * u.size });
const unpackKernel = defineKernel(shaders.unpackF16, { grid: perElement, work: (u) => u.size });

const packOp = defineOp({
  name: 'toF16',
  forward(step, [x]: readonly [Tensor]) {
    expectDType('toF16', x, ['f32']);
    const y = allocate(step, x.shape, 'toF16', 'f16');
    const uniforms = { size: Math.ceil(x.size / 2), count: x.size };
    step.dispatch(packKernel, { x: x.storage, y: y.storage }, uniforms);
    return { outputs: [y], saved: undefined };
  },
  vjp: (_step, _context, [dy]) => [dy],
});

const unpackOp = defineOp({
  name: 'toF32',
  forward(step, [x]: readonly [Tensor]) {
    expectDType('toF32', x, ['f16']);
    const y = allocate(step, x.shape, 'toF32');
    step.dispatch(unpackKernel, { x: x.storage, y: y.storage }, { size: x.size });
    return { outputs: [y], saved: undefined };
  },
  vjp: (_step, _context, [dy]) => [dy],
});

/**
 * x as packed f16, half the bytes; the rounding counts as the identity in gradients. |x| ≥ 65520 becomes infinite.
 * @throws LimnError `tensor/dtype`
 */
export function toF16(step: Step, x: Tensor): Tensor {
  return packOp(step, [x], undefined)[0];
}

/**
 * Packed f16 as f32, exact; the gradient of an f16 tensor is f32.
 * @throws LimnError `tensor/dtype`
 */
export function toF32(step: Step, x: Tensor): Tensor {
  return unpackOp(step, [x], undefined)[0];
}
