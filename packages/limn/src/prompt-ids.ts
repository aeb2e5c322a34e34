// The prompt of a command as token ids: --tokens as they are, or --prompt by the model's tokenizer.
import { LimnError } from '@limn/gpu';
import { encodeAt } from './known-text.js';
import type { OpenModel } from './model-source.js';

/** The options that give a prompt. */
export interface PromptOptions {
  readonly tokens?: readonly number[];
  readonly prompt?: string;
  /** Put one BOS in front of text. */
  readonly bos: boolean;
}

/** @throws LimnError `usage/prompt` unless there is exactly one prompt. */
export function expectPrompt({ tokens, prompt }: PromptOptions): void {
  if ((tokens === undefined) !== (prompt === undefined)) return;
  throw new LimnError('usage/prompt', 'give the prompt either with --tokens 1,2,3 or with --prompt TEXT');
}

/** @throws LimnError `usage/no-tokenizer`, `tokenizer/unknown-text`, `tokenizer/no-bos`. */
export function promptIds(
  { tokens, prompt = '', bos }: PromptOptions,
  { tokenizer, name }: OpenModel,
): readonly number[] {
  if (tokens !== undefined) return tokens;
  if (tokenizer !== undefined) return encodeAt('--prompt', tokenizer, prompt, { prependBos: bos });
  throw new LimnError('usage/no-tokenizer', `--prompt: ${name} has no tokenizer`, {
    hint: 'give token ids with --tokens 1,2,3, or add tokenizer.json to the folder',
  });
}

/** For the provenance of a result: whether a BOS was put in front; null for ids, which are taken as they are. */
export function promptBos({ tokens, bos }: PromptOptions): boolean | null {
  return tokens === undefined ? bos : null;
}
