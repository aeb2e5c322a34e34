// Text to ids, refusing words that the vocabulary lacks: a vocabulary of whole words reads them as the end of a text, silently.
import type { ModelTokenizer } from '@limn/gpt2';
import { LimnError } from '@limn/gpu';

/**
 * Ids of `text`, with no BOS in front. `where` opens the error, e.g. `--prompt`.
 * @throws LimnError `tokenizer/unknown-text` naming the words.
 */
export function encodeKnown(
  tokenizer: Pick<ModelTokenizer, 'encode' | 'tokenText' | 'bosId'>,
  text: string,
  where: string,
): readonly number[] {
  const encode = (part: string): readonly number[] => tokenizer.encode(part, { prependBos: false }).ids;
  const ids = encode(text);
  const { bosId } = tokenizer;
  if (bosId === undefined) return ids;
  const mark = tokenizer.tokenText(bosId);
  const parts = text.split(mark);
  if (ids.filter((id) => id === bosId).length < parts.length) return ids;
  const words = parts.flatMap((part) => part.split(/\s+/)).filter((word) => encode(word).includes(bosId));
  throw new LimnError(
    'tokenizer/unknown-text',
    `${where}: this model's vocabulary has no token for ${words.map((word) => JSON.stringify(word)).join(', ')}`,
    {
      details: { text, words },
      hint: `such words would be read as ${mark}; use words that the model knows, or give token ids`,
    },
  );
}
