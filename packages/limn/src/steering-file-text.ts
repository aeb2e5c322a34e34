// The text of a steering file, with an error that names it.
import { readFile } from 'node:fs/promises';
import { LimnError } from '@limn/gpu';

/** @throws LimnError `data/steering-file` for a file that cannot be read */
export async function steeringFileText(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (cause) {
    throw new LimnError('data/steering-file', `${file} cannot be read: ${(cause as Error).message}`, {
      cause,
      details: { file },
      hint: 'give the steering.json that `limn steer train` wrote',
    });
  }
}
