// Kernels outside the tape: constants, and the few operations that write into memory that exists already.
import { LimnError, type Step } from '@limn/gpu';
import { recordAccumulate, recordAddScaled, recordAssign, recordFill } from './ops/by-fours.js';
import { allocate, expectDType, type Tensor } from './tensor.js';
import { expectShape } from './shape.js';

/**
 * A step tensor with one value everywhere.
 * @throws LimnError `tensor/shape`
 */
export function fill(step: Step, shape: readonly number[], value: number, label = 'fill'): Tensor {
  const output = allocate(step, shape, label);
  recordFill(step, output.storage, output.size, value);
  return output;
}

/** a + alpha · b for equal shapes, a new leaf. */
export function addTensors(step: Step, a: Tensor, b: Tensor, alpha = 1): Tensor {
  expectShape('add', 'the second tensor', b.shape, a.shape);
  const output = allocate(step, a.shape, a.label ?? 'sum');
  recordAddScaled(step, { a: a.storage, b: b.storage, y: output.storage }, a.size, alpha);
  return output;
}

/**
 * into ← beta · into + alpha · tensor, in place and outside the tape: gradient accumulation over micro-batches, running
 * means. Shapes must be equal, both f32, and the two must not share memory.
 * @throws LimnError `tensor/alias`, `tensor/dtype`, `tensor/shape`
 */
export function accumulate(
  step: Step,
  into: Tensor,
  tensor: Tensor,
  options: { alpha?: number; beta?: number } = {},
): void {
  expectDType('accumulate', into, ['f32'], 'the accumulator');
  expectDType('accumulate', tensor, ['f32'], 'the addend');
  expectShape('accumulate', 'the addend', tensor.shape, into.shape);
  expectApart('accumulate', into, tensor);
  const { alpha = 1, beta = 1 } = options;
  recordAccumulate(step, { x: tensor.storage, y: into.storage }, { size: into.size, alpha, beta });
}

/**
 * into ← tensor, in place and outside the tape; any equal types and shapes.
 * @throws LimnError `tensor/alias`, `tensor/dtype`, `tensor/shape`
 */
export function assign(step: Step, into: Tensor, tensor: Tensor): void {
  expectDType('assign', tensor, [into.dtype], 'the source');
  expectShape('assign', 'the source', tensor.shape, into.shape);
  expectApart('assign', into, tensor);
  recordAssign(step, { x: tensor.storage, y: into.storage }, into.storage.byteLength / 4);
}

/** into ← 0, in place and outside the tape. */
export function zero(step: Step, into: Tensor): void {
  recordFill(step, into.storage, into.storage.byteLength / 4, 0);
}

/** WebGPU forbids one buffer bound for reading and for writing in one dispatch. */
function expectApart(op: string, into: Tensor, tensor: Tensor): void {
  if (into.storage === tensor.storage)
    throw new LimnError(
      'tensor/alias',
      `${op}: source and destination are the same memory ('${into.storage.label}'). Copy one of them first.`,
      {
        details: { op, label: into.storage.label },
      },
    );
}
