// pocket: a small GPT-2 that has learnt six behaviours; its corpus, recipe, tokenizer, model card figures and weights.
export { Corpus, pocketCorpus } from './corpus.js';
export type { CorpusOptions, PlacedDocument, TaggedSequence } from './corpus.js';
export { RECIPE, tokensOf } from './recipe.js';
export type { OptimizerGroup, PocketConfig, Recipe } from './recipe.js';
export { configJson, modelFiles, tokenizerConfigJson, tokenizerJson } from './tokenizer.js';
export { modelFolder, transcodersFolder } from './model-folder.js';
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
