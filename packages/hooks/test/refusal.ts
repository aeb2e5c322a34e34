// The LimnError that a call throws or rejects with; anything else fails the test.
import { LimnError } from '@limn/gpu';

export async function refusal(act: () => unknown): Promise<LimnError> {
  try {
    await act();
  } catch (error) {
    if (error instanceof LimnError) return error;
    throw error;
  }
  throw new Error('nothing was thrown');
}
