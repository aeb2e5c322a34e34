// What limn makes of a tokenizer.json: a refusal, or the ids of the sample texts and their text again.
import { createHash } from 'node:crypto';
import { LimnError } from '@limn/gpu';
import { memoryFiles } from '../../src/files.js';
import { ModelTokenizer } from '../../src/tokenizer.js';
import { sampleTexts } from './damage.js';

/** Ids of a text, and what they read. */
export type Reading = readonly [ids: readonly number[], text: string];

/** The refusal, or a reading per sample text; any other error is thrown. */
export async function tokenizerVerdict(bytes: Uint8Array): Promise<LimnError | Reading[]> {
  let tokenizer;
  try {
    tokenizer = (await ModelTokenizer.open(memoryFiles({ 'tokenizer.json': bytes }))) as ModelTokenizer;
  } catch (error) {
    if (error instanceof LimnError) return error;
    throw error;
  }
  return sampleTexts.map((text) => {
    const { ids } = tokenizer.encode(text, { prependBos: false, unknown: 'allow' });
    return [ids, tokenizer.decode(ids)];
  });
}

/** Eight digits of what was read. */
export const digestOf = (readings: readonly (Reading | null)[]): string =>
  createHash('sha256').update(JSON.stringify(readings)).digest('hex').slice(0, 8);

/** Whether the refusal of a file that the reference reads has one of the reasons that docs/reliability.md lists. */
export function isListed({ code, details }: LimnError, bytes: Uint8Array): boolean {
  if (code === 'tokenizer/unsupported') return true;
  // A list in place of an object passes there by accident of its JSON library.
  if (String(details['given']).startsWith('a list') && details['allowed'] === 'an object') return true;
  const { model } = JSON.parse(new TextDecoder().decode(bytes)) as { readonly model: object };
  if (!Object.hasOwn(model, 'type')) return true;
  return /^added_tokens\[|\.type$|\.Regex$|^model\.vocab\[|^model\.unk_token$/.test(String(details['field']));
}
