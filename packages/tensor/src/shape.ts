// Shapes: counting, axes, the (outer, axis, inner) form of a row-major tensor, and the error every op throws about them.
import { LimnError } from '@limn/gpu';

/** Kernels index with u32; a tensor must stay below 2³² elements. */
const MAX_ELEMENTS = 2 ** 32 - 1;

/** [2, 3] as text. */
export function showShape(shape: readonly number[]): string {
  return `[${shape.join(', ')}]`;
}

/** 'tensor/shape': names the op, what was given and the cure. */
export function shapeError(
  op: string,
  problem: string,
  hint: string,
  details: Record<string, unknown> = {},
): LimnError {
  return new LimnError('tensor/shape', `${op}: ${problem}. ${hint}`, { details: { op, ...details }, hint });
}

/** Number of elements. */
export function countOf(shape: readonly number[]): number {
  let count = 1;
  for (const length of shape) count *= length;
  return count;
}

/** Throws 'tensor/shape' unless every length is a positive whole number and the product fits u32 indices. */
export function checkShape(op: string, shape: readonly number[]): void {
  for (const length of shape)
    if (!Number.isSafeInteger(length) || length < 1)
      throw shapeError(
        op,
        `shape ${showShape(shape)} has a length that is not a positive whole number`,
        'Give lengths of 1 or more; an empty tensor does not exist.',
        { shape },
      );
  if (countOf(shape) > MAX_ELEMENTS)
    throw shapeError(
      op,
      `shape ${showShape(shape)} has ${countOf(shape)} elements, more than ${MAX_ELEMENTS}`,
      'Split it, for instance into row blocks.',
      { shape },
    );
}

/** Whether two shapes are equal. */
export function sameShape(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((length, axis) => length === b[axis]);
}

/** Throws 'tensor/shape' unless the shapes are equal. */
export function expectShape(op: string, what: string, given: readonly number[], expected: readonly number[]): void {
  if (!sameShape(given, expected))
    throw shapeError(
      op,
      `${what} has shape ${showShape(given)}, expected ${showShape(expected)}`,
      `Give ${what} as ${showShape(expected)}.`,
      { given, expected },
    );
}

/** Throws 'tensor/shape' unless the rank is at least (or, with `exact`, equal to) the given one. */
export function expectRank(op: string, what: string, shape: readonly number[], rank: number): void {
  if (shape.length !== rank)
    throw shapeError(
      op,
      `${what} has shape ${showShape(shape)} of rank ${shape.length}, expected rank ${rank}`,
      'Use reshape to bring it to that rank.',
      { shape, rank },
    );
}

/** An axis counted from the front; negative ones count from the back. */
export function axisOf(op: string, shape: readonly number[], axis: number): number {
  const place = axis < 0 ? axis + shape.length : axis;
  if (!Number.isInteger(axis) || place < 0 || place >= shape.length)
    throw shapeError(
      op,
      `axis ${axis} does not exist in shape ${showShape(shape)}`,
      `Give an axis from ${-shape.length} to ${shape.length - 1}.`,
      { axis, shape },
    );
  return place;
}

/** A shape around a run of axes [from, to): the product before, of, and after the run. */
export interface RunForm {
  readonly outer: number;
  readonly axis: number;
  readonly inner: number;
}

/** The (outer, axis, inner) form around axes [from, to). */
export function runForm(shape: readonly number[], from: number, to = from + 1): RunForm {
  return {
    outer: countOf(shape.slice(0, from)),
    axis: countOf(shape.slice(from, to)),
    inner: countOf(shape.slice(to)),
  };
}

/** A shape seen as rows of its last axis. */
export function rowForm(op: string, shape: readonly number[]): { rows: number; width: number } {
  const width = shape.at(-1);
  if (width === undefined)
    throw shapeError(op, 'a tensor without axes has no rows', 'Reshape it to [1, size].', { shape });
  return { rows: countOf(shape) / width, width };
}
