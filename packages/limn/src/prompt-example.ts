// One prompt with two answers, from a command line: text by the model's tokenizer, or token ids.
import { LimnError } from '@limn/gpu';
import { parseExample, type ParseExamplesOptions } from '@limn/steering';
import type { OpenModel } from './model-source.js';
import type { PromptOptions } from './prompt-ids.js';
import { tokenListOption } from './shared-options.js';
import { exampleTokenizer, type SourceExample } from './steering-source.js';

/** What the options say. */
export interface PromptExampleOptions extends PromptOptions {
  /** Text; behind --tokens also an id. */
  readonly correct: string;
  readonly wrong: string;
  /** A prompt without the behaviour, written as the prompt is. */
  readonly corrupted?: string | undefined;
}

/**
 * The example, checked before any work.
 * @throws LimnError `data/steering-answer` for answers that are not one token each, `data/steering-prompt`, `data/steering-no-tokenizer`,
 * `data/steering-no-bos`, `data/steering-pairs` for a corrupted prompt of another length, `usage/bad-tokens`, `tokenizer/unknown-text`
 */
export function promptExample(given: PromptExampleOptions, { hooked, tokenizer }: OpenModel): SourceExample {
  const { tokens, prompt = '', corrupted, bos } = given;
  const options: ParseExamplesOptions = {
    model: hooked.info,
    bos,
    file: 'the example',
    ...(tokenizer ? { tokenizer: exampleTokenizer('the example', tokenizer) } : {}),
  };
  const answer = (text: string): string | number => (tokens !== undefined && /^\d+$/.test(text) ? Number(text) : text);
  const answers = { correct: answer(given.correct), wrong: answer(given.wrong) };
  const example = parseExample({ prompt: tokens ?? prompt, ...answers }, options);
  if (corrupted === undefined) return example;
  const other = parseExample(
    { prompt: tokens === undefined ? corrupted : tokenListOption(corrupted), ...answers },
    options,
  );
  if (other.prompt.length !== example.prompt.length)
    throw new LimnError(
      'data/steering-pairs',
      `--corrupted has ${other.prompt.length} tokens and the prompt ${example.prompt.length}.`,
      {
        details: { corrupted: other.prompt.length, prompt: example.prompt.length },
        hint: 'Activations are patched token by token: give a prompt of as many tokens, such as the same one about something else.',
      },
    );
  return { ...example, corrupted: other.prompt };
}
