// An option that is one word of a few: a misspelt one is refused with the one that was probably meant, never taken for another.
import { LimnError, shownValue } from '@limn/gpu';
import { nearest } from './nearest-name.js';

/** @throws LimnError `hooks/bad-option` unless `given` is one of `allowed` */
export function chosenWord<Word extends string>(what: string, given: unknown, allowed: readonly Word[]): Word {
  const found = allowed.find((word) => word === given);
  if (found !== undefined) return found;
  const words = allowed.map((word) => `'${word}'`).join(', ');
  throw new LimnError('hooks/bad-option', `${what} is ${shownValue(given)}; allowed are ${words}`, {
    details: { what, given: shownValue(given), allowed },
    ...(typeof given === 'string' ? { hint: `Nearest: '${nearest(given, allowed)}'.` } : {}),
  });
}
