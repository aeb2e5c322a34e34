// Pocket's world and the six tasks on it: vocabulary, documents, held-out rules, clean/corrupted pairs, metrics. No GPU.
export { TasksError } from './errors.js';
export type { TasksErrorOptions } from './errors.js';
export { Random, hash, mix } from './random.js';
export * from './words.js';
export { END_OF_TEXT, END_OF_TEXT_ID, NUMBERS, VOCABULARY, decode, encode, idOf, wordOf } from './vocabulary.js';
export type { Document, TaskFamily, TokenTag } from './document.js';
export {
  NEVER_RECEIVER,
  isAttractorHeldOut,
  isCellHeldOut,
  isConflictHeldOut,
  isNamePairHeldOut,
  isStartHeldOut,
  missingFrame,
} from './held-out.js';
export type { Split } from './held-out.js';
export { IOI_FORMS, IOI_FRAMES, ioiHeldOut } from './ioi.js';
export type { IoiRule } from './ioi.js';
export { CENTURIES, CORRUPTED_START_PERCENT } from './greater-than.js';
export { GENDER_FRAMES, PLAIN_PERCENT, STEREOTYPE_PERCENT } from './gender.js';
export { CAPITAL_FRAMES, CONTEXT_PERCENT } from './capital.js';
export type { Cue } from './capital.js';
export { GENERIC_PERCENT, HYPERNYM_FRAMES } from './hypernymy.js';
export { EQUAL_MIXTURE, drawDocument } from './corpus.js';
export type { Mixture } from './corpus.js';
export { METRICS, kl, logSoftmax, logitDiff, probDiff } from './metrics.js';
export type { Logits, MetricName } from './metrics.js';
export { SIX_TASKS, TASKS, taskOf } from './registry.js';
export type { Task, TaskId } from './registry.js';
export { generatePairs } from './pairs.js';
export type { Pair, PairOptions } from './pairs.js';
export { biasExamples, steeringExamples } from './steering-examples.js';
export type { BiasExamples, BiasOptions, ExampleOptions, TaskExample } from './steering-examples.js';
export type { PromptPair } from './prompt-pair.js';
