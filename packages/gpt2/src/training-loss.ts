// Next-token cross-entropy of rows of ids: what training minimises, and what it is judged by on rows that it never sees.
import { LimnError, shownValue, type Step } from '@limn/gpu';
import { tokenBatch, type TokenBatch, type TokenLimits } from '@limn/hooks';
import { IGNORED_TARGET, readFloats, scale, sumAll, type Tensor } from '@limn/tensor';
import type { Gpt2 } from './model.js';
import { badSetting } from './rate-schedule.js';

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
 * Refuses what are no rows to train on, in the order in which they stand; `what` names them: 'heldOut', 'the batch of update 3'.
 * @throws LimnError `training/setting` for what is no list of lists, `tokens/empty` for no rows and for a row without a target,
 * `tokens/too-long`, `tokens/not-in-vocabulary` with row, position and id
 */
export function checkRows(rows: TrainingRows, { vocabulary, maxPositions }: TokenLimits, what: string): void {
  const hint = 'Give a list of rows of token ids at once, not a promise of one.';
  if (!Array.isArray(rows)) throw badSetting(what, rows, 'a list of rows', hint);
  if (rows.length === 0) throw new LimnError('tokens/empty', `${what}: there are no rows`, { hint });
  (rows as TrainingRows).forEach((row: ArrayLike<number> | null, r) => {
    if (typeof row !== 'object' || row === null || !Number.isInteger(row.length))
      throw badSetting(`${what}, row ${r},`, row, 'a list of token ids', hint);
    const { length } = row;
    if (length < 2)
      throw new LimnError('tokens/empty', `${what}, row ${r}: ${length} tokens; a target needs at least 2`, {
        details: { row: r, length },
        hint: 'Leave the row out.',
      });
    if (length > maxPositions + 1)
      throw new LimnError(
        'tokens/too-long',
        `${what}, row ${r}: ${length} tokens; the model takes ${maxPositions} and the last target`,
        { details: { row: r, length, maxPositions }, hint: `Cut it into rows of at most ${maxPositions + 1}.` },
      );
    for (let t = 0; t < length; t++) {
      const id = row[t] as number;
      if (Number.isInteger(id) && id >= 0 && id < vocabulary) continue;
      throw new LimnError(
        'tokens/not-in-vocabulary',
        `${what}, row ${r}, position ${t}: token id ${shownValue(id)} is not in the vocabulary (0–${vocabulary - 1})`,
        {
          details: { row: r, position: t, id, vocabulary },
          hint: 'Use the tokenizer that belongs to this model, and leave padding out: rows may differ in length.',
        },
      );
    }
  });
}

/**
 * Σ cross-entropy / `over` [1] of rows, on the tape; padding does not count. `over` is the rows' own number of targets, so that this is
 * their mean, or that of a larger batch of which these rows are a part.
 * @throws LimnError `training/setting`, `tokens/empty`, `tokens/too-long`, `tokens/not-in-vocabulary` for rows that are none
 */
export function nextTokenLoss(
  model: Gpt2,
  step: Step,
  rows: TrainingRows,
  over?: number,
): { loss: Tensor; tokens: number } {
  checkRows(rows, model.info, 'rows');
  return lossOfPart(model, step, rows, over);
}

/** As `nextTokenLoss`, of rows that were checked. */
export function lossOfPart(
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
 * Mean cross-entropy in nats per target over rows of any number, `rowsAtOnce` on the GPU at a time, 16 by default; nothing is trained.
 * @throws LimnError `training/setting`, `tokens/empty`, `tokens/too-long`, `tokens/not-in-vocabulary`, `gpu/…`; the signal's reason when
 * aborted
 */
export async function meanLoss(
  model: Gpt2,
  rows: TrainingRows,
  options: { readonly rowsAtOnce?: number; readonly signal?: AbortSignal } = {},
): Promise<number> {
  const { rowsAtOnce = 16, signal } = options;
  if (!(Number.isInteger(rowsAtOnce) && rowsAtOnce > 0))
    throw badSetting('rowsAtOnce', rowsAtOnce, 'a whole number of rows, at least 1', 'Leave it out for 16.');
  checkRows(rows, model.info, 'rows');
  const all = targetsOf(rows);
  let sum = 0;
  for (const part of partsOf(rows, rowsAtOnce)) {
    signal?.throwIfAborted();
    const step = model.gpu.step({ label: 'held-out loss' });
    try {
      sum += (await readFloats(step, lossOfPart(model, step, part, all).loss))[0] as number;
    } finally {
      step.dispose();
    }
  }
  return sum;
}

/** Inputs [B, T] and, behind each of them, its target; padding has none. */
function shift(model: Gpt2, rows: TrainingRows): { inputs: TokenBatch; targets: Uint32Array; tokens: number } {
  const inputs = tokenBatch(
    rows.map((row) => Array.prototype.slice.call(row, 0, -1) as number[]),
    model.info,
  );
  const targets = new Uint32Array(inputs.B * inputs.T).fill(IGNORED_TARGET);
  rows.forEach((row, b) => {
    for (let t = 1; t < row.length; t++) targets[b * inputs.T + t - 1] = row[t] as number;
  });
  return { inputs, targets, tokens: inputs.lengths.reduce((a, b) => a + b, 0) };
}
