// into[b, at_b + t] ← rows[b, t]: rows put in their places of an existing tensor, such as new keys behind those of a cache.
import * as shaders from '@limn/shaders';
import { defineKernel, type Step } from '@limn/gpu';
import { perElement } from '../grid.js';
import { expectShape, shapeError, showShape } from '../shape.js';
import { expectDType, type Tensor } from '../tensor.js';

const kernel = defineKernel(shaders.writeRows, { grid: perElement, work: (u) => u.size });

/**
 * into[b, at_b + t, …] ← rows[b, t, …] for t < count_b, in place and outside the tape: into [B, S, …], rows [B, T, …] of the same
 * 4-byte type, places u32 [B, 2] with (at_b, count_b). The rest of `into` stays as it is; rows that would lie behind S are left out.
 * The places are data, so that a step that writes elsewhere reuses its plan.
 * @throws LimnError `tensor/shape`, `tensor/dtype`
 */
export function writeRows(step: Step, into: Tensor, rows: Tensor, places: Tensor): void {
  expectDType('writeRows', into, ['f32', 'u32'], 'the destination');
  expectDType('writeRows', rows, [into.dtype], 'the rows');
  expectDType('writeRows', places, ['u32'], 'the places');
  const [batch, axis, ...rest] = into.shape;
  const [given, length, ...own] = rows.shape;
  if (
    batch === undefined ||
    axis === undefined ||
    length === undefined ||
    given !== batch ||
    rest.join() !== own.join()
  )
    throw shapeError(
      'writeRows',
      `rows of shape ${showShape(rows.shape)} do not fit ${showShape(into.shape)}`,
      'Give [B, T, …] for a destination [B, S, …].',
      { into: into.shape, rows: rows.shape },
    );
  expectShape('writeRows', 'places', places.shape, [batch, 2]);
  step.dispatch(
    kernel,
    { x: rows.storage, places: places.storage, y: into.storage },
    { size: rows.size, axis, inner: rows.size / (batch * length), length },
  );
}
