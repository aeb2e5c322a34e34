// A sound tokenizer.json to damage, and opening what was made of it.
import { memoryFiles } from '../../src/files.js';
import { ModelTokenizer } from '../../src/tokenizer.js';
import { definitions } from './damage.js';

/** A tokenizer.json, as tests change it. */
export interface Definition {
  [field: string]: unknown;
  added_tokens: Record<string, unknown>[];
  model: Record<string, unknown> & { vocab: Record<string, unknown>; merges: unknown };
}

/** GPT-2's kind, with every byte and five merges. */
export const sound = (): Definition => JSON.parse(JSON.stringify(definitions[0])) as Definition;

/** The tokenizer of a folder in memory that holds this definition alone. */
export const openJson = (definition: object, vocabulary?: number): Promise<ModelTokenizer | undefined> =>
  ModelTokenizer.open(memoryFiles({ 'tokenizer.json': JSON.stringify(definition) }), undefined, vocabulary);
