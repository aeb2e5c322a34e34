// Next-token cross-entropy of rows of ids: what training minimises, and what it is judged by on rows that it never sees.
import { LimnError, type Step } from '@limn/gpu';
import { tokenBatch, type TokenBatch } from '@limn/hooks';
import { IGNORED_TARGET, readFloats, scale, sumAll, type Tensor } from '@limn/tensor';
import type { Gpt2 } from './model.js';

/** Rows of token ids: all but the last are inputs, all but the first are targets. */
export type TrainingRows = readonly ArrayLike<number>[];

/** Targets in rows: one less than the ids of each. */
export function targetsOf(rows: TrainingRows): number {
  return rows.reduce((sum, row) => sum + row.length - 1, 0);
}

/** Rows cut into parts of `size` in order; one part when there is no size. */
export function partsOf(rows: TrainingRows, size = rows.length): TrainingRows[] {
  return Array.from({ length: Math.ceil(rows.length / size) }, (_, i) => rows.slice(i * size, (i + 1) * size));
}

/**
 * Σ cross-entropy / `over` [1] of rows, on the tape; padding does not count. `over` is the rows' own number of targets, so that this is
 * their mean, or that of a larger batch of which these rows are a part.
 * @throws LimnError `tokens/…`
 */
export function nextTokenLoss(
  model: Gpt2,
  step: Step,
  rows: TrainingRows,
  over?: number,
): { loss: Tensor; tokens: number } {
  const { inputs, targets, tokens } = shift(model, rows);
  const { resid } = model.run(step, { tokens: inputs }, { stopAtLayer: model.info.layers });
  const losses = model.losses(step, resid, targets);
  return { loss: scale(step, sumAll(step, losses), 1 / (over ?? tokens)), tokens };
}

/**
 * Mean cross-entropy in nats per target over rows of any number, `rowsAtOnce` on the GPU at a time; nothing is trained.
 * @throws LimnError `tokens/…`, `gpu/…`; the signal's reason when aborted
 */
export async function meanLoss(
  model: Gpt2,
  rows: TrainingRows,
  options: { readonly rowsAtOnce?: number; readonly signal?: AbortSignal } = {},
): Promise<number> {
  const { rowsAtOnce = 16, signal } = options;
  const all = targetsOf(rows);
  let sum = 0;
  for (const part of partsOf(rows, rowsAtOnce)) {
    signal?.throwIfAborted();
    const step = model.gpu.step({ label: 'held-out loss' });
    try {
      sum += (await readFloats(step, nextTokenLoss(model, step, part, all).loss))[0] as number;
    } finally {
      step.dispose();
    }
  }
  return sum;
}

function shift(model: Gpt2, rows: TrainingRows): { inputs: TokenBatch; targets: Uint32Array; tokens: number } {
  const short = rows.findIndex((row) => row.length < 2);
  if (short >= 0)
    throw new LimnError(
      'tokens/empty',
      `training row ${short} has ${rows[short]?.length} tokens; a target needs at least 2`,
    );
  const inputs = tokenBatch(
    rows.map((row) => Array.prototype.slice.call(row, 0, -1) as number[]),
    model.info,
  );
  const targets = new Uint32Array(inputs.B * inputs.T).fill(IGNORED_TARGET);
  rows.forEach((row, b) => {
    for (let t = 1; t < row.length; t++) targets[b * inputs.T + t - 1] = row[t] as number;
  });
  const last = rows.findIndex((row) => !((row[row.length - 1] as number) < model.info.vocabulary));
  if (last >= 0)
    throw new LimnError(
      'tokens/not-in-vocabulary',
      `training row ${last} ends with an id outside the vocabulary (0–${model.info.vocabulary - 1})`,
    );
  return { inputs, targets, tokens: inputs.lengths.reduce((a, b) => a + b, 0) };
}
