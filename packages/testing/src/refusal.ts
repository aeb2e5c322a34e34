// The LimnError that a call throws or a promise rejects with; anything else fails the test.
import { LimnError } from '@limn/gpu';

/**
 * The error that `given` must end in: a promise, or a call, whether it throws at once or its promise rejects. An error without a
 * code is thrown on, and so is one about nothing having been refused.
 */
export async function refusal(given: Promise<unknown> | (() => unknown)): Promise<LimnError> {
  try {
    await (typeof given === 'function' ? given() : given);
  } catch (error) {
    if (error instanceof LimnError) return error;
    throw error;
  }
  throw new Error('a LimnError was expected, but nothing was thrown');
}
