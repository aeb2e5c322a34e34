// Moving elements without arithmetic: slice, split, concat, stack, permute; backward passes move them back.
import * as shaders from '@limn/shaders';
import { defineKernel, LimnError, type Step } from '@limn/gpu';
import { defineOp } from '../define-op.js';
import { perElement } from '../grid.js';
import { axisOf, countOf, expectShape, runForm, sameShape, shapeError, showShape } from '../shape.js';
import { allocate, expectDType, type Tensor } from '../tensor.js';
import { fill } from '../untaped.js';
import { reshape } from '../views.js';

const sliceKernel = defineKernel(shaders.sliceForward, { grid: perElement, work: (u) => u.size });
const padKernel = defineKernel(shaders.sliceBackward, { grid: perElement, work: (u) => u.size });
const splitThreeKernel = defineKernel(shaders.splitThree, { grid: perElement, work: (u) => u.size });
const joinThreeKernel = defineKernel(shaders.joinThree, { grid: perElement, work: (u) => u.size });
const concatKernel = defineKernel(shaders.concatPart, { grid: perElement, work: (u) => u.size });
const permuteKernel = defineKernel(shaders.permute, { grid: perElement, work: (u) => u.size });

function withLength(shape: readonly number[], axis: number, length: number): number[] {
  return shape.map((own, place) => (place === axis ? length : own));
}

/** x[…, start : start + length, …] along one axis, a leaf. */
function sliced(step: Step, x: Tensor, axis: number, start: number, length: number): Tensor {
  const form = runForm(x.shape, axis);
  const y = allocate(step, withLength(x.shape, axis, length), 'slice', x.dtype);
  const uniforms = { size: y.size, axis: form.axis, inner: form.inner, start, length };
  step.dispatch(sliceKernel, { x: x.storage, y: y.storage }, uniforms);
  return y;
}

const sliceOp = defineOp({
  name: 'slice',
  forward(step, [x]: readonly [Tensor], { axis, start, length }: { axis: number; start: number; length: number }) {
    return { outputs: [sliced(step, x, axis, start, length)], saved: undefined };
  },
  vjp(step, { inputs: [x], options: { axis, start, length } }, [dy]) {
    if (!dy) return [undefined];
    const form = runForm(x.shape, axis);
    const dx = allocate(step, x.shape, 'slice (backward)');
    const uniforms = { size: dx.size, axis: form.axis, inner: form.inner, start, length };
    step.dispatch(padKernel, { dy: dy.storage, dx: dx.storage }, uniforms);
    return [dx];
  },
});

/**
 * `length` places of x from `start` along `axis`; f32 or u32. For several slices of one tensor, `split` is cheaper backward.
 * @throws LimnError `tensor/shape`, `tensor/dtype`
 */
export function slice(step: Step, x: Tensor, axis: number, start: number, length: number): Tensor {
  expectDType('slice', x, ['f32', 'u32']);
  const place = axisOf('slice', x.shape, axis);
  const available = x.shape[place] as number;
  if (!Number.isInteger(start) || !Number.isInteger(length) || start < 0 || length < 1 || start + length > available)
    throw shapeError(
      'slice',
      `[${start}, ${start + length}) does not lie in axis ${place} of ${showShape(x.shape)}`,
      `Give 0 ≤ start, 1 ≤ length, start + length ≤ ${available}.`,
      { shape: x.shape, axis, start, length },
    );
  return sliceOp(step, [x], { axis: place, start, length })[0];
}

/**
 * The uniforms of three parts that one dispatch moves by fours, such as queries, keys and values; undefined for other parts. `runs` are
 * the parts' elements in a row, of which there are `outer`.
 */
function threeByFours(outer: number, runs: readonly number[]) {
  if (runs.length !== 3 || runs.some((run) => run % 4 !== 0)) return undefined;
  const [first, second, third] = runs as [number, number, number];
  const row = (first + second + third) / 4;
  return { size: outer * row, row, first: first / 4, second: second / 4 };
}

/** Parts joined along one axis, a leaf. */
function joined(step: Step, parts: readonly Tensor[], axis: number): Tensor {
  const first = parts[0] as Tensor;
  const total = parts.reduce((length, part) => length + (part.shape[axis] as number), 0);
  const y = allocate(step, withLength(first.shape, axis, total), 'concat', first.dtype);
  const outer = countOf(first.shape.slice(0, axis));
  const three = threeByFours(
    outer,
    parts.map((part) => part.size / outer),
  );
  if (three) {
    const [a, b, c] = parts as readonly [Tensor, Tensor, Tensor];
    const bindings = { first_part: a.storage, second_part: b.storage, third_part: c.storage, y: y.storage };
    step.dispatch(joinThreeKernel, bindings, three);
    return y;
  }
  let start = 0;
  for (const part of parts) {
    const { axis: length, inner } = runForm(part.shape, axis);
    const uniforms = { size: part.size, axis: total, inner, start, length };
    step.dispatch(concatKernel, { x: part.storage, y: y.storage }, uniforms);
    start += length;
  }
  return y;
}

/** x cut along one axis, leaves. */
function cut(step: Step, x: Tensor, axis: number, lengths: readonly number[]): readonly Tensor[] {
  const outer = countOf(x.shape.slice(0, axis));
  const inner = countOf(x.shape.slice(axis + 1));
  const three = threeByFours(
    outer,
    lengths.map((length) => length * inner),
  );
  if (three) {
    const parts = lengths.map((length) => allocate(step, withLength(x.shape, axis, length), 'split', x.dtype));
    const [a, b, c] = parts as [Tensor, Tensor, Tensor];
    const bindings = { x: x.storage, first_part: a.storage, second_part: b.storage, third_part: c.storage };
    step.dispatch(splitThreeKernel, bindings, three);
    return parts;
  }
  let start = 0;
  return lengths.map((length) => {
    start += length;
    return sliced(step, x, axis, start - length, length);
  });
}

const splitOp = defineOp({
  name: 'split',
  forward(step, [x]: readonly [Tensor], { axis, lengths }: { axis: number; lengths: readonly number[] }) {
    return { outputs: cut(step, x, axis, lengths), saved: undefined };
  },
  vjp(step, { outputs, options: { axis } }, dOutputs) {
    const parts = outputs.map((output, place) => dOutputs[place] ?? fill(step, output.shape, 0, 'split (backward)'));
    return [joined(step, parts, axis)];
  },
});

/**
 * x cut along `axis` into parts of the given lengths, which must add up; the gradient is one concatenation.
 * @throws LimnError `tensor/shape`, `tensor/dtype`
 */
export function split(step: Step, x: Tensor, axis: number, lengths: readonly number[]): readonly Tensor[] {
  expectDType('split', x, ['f32', 'u32']);
  const place = axisOf('split', x.shape, axis);
  const total = lengths.reduce((sum, length) => sum + length, 0);
  if (total !== x.shape[place] || lengths.some((length) => !Number.isInteger(length) || length < 1))
    throw shapeError(
      'split',
      `lengths ${showShape(lengths)} do not add up to axis ${place} of ${showShape(x.shape)}`,
      `Give whole positive lengths with sum ${x.shape[place]}.`,
      { shape: x.shape, axis, lengths },
    );
  return splitOp(step, [x], { axis: place, lengths });
}

const concatOp = defineOp({
  name: 'concat',
  forward: (step, parts: readonly Tensor[], { axis }: { axis: number }) => ({
    outputs: [joined(step, parts, axis)],
    saved: undefined,
  }),
  vjp(step, { inputs, options: { axis } }, [dy], wanted) {
    let start = 0;
    return inputs.map((input, place) => {
      const length = input.shape[axis] as number;
      start += length;
      return dy && wanted[place] ? sliced(step, dy, axis, start - length, length) : undefined;
    });
  },
});

/**
 * Tensors of equal rank and type, joined along `axis`; all other lengths must be equal. f32 or u32.
 * @throws LimnError `tensor/shape`, `tensor/dtype`
 */
export function concat(step: Step, parts: readonly Tensor[], axis: number): Tensor {
  const first = parts[0];
  if (!first)
    throw new LimnError('tensor/shape', 'concat: no tensors were given. Give at least one.', {
      details: { op: 'concat' },
    });
  const place = axisOf('concat', first.shape, axis);
  for (const part of parts) {
    expectDType('concat', part, first.dtype === 'u32' ? ['u32'] : ['f32']);
    const length = part.shape[place] ?? 0;
    if (!sameShape(part.shape, withLength(first.shape, place, length)))
      throw shapeError(
        'concat',
        `${showShape(part.shape)} and ${showShape(first.shape)} differ outside axis ${place}`,
        'Every other length must be equal.',
        { shapes: parts.map((each) => each.shape), axis },
      );
  }
  return concatOp(step, parts, { axis: place })[0];
}

/**
 * Tensors of equal shape along a new leading axis: n × [a, b] → [n, a, b].
 * @throws LimnError `tensor/dtype`, `tensor/shape`
 */
export function stack(step: Step, parts: readonly Tensor[]): Tensor {
  const shape = parts[0]?.shape ?? [];
  for (const part of parts) expectShape('stack', 'every part', part.shape, shape);
  return concat(
    step,
    parts.map((part) => reshape(part, [1, ...part.shape])),
    0,
  );
}

/** Highest rank of `permute` after neighbouring axes that stay together have been merged. */
const MAX_RANK = 6;

/** Axes of x in a new order, a leaf. */
function permuted(step: Step, x: Tensor, order: readonly number[]): Tensor {
  const y = allocate(
    step,
    order.map((axis) => x.shape[axis] as number),
    'permute',
    x.dtype,
  );
  const strides = x.shape.map((_, axis) => countOf(x.shape.slice(axis + 1)));
  const sizes: number[] = [];
  const steps: number[] = [];
  for (const [place, axis] of order.entries()) {
    const size = x.shape[axis] as number;
    const stride = strides[axis] as number;
    // An axis that still follows its left neighbour is one longer axis together with it.
    if (place > 0 && order[place - 1] === axis - 1) {
      sizes.push((sizes.pop() as number) * size);
      steps.pop();
    } else sizes.push(size);
    steps.push(stride);
  }
  if (sizes.length > MAX_RANK)
    throw shapeError(
      'permute',
      `order ${showShape(order)} of ${showShape(x.shape)} has ${sizes.length} separate axes`,
      `At most ${MAX_RANK} are possible; permute twice.`,
      { shape: x.shape, order },
    );
  while (sizes.length < MAX_RANK) {
    sizes.unshift(1);
    steps.unshift(0);
  }
  const at = (list: readonly number[], place: number) => list[place] as number;
  step.dispatch(
    permuteKernel,
    { x: x.storage, y: y.storage },
    {
      size: x.size,
      size1: at(sizes, 1),
      size2: at(sizes, 2),
      size3: at(sizes, 3),
      size4: at(sizes, 4),
      size5: at(sizes, 5),
      stride0: at(steps, 0),
      stride1: at(steps, 1),
      stride2: at(steps, 2),
      stride3: at(steps, 3),
      stride4: at(steps, 4),
      stride5: at(steps, 5),
    },
  );
  return y;
}

const permuteOp = defineOp({
  name: 'permute',
  forward: (step, [x]: readonly [Tensor], { order }: { order: readonly number[] }) => ({
    outputs: [permuted(step, x, order)],
    saved: undefined,
  }),
  vjp: (step, { options: { order } }, [dy]) => [
    dy &&
      permuted(
        step,
        dy,
        order.map((_, axis) => order.indexOf(axis)),
      ),
  ],
});

/**
 * y's axis i is x's axis order[i]: permute(x [B, T, H], [2, 0, 1]) → [H, B, T]. f32 or u32.
 * @throws LimnError `tensor/shape`, `tensor/dtype`
 */
export function permute(step: Step, x: Tensor, order: readonly number[]): Tensor {
  expectDType('permute', x, ['f32', 'u32']);
  const axes = order.map((axis) => axisOf('permute', x.shape, axis));
  if (axes.length !== x.shape.length || new Set(axes).size !== axes.length)
    throw shapeError(
      'permute',
      `order ${showShape(order)} does not name each axis of ${showShape(x.shape)} once`,
      'Give every axis exactly once.',
      { shape: x.shape, order },
    );
  return permuteOp(step, [x], { order: axes })[0];
}
