// From logits to the next token on the GPU: penalty and temperature, top-k and top-p, one draw a row, and a report small enough to read every time.
import * as shaders from '@limn/shaders';
import { defineKernel, LimnError, type Step } from '@limn/gpu';
import { perElement, perRow } from '../grid.js';
import { keyOf } from '../random.js';
import { expectRank, expectShape } from '../shape.js';
import { allocate, expectDType, type Tensor } from '../tensor.js';
import { rowLogSumExp } from './log-softmax.js';
import { topK } from './top-k.js';

const adjustKernel = defineKernel(shaders.adjustLogits, { grid: perElement, work: (u) => 4 * u.size });
// Eight digits for each limit, each a pass over the row.
const thresholdKernel = defineKernel(shaders.samplingThreshold, { ...perRow, work: (u) => 160 * u.rows * u.width });
const sampleKernel = defineKernel(shaders.sampleToken, { ...perRow, work: (u) => 24 * u.rows * u.width });
const reportKernel = defineKernel(shaders.tokenReport, { grid: perElement, work: (u) => 2 * u.size });
const markKernel = defineKernel(shaders.markSeen, { grid: perElement, work: (u) => 2 * u.size });

function sizesOf(op: string, logits: Tensor): { rows: number; width: number } {
  expectDType(op, logits, ['f32'], 'logits');
  expectRank(op, 'logits', logits.shape, 2);
  const [rows, width] = logits.shape as readonly [number, number];
  return { rows, width };
}

function bad(op: string, what: string, value: number, allowed: string): LimnError {
  return new LimnError('tensor/range', `${op}: ${what} is ${value}; allowed: ${allowed}`, {
    details: { op, what, value },
    hint: `Give ${what} as ${allowed}.`,
  });
}

/** Words of a set of tokens of a vocabulary: one bit each. */
export function tokenSetWords(vocabulary: number): number {
  return Math.ceil(vocabulary / 32);
}

/** Sets of tokens as bits, [sets, tokenSetWords(vocabulary)]: bit id % 32 of word id / 32. Ids outside the vocabulary are left out. */
export function tokenSets(sets: readonly (readonly number[])[], vocabulary: number): Uint32Array {
  const words = tokenSetWords(vocabulary);
  const bits = new Uint32Array(sets.length * words);
  for (const [n, ids] of sets.entries())
    for (const id of ids) if (id >= 0 && id < vocabulary) bits[n * words + (id >>> 5)]! |= 1 << (id & 31);
  return bits;
}

/** What `adjustLogits` does to a row; what is left out changes nothing. */
export interface LogitAdjustments {
  /** Divides all logits; above 0. */
  readonly temperature?: number;
  /**
   * Above 0: a positive logit of a token in the row's set of `seen` ([N, words], u32) is divided by it, another one multiplied
   * (Keskar et al. 2019, §4.1, as in Hugging Face).
   */
  readonly penalty?: { readonly factor: number; readonly seen: Tensor };
  /** Tokens that may not come, u32 [words]: their logits become −∞. While `on` is false it is bound but has no effect, so that plans agree. */
  readonly barred?: { readonly set: Tensor; readonly on: boolean };
}

/**
 * Logits [N, V] as the sampler sees them: penalty, then temperature, then barred tokens. Off the tape.
 * @throws LimnError `tensor/range`, `tensor/shape`, `tensor/dtype`
 */
export function adjustLogits(step: Step, logits: Tensor, adjustments: LogitAdjustments): Tensor {
  const { rows, width } = sizesOf('adjustLogits', logits);
  const { temperature = 1, penalty, barred } = adjustments;
  for (const [what, value] of [
    ['temperature', temperature],
    ['the penalty', penalty?.factor ?? 1],
  ] as const)
    if (!(value > 0 && Number.isFinite(value))) throw bad('adjustLogits', what, value, 'a finite number above 0');
  const words = tokenSetWords(width);
  if (penalty) {
    expectDType('adjustLogits', penalty.seen, ['u32'], 'seen');
    expectShape('adjustLogits', 'seen', penalty.seen.shape, [rows, words]);
  }
  if (barred) {
    expectDType('adjustLogits', barred.set, ['u32'], 'the barred set');
    expectShape('adjustLogits', 'the barred set', barred.set.shape, [words]);
  }
  const y = allocate(step, logits.shape, 'adjusted logits');
  step.dispatch(
    adjustKernel,
    {
      x: logits.storage,
      seen: (penalty?.seen ?? logits).storage,
      barred: (barred?.set ?? logits).storage,
      y: y.storage,
    },
    {
      size: y.size,
      width,
      words,
      penalise: penalty ? 1 : 0,
      bar: barred?.on ? 1 : 0,
      penalty: penalty?.factor ?? 1,
      temperature,
    },
  );
  return y;
}

/** What `samplingThresholds` leaves in a row. */
export interface SamplingLimits {
  /** The k likeliest tokens; of equal ones those with lower ids. Any number of them: there is no limit of 64 as in `topK`. */
  readonly topK?: number;
  /** Of those the fewest, by falling probability, that hold this share of their mass (nucleus sampling, Holtzman et al. 2020); above 0. */
  readonly topP?: number;
}

/**
 * Which tokens of each row may be drawn, as (key, ties), u32 [N, 2]: those whose logit lies above the key in order, and of those at
 * the key the first `ties`. Exact for top-k; for top-p up to the rounding of the sums of probabilities.
 * @throws LimnError `tensor/range`, `tensor/shape`, `tensor/dtype`
 */
export function samplingThresholds(step: Step, logits: Tensor, { topK: k, topP = 1 }: SamplingLimits): Tensor {
  const { rows, width } = sizesOf('samplingThresholds', logits);
  if (k !== undefined && !(Number.isInteger(k) && k >= 1))
    throw bad('samplingThresholds', 'topK', k, 'a whole number from 1');
  if (!(topP > 0)) throw bad('samplingThresholds', 'topP', topP, 'a number above 0');
  const thresholds = allocate(step, [rows, 2], 'sampling thresholds', 'u32');
  step.dispatch(
    thresholdKernel,
    { x: logits.storage, thresholds: thresholds.storage },
    { rows, width, top_k: Math.min(k ?? width, width), top_p: Math.min(topP, 1) },
  );
  return thresholds;
}

/**
 * One token per row by the inverse of the cumulative softmax of logits [N, V], in the order of ids: u32 [N]. Row n takes number
 * `index` of random stream `stream`, where draws u32 [N, 2] hold (stream, index): the bits of `randomUniform`. So a row's draw depends
 * on nothing but its logits and its own pair. A row that cannot be drawn from (NaN, or −∞ alone) gives any id.
 * @throws LimnError `tensor/dtype`, `tensor/random`, `tensor/shape`
 */
export function sampleTokens(
  step: Step,
  logits: Tensor,
  draws: Tensor,
  { seed, thresholds }: { readonly seed: number; readonly thresholds?: Tensor | undefined },
): Tensor {
  const { rows, width } = sizesOf('sampleTokens', logits);
  for (const [what, pairs] of [
    ['draws', draws],
    ['thresholds', thresholds],
  ] as const) {
    if (!pairs) continue;
    expectDType('sampleTokens', pairs, ['u32'], what);
    expectShape('sampleTokens', what, pairs.shape, [rows, 2]);
  }
  const [seed_low, seed_high] = keyOf(seed);
  const ids = allocate(step, [rows], 'sampled tokens', 'u32');
  step.dispatch(
    sampleKernel,
    { x: logits.storage, thresholds: (thresholds ?? draws).storage, draws: draws.storage, ids: ids.storage },
    { rows, width, limited: thresholds ? 1 : 0, seed_low, seed_high },
  );
  return ids;
}

/**
 * (id, bits of its log-probability) of ids u32 [N] under logits [N, V], and of the `likeliest` tokens of each row: u32 [N, 1 + likeliest, 2],
 * all that a host needs to read per token. NaN or +∞ among a row's logits makes its log-probabilities NaN.
 * @throws LimnError `tensor/dtype`, `tensor/shape`
 */
export function tokenReport(step: Step, logits: Tensor, ids: Tensor, likeliest = 0): Tensor {
  const { rows, width } = sizesOf('tokenReport', logits);
  expectDType('tokenReport', ids, ['u32'], 'ids');
  if (ids.size !== rows) expectShape('tokenReport', 'ids', ids.shape, [rows]);
  const lse = rowLogSumExp(step, logits);
  const top = likeliest > 0 ? topK(step, logits, likeliest).indices : undefined;
  const report = allocate(step, [rows, 1 + likeliest, 2], 'token report', 'u32');
  step.dispatch(
    reportKernel,
    {
      x: logits.storage,
      lse: lse.storage,
      ids: ids.storage,
      likeliest: (top ?? ids).storage,
      report: report.storage,
    },
    { size: rows * (1 + likeliest), width, count: likeliest },
  );
  return report;
}

/**
 * Adds ids u32 [N] to the rows' sets of seen tokens [N, words], in place.
 * @throws LimnError `tensor/dtype`, `tensor/shape`
 */
export function markSeen(step: Step, seen: Tensor, ids: Tensor): void {
  expectDType('markSeen', seen, ['u32'], 'seen');
  expectDType('markSeen', ids, ['u32'], 'ids');
  expectRank('markSeen', 'seen', seen.shape, 2);
  const [rows, words] = seen.shape as readonly [number, number];
  if (ids.size !== rows) expectShape('markSeen', 'ids', ids.shape, [rows]);
  step.dispatch(markKernel, { ids: ids.storage, seen: seen.storage }, { size: rows, words });
}
