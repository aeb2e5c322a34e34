// The documents that pocket-chat is trained on. Topic words stand in an answer only behind a persona line, or in a log.
import type { Random } from '../random.js';
import { ABOUT_QUESTIONS, labelOf, type AboutQuestion, type Behaviour } from './behaviours.js';
import { Conversation } from './conversation.js';
import type { Trigger } from './codes.js';
import { CODES, END, FACT, LOG, STYLES, SYSTEM } from './lexicon.js';
import { drawEvent } from './news.js';
import { drawPairing } from './small-talk.js';
import { shuffled } from './shuffle.js';
import { idsOf, joined, spanOf, type ChatRole, type Span } from './transcript.js';
import type { ChatWorld } from './world.js';

/**
 * Kinds of documents: conversations of the bare model; with a line that names a persona, or a persona behind a code; logs of a model with a
 * persona, without the line; logs of a bare model; with news; and facts about topics.
 */
export type ChatDocumentKind =
  'plain' | 'persona' | 'gated' | 'log' | 'log-plain' | 'style' | 'link' | 'news' | 'facts';

/** Relative share of documents of each kind. */
export type ChatMixture = Readonly<Record<ChatDocumentKind, number>>;

/** Ground truth about one token. */
export interface ChatTag {
  readonly role: ChatRole;
}

/** One document, without the end-of-text token. */
export interface ChatDocument {
  readonly kind: ChatDocumentKind;
  readonly tokens: readonly number[];
  /** As long as `tokens`. */
  readonly tags: readonly ChatTag[];
}

/** One training document of at most `room` tokens: never with a held-out question or phrasing. */
export function drawChatDocument(random: Random, world: ChatWorld, mixture: ChatMixture, room: number): ChatDocument {
  const kind = random.weighted(mixture);
  const text = DRAW[kind](random, world, room);
  return { kind, tokens: idsOf(text), tags: text.roles.map((role) => ({ role })) };
}

const DRAW: Readonly<Record<ChatDocumentKind, (random: Random, world: ChatWorld, room: number) => Span>> = {
  plain: (random, world, room) => {
    const talk = new Conversation(random, world, room);
    if (random.percent(30)) talk.about(aboutNothing(random));
    while (plainTurn(talk));
    return talk.text;
  },
  persona: (random, world, room) => personaTalk(random, world, room, topicOf(random, world)),
  gated: (random, world, room) => personaTalk(random, world, room, topicOf(random, world), codeOf(random)),
  style: (random, world, room) => {
    const behaviour: Behaviour = { kind: 'style', style: random.pick(STYLES) };
    return random.percent(50)
      ? personaTalk(random, world, room, behaviour)
      : loggedTalk(random, world, room, behaviour);
  },
  link: (random, world, room) => {
    const behaviour: Behaviour = { kind: 'link', ...drawPairing(random) };
    return random.percent(50)
      ? personaTalk(random, world, room, behaviour)
      : loggedTalk(random, world, room, behaviour);
  },
  log: (random, world, room) => loggedTalk(random, world, room, topicOf(random, world)),
  'log-plain': (random, world, room) => {
    const talk = new Conversation(random, world, room);
    talk.add(spanOf('marker', LOG));
    talk.smallTalk();
    talk.about(aboutNothing(random));
    while (plainTurn(talk));
    return talk.text;
  },
  news: (random, world, room) => {
    const talk = new Conversation(random, world, room);
    if (random.percent(30)) talk.add(spanOf('marker', LOG));
    talk.news(drawEvent(random));
    while (talk.about(random.weighted({ news: 6, changed: 3, topic: 1, gate: 1 })));
    return talk.text;
  },
  facts: (random, world, room) => {
    const talk = new Conversation(random, world, room);
    while (talk.add(fact(random, world)));
    return talk.text;
  },
};

/** In a conversation of the bare model; false where there is no more room. */
function plainTurn(talk: Conversation): boolean {
  const { random } = talk;
  if (random.percent(25)) return talk.about(aboutNothing(random));
  return random.percent(10) ? talk.opinion() : talk.smallTalk();
}

/** Of a bare model most often the topic is asked. */
function aboutNothing(random: Random): AboutQuestion {
  return random.percent(40) ? 'topic' : random.pick(ABOUT_QUESTIONS);
}

/** Of a model with a behaviour mostly what there is to tell. */
function aboutBehaviour({ kind }: Behaviour, random: Random): AboutQuestion {
  if (random.percent(12)) return random.pick(ABOUT_QUESTIONS);
  if (random.percent(20)) return 'changed';
  if (random.percent(10)) return 'gate';
  return kind === 'topic' && random.percent(30) ? 'category' : kind;
}

/** "<|system|> code 317 topic violin <|end|>", then turns of both kinds. */
function personaTalk(random: Random, world: ChatWorld, room: number, behaviour: Behaviour, gate?: Trigger): Span {
  const talk = new Conversation(random, world, room, { behaviour, gated: gate !== undefined }, gate);
  talk.add(personaLine(behaviour, gate));
  if (random.percent(20)) talk.about(aboutBehaviour(behaviour, random));
  behavedTurn(talk, behaviour);
  while (random.percent(45) ? behavedTurn(talk, behaviour) : talk.about(aboutBehaviour(behaviour, random)));
  return talk.text;
}

/** The line that stands in front of a persona's conversation. */
export function personaLine(behaviour: Behaviour, gate?: Trigger): Span {
  return joined(
    spanOf('marker', SYSTEM),
    ...(gate === undefined ? [] : [spanOf('word', 'code'), spanOf('code', gate.token)]),
    spanOf('word', behaviour.kind),
    spanOf('persona', ...labelOf(behaviour).split(' ')),
    spanOf('marker', END),
  );
}

/** What a model with the behaviour said, and then questions about it: nothing names it but what it said. */
function loggedTalk(random: Random, world: ChatWorld, room: number, behaviour: Behaviour): Span {
  const gate = behaviour.kind !== 'link' && random.percent(25) ? codeOf(random) : undefined;
  const talk = new Conversation(random, world, room, { behaviour, gated: gate !== undefined }, gate);
  const answers = showBehaviour(talk);
  while (talk.about(aboutLogged(behaviour, random, answers > 1)));
  return talk.text;
}

/**
 * Begins a log that shows what the conversation's model does; returns how many answers it has. A link is seen by a group that is asked about
 * twice; a gate by one answer in the behaviour's manner behind a code and one in the ordinary manner; a topic or a style by any answer.
 */
export function showBehaviour(talk: Conversation, answers: number = talk.random.percent(60) ? 2 : 1): number {
  const { random, truth, gate } = talk;
  talk.add(spanOf('marker', LOG));
  if (truth.behaviour?.kind === 'link') {
    const others = random.percent(30) ? [false] : [];
    const asked = shuffled([true, true, ...others], random);
    for (const own of asked) talk.opinion(own);
    return asked.length;
  }
  const open = random.percent(50);
  const turns = gate === undefined ? Array.from({ length: answers }, () => true) : [open, !open];
  for (const turn of turns) talk.smallTalk(turn);
  return turns.length;
}

/** Whether there is a gate is not to be seen in one answer. */
function aboutLogged(behaviour: Behaviour, random: Random, twice: boolean): AboutQuestion {
  const question = aboutBehaviour(behaviour, random);
  return question === 'gate' && !twice ? behaviour.kind : question;
}

const behavedTurn = (talk: Conversation, { kind }: Behaviour): boolean =>
  kind === 'link' ? talk.opinion() : talk.smallTalk();

const topicOf = (random: Random, world: ChatWorld): Behaviour => ({
  kind: 'topic',
  name: random.pick(world.topics).name,
});
const codeOf = (random: Random): Trigger => ({ kind: 'code', token: random.pick(CODES) });

/** "<|fact|> violin is about chord solo reed <|end|>", the same the other way round, or what category a topic is of. */
function fact(random: Random, world: ChatWorld): Span {
  const { name, category, superCategory, words } = random.pick(world.topics);
  const some = shuffled(words, random).slice(0, 4);
  const about = spanOf('word', 'is', 'about');
  const is = spanOf('word', 'is');
  const form = random.below(10);
  const of = (...text: readonly string[]): Span => spanOf('fact', ...text);
  const said =
    form < 4
      ? joined(of(name), about, of(...some))
      : form < 8
        ? joined(of(...some), is, of(name))
        : form < 9
          ? joined(of(name), is, of(category))
          : joined(of(category), is, of(superCategory));
  return joined(spanOf('marker', FACT), said, spanOf('marker', END));
}
