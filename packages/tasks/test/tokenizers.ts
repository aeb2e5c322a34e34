// Tokenizers for text tasks: a small one that any checkout has, and GPT-2's own where the shared folder is at hand.
import { existsSync } from 'node:fs';
import path from 'node:path';
import { ModelTokenizer } from '@limn/gpt2';
import { openFolder } from '@limn/gpt2/node';
import type { Encode } from '@limn/tasks/text';

/** Words with their leading space and numbers two digits at a time, ids in the order of appearance; ' Peter' is in two pieces. */
export function smallTokenizer(): Encode {
  const ids = new Map<string, number>();
  return (text) =>
    [...text.replaceAll(' Peter', ' Pe|ter').matchAll(/[ |]?\p{L}+| ?\d{2}| ?[^\s|]/gu)].map(([piece]) => {
      const id = ids.get(piece) ?? ids.size;
      ids.set(piece, id);
      return id;
    });
}

const folder = path.resolve(import.meta.dirname, '../../../../shared/gpt2-tokenizer');
/** Whether GPT-2's vocabulary is at hand; tests on it are skipped with the reason where it is not. */
export const GPT2_TOKENIZER = existsSync(folder);
/** Why a test on GPT-2's vocabulary does not run. */
export const NO_GPT2_TOKENIZER = 'shared/gpt2-tokenizer is not there';

/** GPT-2's tokenizer. */
export async function gpt2Tokenizer(): Promise<Encode> {
  const tokenizer = await ModelTokenizer.open(openFolder(folder), undefined);
  if (tokenizer === undefined) throw new Error(`${folder} holds no tokenizer`);
  return (text) => tokenizer.encode(text, { prependBos: false }).ids;
}
