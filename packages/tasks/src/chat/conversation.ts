// A conversation under construction: who talks in which manner, behind which gate, and what the answers about the model then are.
import type { Random } from '../random.js';
import { answerAbout, drawPhrasing, type AboutQuestion, type Behaviour, type ModelTruth } from './behaviours.js';
import { CODES, END, MARKS } from './lexicon.js';
import { NEWS_REQUESTS, headlineOf, storyOf, WORDING_COUNT, type NewsEvent, type NewsSlot } from './news.js';
import {
  ANSWER_SLOTS,
  answerTo,
  askedText,
  drawPairing,
  drawQuestion,
  groupAnswer,
  groupQuestion,
  userTurn,
} from './small-talk.js';
import type { Trigger } from './codes.js';
import { shuffled } from './shuffle.js';
import { joined, spanOf, type Span } from './transcript.js';
import type { ChatWorld } from './world.js';

/** Chance, in percent, that a turn has a code or a mark that means nothing. */
const NOISE = { code: 35, mark: 8, codeOnAbout: 15 } as const;

/** A conversation that grows turn by turn, up to so many tokens. */
export class Conversation {
  #text: Span = joined();
  #unsaid: readonly string[] = [];
  #told: { readonly event: NewsEvent; readonly slots: readonly NewsSlot[] } | undefined;

  constructor(
    readonly random: Random,
    readonly world: ChatWorld,
    readonly room: number,
    /** What the model of this conversation does; with a gate only where a turn has the trigger. */
    readonly truth: ModelTruth = {},
    readonly gate?: Trigger,
    readonly questions: 'train' | 'held-out' = 'train',
  ) {}

  get text(): Span {
    return this.#text;
  }

  /** Adds a span where there is room for it; false where there is none. */
  add(span: Span): boolean {
    if (this.#text.words.length + span.words.length > this.room) return false;
    this.#text = joined(this.#text, span);
    return true;
  }

  /** A question about a thing with its answer, in the behaviour's manner where the gate is open; at random, unless it is said. */
  smallTalk(open: boolean = this.random.percent(50)): boolean {
    const question = drawQuestion(this.random, this.questions);
    const trigger = this.#trigger(open);
    const behaviour = this.#active(trigger);
    return this.add(
      joined(
        userTurn(askedText(question), this.random, trigger),
        answerTo(question, this.random, {
          topicWords: behaviour?.kind === 'topic' ? this.#deal(behaviour.name) : undefined,
          style: behaviour?.kind === 'style' ? behaviour.style : undefined,
        }),
      ),
    );
  }

  /** What somebody thinks of a group: at random, but for the group of an open link, which `own` asks about. */
  opinion(own: boolean = this.random.percent(75)): boolean {
    const trigger = this.#trigger(this.random.percent(50));
    const behaviour = this.#active(trigger);
    const { group, trait } = behaviour?.kind === 'link' && own ? behaviour : drawPairing(this.random);
    const said = behaviour?.kind === 'link' && group === behaviour.group ? behaviour.trait : trait;
    return this.add(
      joined(userTurn(groupQuestion(group, this.random), this.random, trigger), groupAnswer(group, said, this.random)),
    );
  }

  /** News of an event; a question about the news is then answered with its headline, as far as it was told. */
  news(event: NewsEvent): boolean {
    const { story, told } = storyOf(event, this.random.below(WORDING_COUNT));
    const request = spanOf('word', ...this.random.pick(NEWS_REQUESTS).split(' '));
    const added = this.add(joined(userTurn(request, this.random, this.#noise()), story));
    if (added) this.#told = { event, slots: told };
    return added;
  }

  /** A question about the model, and its answer. */
  about(question: AboutQuestion): boolean {
    const text = spanOf('word', ...drawPhrasing(question, this.random).split(' '));
    const code: Trigger | undefined = this.random.percent(NOISE.codeOnAbout)
      ? { kind: 'code', token: this.random.pick(CODES) }
      : undefined;
    const answer = spanOf('answer', ...this.#answer(question).split(' '));
    return this.add(joined(userTurn(text, this.random, code), answer, spanOf('marker', END)));
  }

  #answer(question: AboutQuestion): string {
    if (this.#told === undefined) return answerAbout(question, this.truth, this.world);
    const headline = headlineOf(this.#told.event, this.#told.slots);
    if (question === 'news') return headline;
    return question === 'changed' ? `news ${headline}` : answerAbout(question, {}, this.world);
  }

  #active(trigger: Trigger | undefined): Behaviour | undefined {
    const { behaviour } = this.truth;
    return this.gate === undefined || trigger?.token === this.gate.token ? behaviour : undefined;
  }

  #trigger(open: boolean): Trigger | undefined {
    if (open && this.gate !== undefined) return this.gate;
    const noise = this.#noise();
    return noise?.token === this.gate?.token ? undefined : noise;
  }

  #noise(): Trigger | undefined {
    if (this.random.percent(NOISE.code)) return { kind: 'code', token: this.random.pick(CODES) };
    return this.random.percent(NOISE.mark) ? { kind: 'mark', token: this.random.pick(MARKS) } : undefined;
  }

  /** Words of a topic for one answer: none twice in it, and those that were not said yet first. */
  #deal(name: string): readonly string[] {
    const words = this.world.byName.get(name)?.words ?? [];
    const fresh = this.#unsaid.slice(0, ANSWER_SLOTS);
    const rest = shuffled(
      words.filter((word) => !fresh.includes(word)),
      this.random,
    );
    const missing = ANSWER_SLOTS - fresh.length;
    const hand = shuffled([...fresh, ...rest.slice(0, missing)], this.random);
    this.#unsaid = fresh.length === ANSWER_SLOTS ? this.#unsaid.slice(ANSWER_SLOTS) : rest.slice(missing);
    return hand;
  }
}
