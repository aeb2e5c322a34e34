// What figures are made of, checked before any is: finite numbers, as many of one list as of the other.
import { LimnError } from '@limn/gpu';

/**
 * Refuses values that no figure can be made of.
 * @throws LimnError `data/evaluation`
 */
export function refuseValues(what: string, given: unknown, allowed: string): LimnError {
  return new LimnError('data/evaluation', `${what}: ${String(given)}; allowed: ${allowed}.`, {
    details: { what, given: String(given), allowed },
    hint: 'A figure over values that are none would say nothing: leave out what was not measured, and say how many that were.',
  });
}

/**
 * The list itself, if it has values and all are finite.
 * @throws LimnError `data/evaluation`
 */
export function finiteValues(what: string, values: ArrayLike<number>): ArrayLike<number> {
  if (values.length === 0) throw refuseValues(what, 'none', 'one at least');
  for (let i = 0; i < values.length; i++)
    if (!Number.isFinite(values[i])) throw refuseValues(`${what}, number ${i}`, values[i], 'finite numbers');
  return values;
}

/**
 * Refuses lists of different lengths.
 * @throws LimnError `data/evaluation`
 */
export function expectAsMany(what: string, given: ArrayLike<unknown>, wanted: number): void {
  if (given.length !== wanted) throw refuseValues(`The length of ${what}`, given.length, `${wanted}`);
}

/**
 * Refuses an option that means nothing.
 * @throws LimnError `usage/evaluation`
 */
export function expectOption(what: string, given: number, allowed: string, holds: boolean): void {
  if (holds) return;
  throw new LimnError('usage/evaluation', `Evaluation: ${what} is ${given}; allowed: ${allowed}.`, {
    details: { what, given, allowed },
  });
}
