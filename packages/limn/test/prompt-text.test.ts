// Text as people read it: by the tokenizer where tokens carry their spaces, else word by word.
import { expect, test } from 'vitest';
import type { OpenModel } from '../src/model-source.js';
import { promptText } from '../src/prompt-text.js';

const named = (tokens: readonly string[]): Pick<OpenModel, 'tokenizer' | 'show'> => ({
  tokenizer: { decode: (ids: readonly number[]) => ids.map((id) => tokens[id]).join('') } as NonNullable<
    OpenModel['tokenizer']
  >,
  show: (id) => tokens[id] as string,
});

test('words are set apart where the vocabulary has no spaces, and not twice where it has', () => {
  expect(promptText(named(['the', 'capital', 'of']))([0, 1, 2])).toBe('the capital of');
  expect(promptText(named(['The', ' capit', 'al']))([0, 1, 2])).toBe('The capital');
  expect(promptText({ show: String })([7, 30])).toBe('7 30');
});
