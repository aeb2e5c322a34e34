// pocket: a small GPT-2 that has learnt six behaviours; its corpus, recipe, tokenizer, model card figures and weights. pocket-chat is in ./chat.
export { Corpus, pocketCorpus } from './corpus.js';
export type { CorpusOptions, EndTag, PlacedDocument, TaggedDocument, TaggedSequence } from './corpus.js';
export { RECIPE, tokensOf } from './recipe.js';
export type { OptimizerGroup, PocketConfig, Recipe } from './recipe.js';
export { configJson, modelFiles, tokenizerConfigJson, tokenizerJson } from './tokenizer.js';
export type { WordLevel } from './tokenizer.js';
export { chatModelFolder, modelFolder, transcodersFolder } from './model-folder.js';
export { ablationFigures, ablationSequences, figurePrompts, pocketFigures, requirements } from './figures.js';
export type {
  AblationFigures,
  ConflictFigures,
  CorpusLoss,
  FigureOptions,
  LogitsAfter,
  PocketFigures,
  Requirement,
  Share,
  Site,
} from './figures.js';
