// The LimnError that a promise rejects with; anything else fails the test.
import { LimnError } from '@limn/gpu';

export async function rejection(promise: Promise<unknown>): Promise<LimnError> {
  try {
    await promise;
  } catch (error) {
    if (error instanceof LimnError) return error;
    throw error;
  }
  throw new Error('expected a LimnError, but nothing was thrown');
}

export function thrown(act: () => unknown): LimnError {
  try {
    act();
  } catch (error) {
    if (error instanceof LimnError) return error;
    throw error;
  }
  throw new Error('expected a LimnError, but nothing was thrown');
}
