// Sums, means, maxima and inner products over a set of axes, deterministic: fixed chunks, fixed order, no atomics.
import * as shaders from '@limn/shaders';
import { defineKernel, type Step } from '@limn/gpu';
import { defineOp } from '../define-op.js';
import { groupsOf, perRow } from '../grid.js';
import { axisOf, countOf, expectShape } from '../shape.js';
import { allocate, expectDType, Tensor } from '../tensor.js';
import { reshape } from '../views.js';
import { mul } from './arithmetic.js';
import { expandTo } from './broadcast.js';
import { permute } from './movement.js';
import { ROW_CHUNK, sumRun } from './sum-run.js';

/** Which axes to reduce (default all) and whether they stay as axes of length 1 (default false). */
export interface ReduceOptions {
  readonly axes?: number | readonly number[];
  readonly keepAxes?: boolean;
}

/** The axes as sorted, distinct numbers from the front. */
function axesOf(op: string, shape: readonly number[], axes: ReduceOptions['axes']): number[] {
  const list = axes === undefined ? shape.map((_, axis) => axis) : typeof axes === 'number' ? [axes] : axes;
  return [...new Set(list.map((axis) => axisOf(op, shape, axis)))].sort((a, b) => a - b);
}

/** The shape with those axes removed; [1] when none is left. */
function without(shape: readonly number[], axes: readonly number[]): number[] {
  const rest = shape.filter((_, axis) => !axes.includes(axis));
  return rest.length === 0 ? [1] : rest;
}

const sumOp = defineOp({
  name: 'sum',
  // Runs of neighbouring axes are summed from the last to the first; alpha goes into the final pass.
  forward(step, [x]: readonly [Tensor], { axes, alpha }: { axes: readonly number[]; alpha: number }) {
    expectDType('sum', x, ['f32']);
    let current = x;
    for (let place = axes.length; place > 0;) {
      const to = (axes[place - 1] as number) + 1;
      let from = to - 1;
      place -= 1;
      while (place > 0 && axes[place - 1] === from - 1) {
        from -= 1;
        place -= 1;
      }
      current = sumRun(step, current, from, to, place === 0 ? alpha : 1);
    }
    return { outputs: [current], saved: undefined };
  },
  vjp: (step, { inputs: [x], options: { alpha } }, [dy]) => [
    dy && expandTo(step, dy, x.shape, alpha, 'sum (backward)'),
  ],
});

function summed(step: Step, x: Tensor, options: ReduceOptions, alphaOf: (count: number) => number, op: string): Tensor {
  const axes = axesOf(op, x.shape, options.axes);
  if (axes.length === 0) return x;
  const count = countOf(axes.map((axis) => x.shape[axis] as number));
  const [y] = sumOp(step, [x], { axes, alpha: alphaOf(count) });
  return options.keepAxes ? y : reshape(y, without(x.shape, axes));
}

/**
 * Σ x over `axes` (default all, giving [1]). Partial sums have at most 4096 terms.
 * @throws LimnError `tensor/dtype`, `tensor/shape`
 */
export function sum(step: Step, x: Tensor, options: ReduceOptions = {}): Tensor {
  return summed(step, x, options, () => 1, 'sum');
}

/**
 * Mean of x over `axes` (default all, giving [1]).
 * @throws LimnError `tensor/dtype`, `tensor/shape`
 */
export function mean(step: Step, x: Tensor, options: ReduceOptions = {}): Tensor {
  return summed(step, x, options, (count) => 1 / count, 'mean');
}

/**
 * Σ of every element, as [1].
 * @throws LimnError `tensor/dtype`, `tensor/shape`
 */
export function sumAll(step: Step, x: Tensor): Tensor {
  return sum(step, x);
}

const maxRowsKernel = defineKernel(shaders.maxRows, {
  ...perRow,
  grid: (u) => groupsOf(u.rows * u.chunks),
  work: (u) => u.rows * u.width,
});

/**
 * Largest element over `axes`, off the tape (no gradient); NaN where there is one among them.
 * @throws LimnError `tensor/dtype`, `tensor/shape`
 */
export function max(step: Step, x: Tensor, options: ReduceOptions = {}): Tensor {
  expectDType('max', x, ['f32']);
  const axes = axesOf('max', x.shape, options.axes);
  const others = x.shape.map((_, axis) => axis).filter((axis) => !axes.includes(axis));
  const last = axes.every((axis, place) => axis === others.length + place);
  const source = last ? x : permute(step, x, [...others, ...axes]);
  const rows = countOf(others.map((axis) => x.shape[axis] as number));
  const shape = options.keepAxes
    ? x.shape.map((length, axis) => (axes.includes(axis) ? 1 : length))
    : without(x.shape, axes);
  let { storage } = source;
  for (let width = x.size / rows; ;) {
    const chunk = Math.min(width, ROW_CHUNK);
    const chunks = Math.ceil(width / chunk);
    const y = allocate(step, chunks === 1 ? shape : [rows, chunks], 'max');
    step.dispatch(maxRowsKernel, { x: storage, y: y.storage }, { rows, width, chunk, chunks });
    if (chunks === 1) return y;
    storage = y.storage;
    width = chunks;
  }
}

const dotRowsKernel = defineKernel(shaders.dotRows, {
  ...perRow,
  grid: (u) => groupsOf(u.rows * u.chunks),
  work: (u) => 2 * u.rows * u.width,
});

/** Σ_j a[r, j] · b[r, j] as [rows], a leaf. */
export function dotRows(step: Step, a: Tensor, b: Tensor, rows: number): Tensor {
  const width = a.size / rows;
  const chunk = Math.min(width, ROW_CHUNK);
  const chunks = Math.ceil(width / chunk);
  const y = allocate(step, [rows, chunks], 'dot');
  const bindings = { a: a.storage, b: b.storage, y: y.storage };
  step.dispatch(dotRowsKernel, bindings, { rows, width, chunk, chunks });
  const total = chunks === 1 ? y : sumRun(step, y, 1, 2, 1);
  return new Tensor(total.storage, [rows], 'f32', { label: 'dot' });
}

const dotOp = defineOp({
  name: 'dot',
  forward(step, [a, b]: readonly [Tensor, Tensor], { rows }: { rows: number }) {
    return { outputs: [dotRows(step, a, b, rows)], saved: undefined };
  },
  vjp(step, { inputs: [a, b], options: { rows } }, [dy], [wantA, wantB]) {
    if (!dy) return [undefined, undefined];
    const factor = new Tensor(dy.storage, [rows, 1]);
    const times = (other: Tensor) =>
      new Tensor(mul(step, new Tensor(other.storage, [rows, other.size / rows]), factor).storage, other.shape);
    return [wantA ? times(b) : undefined, wantB ? times(a) : undefined];
  },
});

/**
 * Σ a · b over `axes` (default all, giving [1]) of two tensors of equal shape; fused when the axes are the last ones.
 * @throws LimnError `tensor/dtype`, `tensor/shape`
 */
export function dot(step: Step, a: Tensor, b: Tensor, options: ReduceOptions = {}): Tensor {
  expectDType('dot', a, ['f32'], 'the first input');
  expectDType('dot', b, ['f32'], 'the second input');
  expectShape('dot', 'the second input', b.shape, a.shape);
  const axes = axesOf('dot', a.shape, options.axes);
  const first = a.shape.length - axes.length;
  if (!axes.every((axis, place) => axis === first + place)) return sum(step, mul(step, a, b), options);
  const [y] = dotOp(step, [a, b], { rows: countOf(a.shape.slice(0, first)) });
  const kept = a.shape.map((length, axis) => (axes.includes(axis) ? 1 : length));
  return reshape(y, options.keepAxes ? kept : without(a.shape, axes));
}
