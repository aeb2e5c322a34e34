// A round of a group's members: their rows as a batch, and the rates of their updates.
import { rateOverUpdates, type HookedModel } from '@limn/hooks';
import { answeredRow, diffBatch, type DiffBatch } from './diff-batch.js';
import type { DiffSettings } from './diff-options.js';
import type { SettledDiff } from './diff-spec.js';
import { answerName, missingOwn, type DrawnAnswers } from './own-answers.js';

/**
 * The rows of every member that is not finished yet; a member's place is its index.
 * @throws LimnError `data/diff-sample`
 */
export function roundBatch(
  members: readonly SettledDiff[],
  round: number,
  drawn: DrawnAnswers,
  { shape }: Pick<DiffSettings, 'shape'>,
  info: HookedModel['info'],
): DiffBatch {
  const places = members.map(({ id, updates, samples }, place) =>
    round >= updates
      ? []
      : samples(round).map((row, r) => {
          const answer = row.own === true ? (drawn[answerName(place, round, r)] ?? []) : undefined;
          return answeredRow(row, { id, round, row: r }, shape, info, answer);
        }),
  );
  return diffBatch(places, shape, { ids: members.map(({ id }) => id), round });
}

/** The rate of every place at an update: 0 where nobody stands, or who does is finished. */
export function roundRates(
  members: readonly SettledDiff[],
  update: number,
  { shape, warmUp, decay }: Pick<DiffSettings, 'shape' | 'warmUp' | 'decay'>,
): Float32Array {
  return Float32Array.from({ length: shape.tasks }, (_, i) => {
    const { rate, updates } = members[i] ?? { rate: 0, updates: 0 };
    return update < updates ? rate * rateOverUpdates(update, { updates, warmUp, decay }) : 0;
  });
}

/**
 * Refuses a diff whose first round is not one, with answers of its own as long as they can be.
 * @throws LimnError `data/diff-sample`; `usage/diff-training` for rows with `own` where nobody says how answers are drawn
 */
export function checkFirstRound(diff: SettledDiff, { shape, own }: DiffSettings, info: HookedModel['info']): void {
  const drawn: Record<string, readonly number[]> = {};
  diff.samples(0).forEach((row, r) => {
    if (row.own !== true) return;
    if (!own) throw missingOwn(diff.id);
    drawn[answerName(0, 0, r)] = Array.from({ length: own.maxNewTokens }, () => 0);
  });
  roundBatch([diff], 0, drawn, { shape: { ...shape, tasks: 1 } }, info);
}
