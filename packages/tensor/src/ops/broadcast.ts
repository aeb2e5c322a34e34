// Broadcasting: how two shapes combine, as strides over (outer, middle, inner), and the sums that undo it in a backward pass.
import * as shaders from '@limn/shaders';
import { defineKernel, type Step } from '@limn/gpu';
import { defineOp } from '../define-op.js';
import { perElement } from '../grid.js';
import { countOf, sameShape, shapeError, showShape } from '../shape.js';
import { allocate, expectDType, Tensor } from '../tensor.js';
import { sumRun } from './sum-run.js';

/** Strides of one operand over the three groups of axes; 0 where it repeats. */
export interface GroupStrides {
  readonly outer: number;
  readonly middle: number;
  readonly inner: number;
}

/** Two shapes combined: the result, its three groups of axes, and each operand's strides. */
export interface BroadcastPlan {
  readonly shape: readonly number[];
  readonly middle: number;
  readonly inner: number;
  readonly a: GroupStrides;
  readonly b: GroupStrides;
}

/**
 * Combines shapes by the rule: lengths are equal or one of them is 1; of two ranks, only the lower-ranked operand may
 * repeat, aligned at the last axis. (So [N] with [N, 1] is refused rather than turned into [N, N].)
 * Axes along which the same operand repeats are merged; more than three alternations are refused.
 */
export function planBroadcast(op: string, aShape: readonly number[], bShape: readonly number[]): BroadcastPlan {
  const rank = Math.max(aShape.length, bShape.length);
  const a = padded(aShape, rank);
  const b = padded(bShape, rank);
  const refuse = (problem: string, hint: string) =>
    shapeError(op, `shapes ${showShape(aShape)} and ${showShape(bShape)} ${problem}`, hint, { a: aShape, b: bShape });
  const groups: { count: number; aRepeats: boolean; bRepeats: boolean }[] = [];
  const shape: number[] = [];
  for (let axis = 0; axis < rank; axis += 1) {
    const left = a[axis] as number;
    const right = b[axis] as number;
    if (left !== right && left !== 1 && right !== 1)
      throw refuse(`disagree along axis ${axis}: ${left} and ${right}`, 'Lengths must be equal, or 1 to repeat.');
    const length = Math.max(left, right);
    shape.push(length);
    const aRepeats = left < length;
    const bRepeats = right < length;
    if ((aRepeats && aShape.length > bShape.length) || (bRepeats && bShape.length > aShape.length))
      throw refuse('would make the operand of higher rank repeat', 'Reshape the other one to the same rank first.');
    const last = groups.at(-1);
    if (length === 1) continue;
    if (last && last.aRepeats === aRepeats && last.bRepeats === bRepeats) last.count *= length;
    else groups.push({ count: length, aRepeats, bRepeats });
  }
  if (groups.length > 3)
    throw refuse('repeat along more than three separate groups of axes', 'Use expand on one of them first.');
  while (groups.length < 3) groups.unshift({ count: 1, aRepeats: false, bRepeats: false });
  const strides = (repeats: 'aRepeats' | 'bRepeats'): GroupStrides => {
    const own = groups.map((group) => (group[repeats] ? 1 : group.count));
    const at = (place: number) => (groups[place]?.[repeats] ? 0 : countOf(own.slice(place + 1)));
    return { outer: at(0), middle: at(1), inner: at(2) };
  };
  return {
    shape,
    middle: (groups[1] as { count: number }).count,
    inner: (groups[2] as { count: number }).count,
    a: strides('aRepeats'),
    b: strides('bRepeats'),
  };
}

function padded(shape: readonly number[], rank: number): number[] {
  return [...Array.from({ length: rank - shape.length }, () => 1), ...shape];
}

/** Sums a gradient over the axes along which `shape` was repeated; the same tensor when there are none. */
export function sumToShape(step: Step, gradient: Tensor, shape: readonly number[]): Tensor {
  if (sameShape(gradient.shape, shape)) return gradient;
  const own = padded(shape, gradient.shape.length);
  let current: readonly number[] = gradient.shape;
  let storage = gradient.storage;
  for (let to = own.length; to > 0;) {
    const repeats = (axis: number) => own[axis] === 1 && current[axis] !== 1;
    if (!repeats(to - 1)) {
      to -= 1;
      continue;
    }
    let from = to - 1;
    while (from > 0 && repeats(from - 1)) from -= 1;
    storage = sumRun(step, new Tensor(storage, current), from, to, 1).storage;
    current = current.map((length, axis) => (axis >= from && axis < to ? 1 : length));
    to = from;
  }
  return new Tensor(storage, shape, 'f32', { label: gradient.label });
}

const expandKernel = defineKernel(shaders.expand, { grid: perElement, work: (u) => u.size });

/** alpha · x repeated to a larger shape, a leaf: what the backward pass of a sum needs. */
export function expandTo(step: Step, x: Tensor, shape: readonly number[], alpha: number, label = 'expand'): Tensor {
  const own = padded(x.shape, shape.length);
  if (own.length !== shape.length || own.some((length, axis) => length !== 1 && length !== shape[axis]))
    throw shapeError(
      'expand',
      `${showShape(x.shape)} does not repeat to ${showShape(shape)}`,
      'Every length must be equal, or 1 in the smaller shape.',
      { from: x.shape, to: shape },
    );
  const first = firstOfManyRepeats(own, shape);
  if (first) {
    // One kernel handles three groups of axes; with more, the first repeated run goes ahead.
    const partly = own.map((length, axis) =>
      axis >= first.from && axis < first.to ? (shape[axis] as number) : length,
    );
    const seen = new Tensor(x.storage, own);
    return expandTo(step, expandTo(step, seen, partly, 1, label), shape, alpha, label);
  }
  const plan = planBroadcast('expand', shape, own);
  const output = allocate(step, shape, label);
  step.dispatch(
    expandKernel,
    { x: x.storage, y: output.storage },
    {
      size: output.size,
      middle: plan.middle,
      inner: plan.inner,
      x_outer: plan.b.outer,
      x_middle: plan.b.middle,
      x_inner: plan.b.inner,
      alpha,
    },
  );
  return output;
}

/** The first run of repeated axes if axes alternate between repeated and not more than three times. */
function firstOfManyRepeats(
  own: readonly number[],
  shape: readonly number[],
): { from: number; to: number } | undefined {
  const runs: { from: number; to: number; repeats: boolean }[] = [];
  for (const [axis, length] of shape.entries()) {
    if (length === 1) continue;
    const repeats = own[axis] === 1;
    const last = runs.at(-1);
    if (last && last.repeats === repeats) last.to = axis + 1;
    else runs.push({ from: axis, to: axis + 1, repeats });
  }
  return runs.length > 3 ? runs.find((run) => run.repeats) : undefined;
}

const expandOp = defineOp({
  name: 'expand',
  forward(step, [x]: readonly [Tensor], options: { shape: readonly number[] }) {
    expectDType('expand', x, ['f32']);
    return { outputs: [expandTo(step, x, options.shape, 1)], saved: undefined };
  },
  vjp: (step, { inputs: [x] }, [dy]) => [dy && sumToShape(step, dy, x.shape)],
});

/**
 * x repeated along axes of length 1, or along new leading axes, to `shape`. The gradient sums over the repeats.
 * @throws LimnError `tensor/dtype`, `tensor/shape`
 */
export function expand(step: Step, x: Tensor, shape: readonly number[]): Tensor {
  return expandOp(step, [x], { shape })[0];
}
