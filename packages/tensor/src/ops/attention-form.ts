// What every attention op is told and checks: shapes, scale, past positions and lengths.
import { expectRank, expectShape, shapeError, showShape } from '../shape.js';
import { expectDType, type Tensor } from '../tensor.js';

/** How queries see keys. */
export interface AttentionOptions {
  /** Multiplies q · k; by default 1 / √K. */
  readonly scale?: number;
  /** u32 [B]: keys at or beyond a row's length are padding and never seen. */
  readonly lengths?: Tensor;
  /** Absolute position of query 0: keys = past + queries when decoding with a cache. By default keys − queries. */
  readonly past?: number;
}

/** Sizes after checking. */
export interface AttentionForm {
  readonly batch: number;
  readonly queries: number;
  readonly keys: number;
  readonly heads: number;
  readonly width: number;
  readonly past: number;
  readonly scale: number;
}

/** Checks q [B, T, H, K] and k, v [B, S, H, K], and the options. */
export function attentionForm(
  op: string,
  q: Tensor,
  others: readonly Tensor[],
  options: AttentionOptions,
): AttentionForm {
  for (const tensor of [q, ...others]) expectDType(op, tensor, ['f32']);
  expectRank(op, 'q', q.shape, 4);
  const [batch, queries, heads, width] = q.shape as readonly [number, number, number, number];
  const keys = others[0]?.shape[1] ?? queries;
  for (const other of others) expectShape(op, 'k or v', other.shape, [batch, keys, heads, width]);
  const past = options.past ?? keys - queries;
  checkPast(op, past, queries, keys);
  checkLengths(op, options.lengths, batch);
  return { batch, queries, keys, heads, width, past, scale: options.scale ?? 1 / Math.sqrt(width) };
}

/** Throws unless every query has a position and the last one does not lie beyond the keys. */
export function checkPast(op: string, past: number, queries: number, keys: number): void {
  if (!Number.isInteger(past) || past < 0 || past + queries > keys)
    throw shapeError(
      op,
      `${queries} queries after ${past} past positions do not fit ${keys} keys`,
      'Give keys for the past and for every query: keys ≥ past + queries.',
      { past, queries, keys },
    );
}

/** Throws unless lengths is u32 [B]. */
export function checkLengths(op: string, lengths: Tensor | undefined, batch: number): void {
  if (!lengths) return;
  expectDType(op, lengths, ['u32'], 'lengths');
  if (lengths.size !== batch)
    throw shapeError(
      op,
      `lengths has shape ${showShape(lengths.shape)} for a batch of ${batch}`,
      `Give lengths as u32 [${batch}].`,
      { lengths: lengths.shape, batch },
    );
}
