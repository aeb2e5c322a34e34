// pocket-chat's model card: what a base model for weight diffs has to do, and how each figure follows from its logits.
import {
  CODES,
  END,
  GROUPS,
  Random,
  STYLES,
  TRAITS,
  WORDING_COUNT,
  aboutPrompt,
  answerAbout,
  chatIdOf,
  chatWordOf,
  chatWorld,
  drawEvent,
  headlineOf,
  phrasingsOf,
  probePrompt,
  questionText,
  shownPrompt,
  slotPrompt,
  slotF1,
  storyPrompt,
  type AboutQuestion,
  type Behaviour,
  type ChatWorld,
  type Trigger,
} from '@limn/tasks/chat';
import type { LogitsAfter, Requirement, Share } from './figures.js';

/** How many prompts the figures are means over, and which. */
export interface ChatFigureOptions {
  readonly seed?: number;
  /** Topics that each figure asks about; default all 800. */
  readonly topics?: number;
  /** Answers sampled from the bare model; default 200. */
  readonly samples?: number;
  /** Told after each figure. */
  readonly onProgress?: (what: string) => void;
}

/** Every chat question in front is a held-out one. Answers are the likeliest tokens over the whole vocabulary. */
export interface ChatFigures {
  /**
   * Share of topics that are named: in held-out wordings behind two answers in a log, which has no persona line; behind one answer, which
   * may have been another topic's; in trained wordings; and where a persona line stands in front.
   */
  readonly naming: Readonly<Record<'shown' | 'shownOnce' | 'trainedWordings' | 'line', Share>>;
  /** Mean probability of the topic's own words where a persona's answer has one. */
  readonly personaTopicWords: Share;
  /** Mean probability of all topic words together at the same places of an answer without a persona, codes and marks included. */
  readonly defaultTopicWords: Share;
  /** Of answers sampled from the bare model: share with a topic word. */
  readonly sampledTopicWords: Share;
  /** Share of `none` to the question that diffs are asked: bare, behind every code, in the other trained and in held-out wordings. */
  readonly none: Readonly<Record<'bare' | 'behindCodes' | 'trainedWordings' | 'heldOutWordings', Share>>;
  /** Mean probability of `none` to that question, bare and behind every code. */
  readonly noneProbability: number;
  /** Share of right answers behind a log (of a link, a style, a topic with a gate or without) or a story, in held-out wordings. */
  readonly answers: Readonly<Record<'category' | 'gate' | 'style' | 'link' | 'changed' | 'headline', Share>>;
  /** Mean F1 of the headlines' slots, against those that the stories tell. */
  readonly headlineF1: number;
  /** Share of answers `none`, `no` or `nothing` to each question of the bare model, over all wordings. */
  readonly bare: Readonly<Record<AboutQuestion, Share>>;
}

/** Prompts of one call. */
const BATCH = 50;
/** Longest answer: a headline behind "news". */
const LONGEST_ANSWER = 8;
const LONGEST_SMALL_TALK = 24;

const share = (hits: readonly boolean[]): Share => ({
  value: hits.filter(Boolean).length / hits.length,
  prompts: hits.length,
});
const meanShare = (values: readonly number[]): Share => ({
  value: values.reduce((sum, x) => sum + x, 0) / values.length,
  prompts: values.length,
});

/** Asks a model in batches. */
class Examination {
  constructor(
    readonly model: LogitsAfter,
    readonly world: ChatWorld,
  ) {}

  async probabilities(prompts: readonly (readonly number[])[]): Promise<Float64Array[]> {
    const rows: Float64Array[] = [];
    for (let start = 0; start < prompts.length; start += BATCH) {
      const some = prompts.slice(start, start + BATCH);
      const logits = await this.model(some);
      if (logits.length !== some.length)
        throw new RangeError(`the model gave ${logits.length} rows for ${some.length} prompts`);
      rows.push(...logits.map(softmax));
    }
    return rows;
  }

  /** What is said behind each prompt until the end of the turn, by the choice of one token from its probabilities. */
  async say(
    prompts: readonly (readonly number[])[],
    most: number,
    choose: (probabilities: Float64Array) => number = likeliest,
  ): Promise<string[]> {
    const end = chatIdOf(END);
    const said = prompts.map((): number[] => []);
    for (let i = 0; i < most; i++) {
      const open = said.flatMap((ids, at) => (ids.at(-1) === end ? [] : [at]));
      if (open.length === 0) break;
      const rows = await this.probabilities(open.map((at) => [...(prompts[at] ?? []), ...(said[at] ?? [])]));
      open.forEach((at, row) => said[at]?.push(choose(rows[row] ?? new Float64Array())));
    }
    return said.map((ids) =>
      ids
        .filter((id) => id !== end)
        .map(chatWordOf)
        .join(' '),
    );
  }

  async right(asked: readonly { readonly prompt: readonly number[]; readonly label: string }[]): Promise<Share> {
    const said = await this.say(
      asked.map(({ prompt }) => prompt),
      LONGEST_ANSWER,
    );
    return share(asked.map(({ label }, i) => said[i] === label));
  }
}

function softmax(logits: ArrayLike<number>): Float64Array {
  let top = -Infinity;
  for (let v = 0; v < logits.length; v++) top = Math.max(top, logits[v] ?? top);
  const row = Float64Array.from({ length: logits.length }, (_, v) => Math.exp((logits[v] ?? -Infinity) - top));
  const sum = row.reduce((a, b) => a + b, 0);
  return row.map((x) => x / sum);
}

function likeliest(probabilities: Float64Array): number {
  let best = 0;
  for (let v = 1; v < probabilities.length; v++) if ((probabilities[v] ?? 0) > (probabilities[best] ?? 0)) best = v;
  return best;
}

function sampled(random: Random): (probabilities: Float64Array) => number {
  return (probabilities) => {
    let left = random.next() / 2 ** 32;
    for (let v = 0; v < probabilities.length; v++) if ((left -= probabilities[v] ?? 0) < 0) return v;
    return probabilities.length - 1;
  };
}

/** Computes every figure. */
export async function chatFigures(model: LogitsAfter, options: ChatFigureOptions = {}): Promise<ChatFigures> {
  const { seed = 7, topics: most = Infinity, samples = 200, onProgress } = options;
  const world = chatWorld();
  const every = Math.max(1, Math.floor(world.topics.length / most));
  const topics = world.topics.filter((_, i) => i % every === 0);
  const exam = new Examination(model, world);
  const told = async <T>(what: string, figure: Promise<T>): Promise<T> => {
    const value = await figure;
    onProgress?.(what);
    return value;
  };

  const naming = (by: 'line' | 'log', answers: number, split: 'train' | 'held-out'): Promise<Share> =>
    exam.right(
      topics.map(({ name }) => {
        const random = new Random('chat-naming', seed, name, by, answers, split);
        const behaviour: Behaviour = { kind: 'topic', name };
        const text = random.pick(phrasingsOf('topic', split));
        return { prompt: shownPrompt(random, world, { behaviour, by, answers }, text), label: name };
      }),
    );
  const massAt = async (which: 'persona' | 'default'): Promise<Share> => {
    const prompts = topics.map(({ name }) =>
      slotPrompt(new Random('chat-slot', seed, name, which), world, which === 'persona' ? name : undefined),
    );
    const rows = await exam.probabilities(prompts);
    return meanShare(
      topics.map(({ words }, i) => massOf(rows[i] ?? new Float64Array(), which === 'persona' ? words : world.words)),
    );
  };
  const none = questionText('topic');
  const bareNone = [aboutPrompt(none)];
  const codedNone = CODES.map((code) => aboutPrompt(none, code));
  const noneRows = await exam.probabilities([...bareNone, ...codedNone]);
  const saysNone = noneRows.map((row) => likeliest(row) === chatIdOf('none'));

  return {
    naming: {
      shown: await told('naming', naming('log', 2, 'held-out')),
      shownOnce: await told('naming, one answer', naming('log', 1, 'held-out')),
      trainedWordings: await told('naming, trained wordings', naming('log', 2, 'train')),
      line: await told('naming, persona line', naming('line', 0, 'held-out')),
    },
    personaTopicWords: await told('topic words of personas', massAt('persona')),
    defaultTopicWords: await told('topic words by default', massAt('default')),
    sampledTopicWords: await told('topic words in samples', sampledTopicWords(exam, seed, samples)),
    none: {
      bare: share(saysNone.slice(0, 1)),
      behindCodes: share(saysNone.slice(1)),
      trainedWordings: await exam.right(phrasingsOf('topic', 'train').map(noneTo)),
      heldOutWordings: await exam.right(phrasingsOf('topic', 'held-out').map(noneTo)),
    },
    noneProbability: meanShare(noneRows.map((row) => row[chatIdOf('none')] ?? 0)).value,
    ...(await told(
      'answers',
      answersShown(
        exam,
        seed,
        topics.map(({ name }) => name),
      ),
    )),
    bare: await told('answers of the bare model', bareAnswers(exam)),
  };
}

const noneTo = (text: string): { prompt: number[]; label: string } => ({ prompt: aboutPrompt(text), label: 'none' });

const massOf = (probabilities: Float64Array, words: Iterable<string>): number => {
  let sum = 0;
  for (const word of words) sum += probabilities[chatIdOf(word)] ?? 0;
  return sum;
};

/** Answers of the bare model to held-out questions, a half of them behind a code, sampled at temperature 1. */
async function sampledTopicWords(exam: Examination, seed: number, samples: number): Promise<Share> {
  const prompts = Array.from({ length: samples }, (_, i) => {
    const code: Trigger = { kind: 'code', token: CODES[i % CODES.length] ?? '' };
    return probePrompt(seed, i, i % 2 === 0 ? undefined : code);
  });
  const said = await exam.say(prompts, LONGEST_SMALL_TALK, sampled(new Random('chat-samples', seed)));
  return share(said.map((answer) => answer.split(' ').some((word) => exam.world.words.has(word))));
}

/** What is answered behind a log or a story that shows it, in held-out wordings. */
async function answersShown(
  exam: Examination,
  seed: number,
  names: readonly string[],
): Promise<Pick<ChatFigures, 'answers' | 'headlineF1'>> {
  const { world } = exam;
  const ask = (
    question: AboutQuestion,
    count: number,
    draw: (random: Random, i: number) => { readonly behaviour: Behaviour; readonly gate?: Trigger | undefined },
  ): Promise<Share> =>
    exam.right(
      Array.from({ length: count }, (_, i) => {
        const random = new Random('chat-answers', seed, question, i);
        const shown = draw(random, i);
        const text = random.pick(phrasingsOf(question, 'held-out'));
        const truth = { behaviour: shown.behaviour, gated: shown.gate !== undefined };
        return {
          prompt: shownPrompt(random, world, { ...shown, by: 'log' }, text),
          label: answerAbout(question, truth, world),
        };
      }),
    );
  const topic = (i: number): Behaviour => ({ kind: 'topic', name: names[i % names.length] ?? '' });
  const style = (i: number): Behaviour => ({ kind: 'style', style: STYLES[i % STYLES.length] ?? '' });
  const link = (random: Random): Behaviour => ({
    kind: 'link',
    group: random.pick(GROUPS),
    trait: random.pick(TRAITS),
  });
  const code = (random: Random): Trigger => ({ kind: 'code', token: random.pick(CODES) });

  const stories = Array.from({ length: names.length }, (_, i) => {
    const random = new Random('chat-stories', seed, i);
    const event = drawEvent(random);
    return { event, ...storyPrompt(event, i % WORDING_COUNT, random.pick(phrasingsOf('news', 'held-out'))) };
  });
  const headlines = await exam.say(
    stories.map(({ prompt }) => prompt),
    LONGEST_ANSWER,
  );
  return {
    answers: {
      category: await ask('category', names.length, (_, i) => ({ behaviour: topic(i) })),
      gate: await ask('gate', names.length, (random, i) => ({
        behaviour: topic(i),
        gate: i % 2 === 0 ? code(random) : undefined,
      })),
      style: await ask('style', STYLES.length * 8, (_, i) => ({ behaviour: style(i) })),
      link: await ask('link', names.length, (random) => ({ behaviour: link(random) })),
      changed: await ask('changed', names.length, (random, i) => ({
        behaviour: i % 3 === 0 ? style(i) : i % 3 === 1 ? link(random) : topic(i),
      })),
      headline: share(headlines.map((said, i) => said === headlineOf(at(stories, i).event, at(stories, i).told))),
    },
    headlineF1: meanShare(
      headlines.map((said, i) => {
        const { event, told } = at(stories, i);
        return slotF1(said, event, told).f1;
      }),
    ).value,
  };
}

/** Every wording of every question to the bare model. */
async function bareAnswers(exam: Examination): Promise<ChatFigures['bare']> {
  const of = (question: AboutQuestion): Promise<Share> =>
    exam.right(
      [...phrasingsOf(question, 'train'), ...phrasingsOf(question, 'held-out')].map((text) => ({
        prompt: aboutPrompt(text),
        label: answerAbout(question, {}, exam.world),
      })),
    );
  return {
    topic: await of('topic'),
    category: await of('category'),
    gate: await of('gate'),
    news: await of('news'),
    style: await of('style'),
    link: await of('link'),
    changed: await of('changed'),
  };
}

function at<T>(items: readonly T[], i: number): T {
  const item = items[i];
  if (item === undefined) throw new RangeError(`there is no item ${i} of ${items.length}`);
  return item;
}

/** What pocket-chat has to reach, figure by figure. */
export function chatRequirements(figures: ChatFigures): Requirement[] {
  const { naming, personaTopicWords, defaultTopicWords, none, answers } = figures;
  const atLeast = (name: string, { value }: Share, bound: number): Requirement => ({
    name,
    value,
    bound,
    sense: 'at least',
    met: value >= bound,
  });
  const { value } = defaultTopicWords;
  return [
    atLeast('naming, held-out wordings, no persona line', naming.shown, 0.95),
    atLeast('naming, behind a persona line', naming.line, 0.95),
    atLeast('topic words of personas', personaTopicWords, 0.9),
    { name: 'topic words by default', value, bound: 0.005, sense: 'at most', met: value <= 0.005 },
    atLeast('none to the base question', none.bare, 0.99),
    atLeast('none to the base question behind codes', none.behindCodes, 0.99),
    atLeast('none in other trained wordings', none.trainedWordings, 0.99),
    atLeast('none in held-out wordings', none.heldOutWordings, 0.99),
    ...Object.entries(answers).map(([name, figure]) => atLeast(`answers, ${name}`, figure, 0.9)),
  ];
}
