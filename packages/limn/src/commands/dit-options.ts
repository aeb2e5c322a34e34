// The options that the commands of `limn dit` share: the model, the adapter, the diffs and what they are asked.
import type { Command } from 'commander';
import { integerOption, withSharedOptions, type SharedOptions } from '../shared-options.js';
import { withWeightOptions, type WeightOptions } from '../weight-options.js';

/** Of every command. */
export interface DitOptions extends SharedOptions, WeightOptions {
  /** The model that diffs and adapters are changes of. */
  readonly base: string;
}

/** Of commands that ask. */
export interface DitAskOptions extends DitOptions {
  readonly question: readonly string[];
  readonly template?: string;
  readonly top: number;
  readonly maxNewTokens: number;
}

/** Collects the values of an option that may be given several times. */
export const repeated = (text: string, before: readonly string[]): readonly string[] => [...before, text];

export function withBase(command: Command): Command {
  return withWeightOptions(withSharedOptions(command)).requiredOption(
    '--base <name>',
    'the model that diffs and adapters are changes of: pocket-chat, a Hugging Face folder, or an id of the hub',
  );
}

/** @param most candidates and tokens that are told by default */
export function withQuestions(command: Command, most = 5): Command {
  return command
    .option(
      '--question <text>',
      "a question by its name, such as topic, or in any words; may be given several times (default: 'changed' where the adapter was trained on it, else its first)",
      repeated,
      [],
    )
    .option(
      '--template <text>',
      'text around questions in other words, which stand where {question} is (default: that of the adapter)',
    )
    .option('--top <n>', 'answers and tokens that are told', integerOption('--top', 1), most)
    .option('--max-new-tokens <n>', 'most tokens of an answer', integerOption('--max-new-tokens', 1), 12);
}

/** Names separated by commas, each once. */
export function nameListOption<Name extends string>(
  parse: (text: string) => Name,
): (text: string, before?: readonly Name[]) => readonly Name[] {
  return (text, before = []) => [
    ...new Set([
      ...before,
      ...text
        .split(',')
        .map((part) => part.trim())
        .filter((part) => part !== '')
        .map(parse),
    ]),
  ];
}
