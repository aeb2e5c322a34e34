// Entry `@limn/tasks/text`: the tasks of the EAP-IG paper as English text, for any tokenizer given as a function.
export { TEXT_TASKS, countTextPairs, generateTextPairs, textTaskOf } from './text/text-tasks.js';
export type { TextPair, TextPairOptions, TextTask, TextTaskId } from './text/text-tasks.js';
export { CONFLICT_PREFIXES, textBiasExamples, textExample, textSteeringExamples } from './text/steering-text.js';
export type {
  GivenExample,
  TextBiasExamples,
  TextBiasOptions,
  TextExample,
  TextExampleOptions,
} from './text/steering-text.js';
export { agreementVerbs } from './text/agreement-text.js';
export { corruptPrompts } from './text/auto-corruption.js';
export type { CorruptedPrompt, CorruptionOptions, CorruptionTemplate, Slots } from './text/auto-corruption.js';
export type { PromptPair, SpelledPair } from './prompt-pair.js';
export type { Encode } from './text/tokens.js';
export type { TextSplit } from './text/source.js';
export { TasksError } from './errors.js';
