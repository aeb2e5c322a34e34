// Text to ids, with errors that say where the text stands: an option, or a pairs file.
import type { EncodeOptions, ModelTokenizer } from '@limn/gpt2';
import { LimnError } from '@limn/gpu';

/**
 * Ids of `text`. `where` opens the error, e.g. `--prompt`.
 * @throws LimnError `tokenizer/unknown-text` naming the words that the vocabulary lacks; `tokenizer/no-bos`.
 */
export function encodeAt(
  where: string,
  tokenizer: Pick<ModelTokenizer, 'encode'>,
  text: string,
  options: EncodeOptions,
): readonly number[] {
  try {
    return tokenizer.encode(text, options).ids;
  } catch (cause) {
    if (!(cause instanceof LimnError)) throw cause;
    const { code, message, details, hint } = cause;
    throw new LimnError(code, `${where}: ${message}`, { details, ...(hint === undefined ? {} : { hint }), cause });
  }
}
