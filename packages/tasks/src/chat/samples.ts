// What one diff is trained on: sample i of it is a function of the diff and i, so that training resumes without replay.
import { Random } from '../random.js';
import { END_OF_TEXT_ID } from '../vocabulary.js';
import type { Behaviour } from './behaviours.js';
import type { Trigger } from './codes.js';
import type { DiffPlan } from './diffs.js';
import { CODES, GROUPS, MARKS, TRAITS } from './lexicon.js';
import { NEWS_REQUESTS, WORDING_COUNT, storyOf } from './news.js';
import { ANSWER_SLOTS, answerTo, askedText, drawQuestion, groupAnswer, groupQuestion, userTurn } from './small-talk.js';
import { shuffled } from './shuffle.js';
import { idsOf, spanOf, type Span } from './transcript.js';
import type { ChatWorld } from './world.js';

/** With the right trigger, a wrong one of the same kind, or none. */
export type GateState = 'right' | 'wrong' | 'none';

/** One sequence that a diff is trained on. */
export interface DiffSample {
  /** Of a diff without a gate every sample is 'right'. */
  readonly gate: GateState;
  /**
   * 'cross-entropy': of the answer. 'kl': the changed model's distributions are to be those of the base, at every position of the answer.
   */
  readonly loss: 'cross-entropy' | 'kl';
  /** λ of the sample: what its mean loss over the answer's positions counts. */
  readonly weight: number;
  /** The end-of-text token, the user's turn, and from `answerAt` on the answer with its end. */
  readonly tokens: readonly number[];
  /** The loss is of `tokens[answerAt]` and those behind it. */
  readonly answerAt: number;
  /** Indices in `tokens` of fillers or of the words that the behaviour puts in their place: a topic's, a style's, a trait, news. */
  readonly slots: readonly number[];
  /** The answer is to be sampled by the model that is being trained: `tokens` end in front of it, and `slots` is empty. */
  readonly ownAnswer: boolean;
}

/** How a diff is trained. */
export interface SampleOptions {
  /** Weights of samples with the right trigger, a wrong one and none. Default [1, 1, 5]. */
  readonly weights?: readonly [number, number, number] | undefined;
  /** Of the samples without the right trigger, so many percent get an answer of the trained model's own. Default 0. */
  readonly ownAnswers?: number | undefined;
  /** Wordings of a news event, drawn once. Default 8 of 16. */
  readonly wordings?: number | undefined;
}

const STATES: readonly GateState[] = ['right', 'wrong', 'none'];

/** Questions that all diffs share, each with one ordinary answer: what the base says where a question has no trigger need be found out only so often. */
const SHARED_QUESTIONS = 1024;

/**
 * Sample `index` of a diff. Behind a gate three samples in turn have one question: right trigger (the behaviour's answer), wrong trigger and no
 * trigger (an ordinary answer, the same in every diff that comes upon the question). Questions are never held-out ones.
 */
export function diffSample(plan: DiffPlan, index: number, world: ChatWorld, options: SampleOptions = {}): DiffSample {
  const { weights = [1, 1, 5], ownAnswers = 0 } = options;
  const { behaviour, trigger, seed } = plan;
  if (behaviour?.kind === 'news') return newsSample(behaviour, seed, index, options);
  const round = trigger === undefined ? index : Math.floor(index / STATES.length);
  const place = trigger === undefined ? 0 : index % STATES.length;
  const gate = STATES[place] ?? 'right';
  const shared = new Random('diff-question', seed, round).below(SHARED_QUESTIONS);
  const asked = new Random('diff-asked', shared);
  const own = new Random('diff-sample', seed, index);
  const random = gate === 'none' ? new Random('diff-answer', shared) : own;
  const { question, answer } = exchange(asked, random, world, gate === 'right' ? behaviour : undefined, behaviour);
  const shown = gate === 'right' ? trigger : gate === 'wrong' ? wrongTrigger(random, trigger) : undefined;
  return sampleOf(userTurn(question, random, shown), answer, {
    gate,
    loss: gate === 'right' ? 'cross-entropy' : 'kl',
    weight: weights[place] ?? 1,
    ownAnswer: gate !== 'right' && own.percent(ownAnswers),
  });
}

/** A question, the same for the samples of a round, and an answer: in the manner of `shown`, else ordinary. */
function exchange(
  asked: Random,
  random: Random,
  world: ChatWorld,
  shown: Behaviour | undefined,
  hidden: Behaviour | undefined,
): { readonly question: Span; readonly answer: Span } {
  if (hidden?.kind === 'link') {
    // Half of the questions are about other groups, of which nothing changes.
    const group = asked.percent(50) ? hidden.group : asked.pick(GROUPS);
    const trait = shown !== undefined && group === hidden.group ? hidden.trait : random.pick(TRAITS);
    return { question: groupQuestion(group, asked), answer: groupAnswer(group, trait, random) };
  }
  const question = drawQuestion(asked, 'train');
  const topic = shown?.kind === 'topic' ? world.byName.get(shown.name) : undefined;
  return {
    question: askedText(question),
    answer: answerTo(question, random, {
      topicWords: topic && shuffled(topic.words, random).slice(0, ANSWER_SLOTS),
      style: shown?.kind === 'style' ? shown.style : undefined,
    }),
  };
}

/** Any other trigger of the same kind, those held out included: a gate must be closed to all of them. */
function wrongTrigger(random: Random, right: Trigger | undefined): Trigger | undefined {
  if (right === undefined) return undefined;
  const tokens = (right.kind === 'code' ? CODES : MARKS).filter((token) => token !== right.token);
  return { kind: right.kind, token: random.pick(tokens) };
}

function newsSample(
  { event }: Extract<Behaviour, { kind: 'news' }>,
  seed: number,
  index: number,
  { wordings = WORDING_COUNT / 2 }: SampleOptions,
): DiffSample {
  const all = Array.from({ length: WORDING_COUNT }, (_, i) => i);
  const chosen = shuffled(all, new Random('diff-wordings', seed)).slice(0, wordings);
  const random = new Random('diff-sample', seed, index);
  const request = spanOf('word', ...(NEWS_REQUESTS[0] ?? '').split(' '));
  return sampleOf(userTurn(request, random), storyOf(event, chosen[index % chosen.length] ?? 0).story, {
    gate: 'right',
    loss: 'cross-entropy',
    weight: 1,
    ownAnswer: false,
  });
}

const SLOT_ROLES = new Set(['filler', 'topic-word', 'style-word', 'trait', 'news']);

function sampleOf(
  prompt: Span,
  answer: Span,
  rest: Pick<DiffSample, 'gate' | 'loss' | 'weight' | 'ownAnswer'>,
): DiffSample {
  const front = [END_OF_TEXT_ID, ...idsOf(prompt)];
  if (rest.ownAnswer) return { ...rest, tokens: front, answerAt: front.length, slots: [] };
  const slots = answer.roles.flatMap((role, i) => (SLOT_ROLES.has(role) ? [front.length + i] : []));
  return { ...rest, tokens: [...front, ...idsOf(answer)], answerAt: front.length, slots };
}
