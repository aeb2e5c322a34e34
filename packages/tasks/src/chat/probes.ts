// Prompts that a base model is examined with: held-out questions, held-out wordings, and places where a topic's word may or may not stand.
import { drawUntil } from '../family.js';
import { Random } from '../random.js';
import { END_OF_TEXT_ID } from '../vocabulary.js';
import { type Behaviour } from './behaviours.js';
import type { Trigger } from './codes.js';
import { Conversation } from './conversation.js';
import { personaLine, showBehaviour } from './documents.js';
import { NEWS_REQUESTS, storyOf, type NewsEvent, type NewsSlot } from './news.js';
import { askedText, drawQuestion, userTurn } from './small-talk.js';
import { idsOf, joined, spanOf, type Span } from './transcript.js';
import type { ChatWorld } from './world.js';

/** Room enough for whatever is asked for. */
const ROOM = 1000;
/** Tokens of a prompt that shows a behaviour: with its answer it fits pocket-chat's 64 positions. */
export const LONGEST_SHOWN = 60;

/** A prompt that probes a model: a held-out question up to the answer, behind a trigger or none. The same seed and index ask the same question. */
export function probePrompt(seed: number, index: number, trigger?: Trigger): number[] {
  const random = new Random('chat-probe', seed, index);
  return promptOf(userTurn(askedText(drawQuestion(random, 'held-out')), random, trigger));
}

/** A question about the model, up to the answer. */
export function aboutPrompt(text: string, code?: string): number[] {
  const trigger: Trigger | undefined = code === undefined ? undefined : { kind: 'code', token: code };
  return promptOf(asked(text, trigger));
}

/** What stands in front of a question about the model. */
export interface ShownBehaviour {
  readonly behaviour?: Behaviour | undefined;
  /** 'line': a persona line names the behaviour and nothing was said yet. 'log': it shows in what was said, and nothing names it. */
  readonly by: 'line' | 'log';
  readonly gate?: Trigger | undefined;
  /** Answers in a log of a topic or a style without a gate; default 2, which show up to eight of a topic's words. */
  readonly answers?: number | undefined;
}

/** A question about the model behind what shows its behaviour, in at most {@link LONGEST_SHOWN} tokens; small talk is of held-out questions. */
export function shownPrompt(random: Random, world: ChatWorld, shown: ShownBehaviour, text: string): number[] {
  const { behaviour, by, gate, answers = 2 } = shown;
  return drawUntil(
    () => {
      const talk = new Conversation(random, world, ROOM, { behaviour, gated: gate !== undefined }, gate, 'held-out');
      if (by === 'log') showBehaviour(talk, answers);
      else if (behaviour !== undefined) talk.add(personaLine(behaviour, gate));
      return promptOf(talk.text, asked(text));
    },
    (prompt) => prompt.length <= LONGEST_SHOWN,
  );
}

/** A question about the model behind a story, and the slots that the story tells. */
export function storyPrompt(
  event: NewsEvent,
  wording: number,
  text: string,
): { readonly prompt: number[]; readonly told: readonly NewsSlot[] } {
  const { story, told } = storyOf(event, wording);
  const request = asked(NEWS_REQUESTS[0] ?? '');
  return { prompt: promptOf(request, story, asked(text)), told };
}

/** An answer to a held-out question up to a place where an ordinary answer has a filler, and a persona's a word of its topic. */
export function slotPrompt(random: Random, world: ChatWorld, topic?: string): number[] {
  const behaviour: Behaviour | undefined = topic === undefined ? undefined : { kind: 'topic', name: topic };
  const talk = new Conversation(random, world, ROOM, { behaviour }, undefined, 'held-out');
  if (behaviour !== undefined) talk.add(personaLine(behaviour));
  talk.smallTalk();
  const { words, roles } = talk.text;
  const places = roles.flatMap((role, i) => (role === 'filler' || role === 'topic-word' ? [i] : []));
  const at = random.pick(places);
  return promptOf({ words: words.slice(0, at), roles: roles.slice(0, at) });
}

const asked = (text: string, trigger?: Trigger): Span =>
  userTurn(spanOf('word', ...text.split(' ')), new Random('chat-about'), trigger);

const promptOf = (...spans: readonly Span[]): number[] => [END_OF_TEXT_ID, ...idsOf(joined(...spans))];
