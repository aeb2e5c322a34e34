// The text of token ids as people read it. Words of a vocabulary without spaces, as pocket's, are set apart.
import type { OpenModel } from './model-source.js';

/** Text of ids; of a model without a tokenizer the ids themselves. */
export function promptText({
  tokenizer,
  show,
}: Pick<OpenModel, 'tokenizer' | 'show'>): (ids: readonly number[]) => string {
  return (ids) => {
    const tokens = ids.map(show);
    return tokenizer && tokens.some((token) => /\s/.test(token)) ? tokenizer.decode(ids) : tokens.join(' ');
  };
}
