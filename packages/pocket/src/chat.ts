// Entry `@limn/pocket/chat`: pocket-chat, the base model that weight diffs are trained from: its corpus, recipe, model card figures and weights.
export { CHAT_RECIPE, chatCorpus, chatModelFiles } from './chat-recipe.js';
export { chatFigures, chatRequirements } from './chat-figures.js';
export type { ChatFigures, ChatFigureOptions } from './chat-figures.js';
export { chatModelFolder, ditAdapterFolder, ditDiffsFolder } from './model-folder.js';
export { Corpus } from './corpus.js';
export type { CorpusOptions, TaggedDocument, TaggedSequence } from './corpus.js';
export type { Recipe } from './recipe.js';
