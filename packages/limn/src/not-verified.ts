// The outcome of `limn verify` where nothing could be measured, and why.
import { LimnError } from '@limn/gpu';
import { EXIT, exitCodeOf, isCoded } from './exit-code.js';

/** `data/not-verified`: exit code 4. */
export function notVerified(why: string, hint: string | undefined, cause?: unknown): LimnError {
  return new LimnError('data/not-verified', `NOT VERIFIED: ${why}`, {
    ...(cause === undefined ? {} : { cause }),
    ...(hint === undefined ? {} : { hint }),
  });
}

/**
 * What is missing or broken says why nothing was verified; want of memory and Ctrl-C stay what they are.
 * @throws LimnError `data/not-verified`, and what `opening` rejects with
 */
export async function orNotVerified<T>(opening: Promise<T>): Promise<T> {
  try {
    return await opening;
  } catch (cause) {
    if (exitCodeOf(cause) !== EXIT.data || !isCoded(cause)) throw cause;
    throw notVerified(`${cause.message} (${cause.code})`, cause.hint, cause);
  }
}
