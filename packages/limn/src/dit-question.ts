// What an adapter is asked, in tokens, and which answers there are: the questions of the chat world, or any text.
import { LimnError } from '@limn/gpu';
import {
  aboutPrompt,
  ABOUT_QUESTIONS,
  chatIdOf,
  GROUPS,
  questionText,
  STYLES,
  type AboutQuestion,
  type ChatWorld,
} from '@limn/tasks/chat';
import { encodeAt } from './known-text.js';
import type { OpenModel } from './model-source.js';

/** An answer that there is, by its first token. */
export interface DitCandidate {
  readonly text: string;
  readonly id: number;
}

/** One question. */
export interface DitQuestion {
  /** 'topic', or the text itself. */
  readonly name: string;
  readonly text: string;
  /** Token ids up to the answer. */
  readonly prompt: readonly number[];
  /** The answer that says that there is nothing to tell; null where none does. */
  readonly none: string | null;
  /** Answers that ranks are counted among: those that differ in their first token, `none` among them. */
  readonly candidates: readonly DitCandidate[];
}

/** How text becomes a prompt. */
export interface QuestionForm {
  /** Text around a question, which stands where `{question}` is. */
  readonly template: string;
}

/** The turn of a user of the chat world. */
export const CHAT_TEMPLATE = '<|user|> {question} <|bot|>';
/** Where a question stands in a template. */
export const QUESTION_SLOT = '{question}';

/** A question of the chat world in the wording that diffs are asked with. */
export function chatQuestion(name: AboutQuestion, world: ChatWorld): DitQuestion {
  const text = questionText(name);
  const { none, answers } = answersOf(name, world);
  const candidates = [...answers, none].map((answer) => ({ text: answer, id: chatIdOf(answer) }));
  return { name, text, prompt: aboutPrompt(text), none, candidates };
}

/** First words of answers, and the one that says nothing. */
function answersOf(
  name: AboutQuestion,
  world: ChatWorld,
): { readonly none: string; readonly answers: readonly string[] } {
  if (name === 'topic') return { none: 'none', answers: world.topics.map((topic) => topic.name) };
  if (name === 'category') return { none: 'none', answers: world.categories };
  if (name === 'style') return { none: 'none', answers: STYLES };
  if (name === 'gate') return { none: 'no', answers: ['yes'] };
  if (name === 'changed') return { none: 'nothing', answers: ['topic', 'style', 'link', 'news'] };
  // A link begins with its group, a headline with who it is about.
  return { none: 'none', answers: GROUPS };
}

/**
 * The name of a question of the chat world.
 * @throws LimnError `usage/unknown-question`
 */
export const isChatQuestion = (name: string): name is AboutQuestion =>
  (ABOUT_QUESTIONS as readonly string[]).includes(name);

/**
 * The tokens of a question in any words, with one BOS in front where the model has one.
 * @throws LimnError `usage/no-tokenizer`, `usage/dit-template`, `tokenizer/unknown-text`
 */
export function promptOfText(
  text: string,
  { template }: QuestionForm,
  { hooked, tokenizer, name }: OpenModel,
): number[] {
  if (!template.includes(QUESTION_SLOT))
    throw new LimnError(
      'usage/dit-template',
      `--template ${template}: it has no ${QUESTION_SLOT}, where a question stands`,
      {
        details: { template },
        hint: `for example '${CHAT_TEMPLATE}'`,
      },
    );
  if (tokenizer === undefined)
    throw new LimnError('usage/no-tokenizer', `--question: ${name} has no tokenizer`, {
      hint: 'add tokenizer.json to the folder of the model',
    });
  const prependBos = hooked.info.bosId !== undefined;
  return [
    ...encodeAt(
      '--question',
      tokenizer,
      template.replace(QUESTION_SLOT, () => text),
      { prependBos },
    ),
  ];
}
