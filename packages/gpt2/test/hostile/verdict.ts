// What limn makes of a file: a code, or `accepted` with a digest of everything it read, so that two readers can be compared in full.
import { createHash } from 'node:crypto';
import { LimnError } from '@limn/gpu';
import { memoryFiles } from '../../src/files.js';
import { readSafetensorsHeader } from '../../src/safetensors.js';

/**
 * The code of the refusal, or 'accepted' and the first 8 hex digits of the sha256 of the sorted lines
 * `name-in-hex dtype shape data-in-hex`, one per tensor.
 */
export async function verdictOf(bytes: Uint8Array): Promise<string> {
  const files = memoryFiles({ file: bytes });
  let header;
  try {
    header = await readSafetensorsHeader(files, 'file');
  } catch (error) {
    if (error instanceof LimnError) return error.code;
    throw error;
  }
  const lines: string[] = [];
  for (const { name, dtype, shape, begin, end } of header.tensors.values()) {
    const data = Buffer.from(await files.read('file', begin, end)).toString('hex');
    lines.push(`${Buffer.from(name).toString('hex')} ${dtype} ${shape.join(',')} ${data}`);
  }
  return `accepted ${createHash('sha256').update(lines.sort().join('\n')).digest('hex').slice(0, 8)}`;
}

/** Whether a verdict accepts. */
export const accepts = (verdict: string): boolean => verdict.startsWith('accepted ');
