// Which heads a projection into or out of heads is for, and where their columns or rows lie in the weights. Consecutive heads share a dispatch.
// Weights stay in Hugging Face's layout: c_attn [C, 3 C] with q, k, v side by side, c_proj [C, C].
import { shapeError } from '../shape.js';
import type { Tensor } from '../tensor.js';
import type { Placement } from './multiply.js';

/** Which heads, and where their columns (or rows) lie in the weights. */
export interface HeadsOptions {
  /** Width K of one head. */
  readonly headWidth: number;
  /** Head numbers in the weights; by default 0 … h − 1 for the h heads of the input (or all that fit). */
  readonly heads?: readonly number[];
  /** First column of head 0 in the weights: 0 for q, C for k, 2 C for v in c_attn. Rows for headResults. */
  readonly offset?: number;
}

/** A run of consecutive heads: `at` in the list of the call, `head` in the weights. */
export interface HeadRun {
  readonly at: number;
  readonly head: number;
  readonly count: number;
}

/** Consecutive heads share a dispatch. */
export function runsOf(heads: readonly number[]): HeadRun[] {
  const runs: HeadRun[] = [];
  for (const [at, head] of heads.entries()) {
    const last = runs.at(-1);
    if (last && head === last.head + last.count) runs[runs.length - 1] = { ...last, count: last.count + 1 };
    else runs.push({ at, head, count: 1 });
  }
  return runs;
}

/** The options with their defaults, checked against the weights. */
export interface Settled {
  readonly width: number;
  readonly heads: readonly number[];
  readonly offset: number;
  readonly channels: number;
  readonly rows: number;
  /** x is one matrix for all heads. */
  readonly shared: boolean;
}

/**
 * @throws LimnError `tensor/shape` for heads that the weights have not got, or not one per head of the input
 */
export function settle(
  op: string,
  lead: readonly number[],
  channels: number,
  room: number,
  given: number | undefined,
  options: HeadsOptions,
): Settled {
  const { headWidth: width, offset = 0 } = options;
  const available = Math.floor((room - offset) / width);
  const heads = options.heads ?? Array.from({ length: given ?? available }, (_, head) => head);
  const wrong = heads.find((head) => !Number.isInteger(head) || head < 0 || head >= available);
  if (wrong !== undefined || heads.length === 0 || new Set(heads).size !== heads.length)
    throw shapeError(
      op,
      `heads ${heads.join(', ') || '(none)'} of width ${width} from ${offset} in weights with ${room} places`,
      `Give different heads from 0 to ${available - 1}.`,
      { heads, width, offset, room },
    );
  if (given !== undefined && given !== heads.length)
    throw shapeError(
      op,
      `the input has ${given} heads but ${heads.length} were named`,
      'Give one head number per head of the input.',
      { given, heads },
    );
  const rows = lead.reduce((product, length) => product * length, 1);
  return { width, heads, offset, channels, rows, shared: given === undefined };
}

/** Per-head matrices [rows, width] inside [..., h, width]. */
export function perHead(tensor: Tensor, run: HeadRun, width: number, count: number): Placement {
  return { storage: tensor.storage, offset: run.at * width, inner: width, row: count * width };
}
