// What is recorded of learning, a few updates at a time, and when it has come to its end.
import type { ParameterForm } from './method.js';
import type { PenaltyKind } from './train-options.js';

/** Means over some updates, and the state after them. */
export interface TrainingRecord {
  /** Updates so far. */
  readonly update: number;
  /** E and F as the objective has them, means over the updates since the last record. */
  readonly effect: number;
  readonly drift: number;
  /** M after the last of them: what λ_M weighs. */
  readonly penalty: number;
  /** Values that are not exactly 0; rows of vectors where the penalty takes rows. */
  readonly nonZero: number;
}

/** E, F and the produced M of one update. */
export type UpdateFigures = readonly [effect: number, drift: number, produced: number];

/** Updates that a record stands for. */
export const RECORD_EVERY = 10;

/**
 * Whether the whole loss E + λ_F F + λ_M M fell by less than a thousandth over the last fifty updates, the effect being reached to a hundredth
 * of the margin.
 */
export function hasSettled(
  history: readonly TrainingRecord[],
  {
    faithfulnessWeight,
    penaltyWeight,
    reached,
  }: { readonly faithfulnessWeight: number; readonly penaltyWeight: number; readonly reached: number },
): boolean {
  const span = 50 / RECORD_EVERY;
  if (history.length < 2 * span) return false;
  const mean = (records: readonly TrainingRecord[]): number =>
    records.reduce(
      (sum, { effect, drift, penalty }) => sum + effect + faithfulnessWeight * drift + penaltyWeight * penalty,
      0,
    ) / records.length;
  const last = history.slice(-span);
  const [before, now] = [mean(history.slice(-2 * span, -span)), mean(last)];
  return last.every(({ effect }) => effect <= reached) && before - now <= 1e-3 * Math.abs(before);
}

/** M of values by position, and how many of them (of their rows, where the penalty takes rows) are not exactly 0. */
export function penaltyOf(
  kind: PenaltyKind,
  parameters: readonly { readonly form: ParameterForm }[],
  values: readonly Float32Array[],
): { readonly amount: number; readonly nonZero: number } {
  let amount = 0;
  let nonZero = 0;
  parameters.forEach(({ form: { byPosition, shape } }, i) => {
    if (!byPosition) return;
    const width = kind === 'rows' ? shape[1] : 1;
    const data = values[i] as Float32Array;
    for (let at = 0; at < data.length; at += width) {
      const row = data.subarray(at, at + width);
      const size = kind === 'rows' ? Math.hypot(...row) : Math.abs(row[0] as number);
      amount += size;
      if (size > 0) nonZero++;
    }
  });
  return { amount, nonZero };
}
