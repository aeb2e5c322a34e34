// The learning rate over the updates of a run: a linear warm-up, then half a cosine, a line, or a constant.
import { LimnError, shownValue } from '@limn/gpu';

/** The shapes behind the warm-up. */
export const RATE_SHAPES = ['cosine', 'linear', 'constant'] as const;
/** One of them. */
export type RateShape = (typeof RATE_SHAPES)[number];

/** How the rate goes, relative to its highest value. */
export interface RateSchedule {
  /** How it goes behind the warm-up. Default 'cosine'. */
  readonly schedule?: RateShape;
  /** Updates of linear warm-up: update s has (s + 1) / warmup of the highest rate. Default 0. */
  readonly warmup?: number;
  /** Cosine and linear end at this part of the highest rate, 0…1. Default 0.05. */
  readonly finalRate?: number;
}

/** The rate's factor at update s of `steps`: (s + 1) / w during the warm-up of w, then f + (1 − f) · shape((s − w) / (steps − w)). */
export function rateAt(s: number, steps: number, options: RateSchedule): number {
  const { schedule = 'cosine', warmup = 0, finalRate = 0.05 } = options;
  if (s < warmup) return (s + 1) / warmup;
  if (schedule === 'constant') return 1;
  const part = (s - warmup) / Math.max(1, steps - warmup);
  const shape = schedule === 'linear' ? 1 - part : 0.5 * (1 + Math.cos(Math.PI * part));
  return finalRate + (1 - finalRate) * shape;
}

/**
 * Refuses a schedule that means nothing, before any work.
 * @throws LimnError `training/setting` naming the setting, its value and what is allowed
 */
export function checkSchedule({ schedule = 'cosine', warmup = 0, finalRate }: RateSchedule): void {
  if (!RATE_SHAPES.includes(schedule))
    throw badSetting('schedule', schedule, `one of ${RATE_SHAPES.join(', ')}`, 'Leave it out for a cosine.');
  // A warm-up longer than the run is allowed: the beginning of a recipe, tried for a few updates.
  if (!Number.isInteger(warmup) || warmup < 0)
    throw badSetting('warmup', warmup, 'a whole number of updates', 'Leave it out to begin at the highest rate.');
  if (finalRate === undefined) return;
  if (!(finalRate >= 0 && finalRate <= 1))
    throw badSetting('finalRate', finalRate, 'a part of the highest rate, 0 to 1', 'Give 0.1 for a tenth of it.');
  if (schedule === 'constant')
    throw badSetting('finalRate', finalRate, "absent for 'constant'", "Leave it out, or take 'linear' or 'cosine'.");
}

/** The refusal of one setting. */
export function badSetting(name: string, value: unknown, allowed: string, hint: string): LimnError {
  return new LimnError('training/setting', `${name} is ${shownValue(value)}; it must be ${allowed}`, {
    details: { setting: name, value, allowed },
    hint,
  });
}
