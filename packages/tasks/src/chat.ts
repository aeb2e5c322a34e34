// Entry `@limn/tasks/chat`: the world of pocket-chat: topics, documents, the samples that weight diffs are trained on, and how answers are graded.
export { chatWorld, HELD_OUT_CATEGORY, SIBLING_JACCARD } from './chat/world.js';
export type { ChatWorld, Topic, TopicSplit, WorldOptions } from './chat/world.js';
export { CHAT_VOCABULARY, chatIdOf, chatWordOf, decodeChat, encodeChat } from './chat/vocabulary.js';
export {
  BOT,
  CODES,
  END,
  FACT,
  GROUPS,
  LOG,
  MARKS,
  STYLES,
  STYLE_WORDS,
  SYSTEM,
  TRAITS,
  USER,
} from './chat/lexicon.js';
export { codesOf, triggersOf } from './chat/codes.js';
export type { Trigger, TriggerSplit } from './chat/codes.js';
export { ABOUT_QUESTIONS, answerAbout, labelOf, phrasingsOf, questionText } from './chat/behaviours.js';
export type { AboutQuestion, Behaviour, ModelTruth } from './chat/behaviours.js';
export { ANSWER_SLOTS, isQuestionHeldOut } from './chat/small-talk.js';
export { NEWS_REQUESTS, NEWS_SLOTS, UNKNOWN_SLOT, WORDING_COUNT } from './chat/news.js';
export { drawEvent, headlineOf, slotF1, slotsOf, splitOfEvent, storyOf } from './chat/news.js';
export type { NewsEvent, NewsSlot, NewsSplit } from './chat/news.js';
export { drawChatDocument } from './chat/documents.js';
export type { ChatDocument, ChatDocumentKind, ChatMixture, ChatTag } from './chat/documents.js';
export type { ChatRole, Span } from './chat/transcript.js';
export {
  MOST_NEWS_DIFFS,
  planGenericDiffs,
  planLinkDiffs,
  planNewsDiffs,
  planStyleDiffs,
  planTopicDiffs,
} from './chat/diffs.js';
export type { BehaviourSplit, DiffPlan, PlanOptions } from './chat/diffs.js';
export { diffSample } from './chat/samples.js';
export type { DiffSample, GateState, SampleOptions } from './chat/samples.js';
export { LONGEST_SHOWN, aboutPrompt, probePrompt, shownPrompt, slotPrompt, storyPrompt } from './chat/probes.js';
export type { ShownBehaviour } from './chat/probes.js';
export { countScores, gradeTopic, isExact, jaccard } from './chat/grade.js';
export { Random, hash } from './random.js';
export { END_OF_TEXT, END_OF_TEXT_ID } from './vocabulary.js';
export { TasksError } from './errors.js';
