// Diffs to train: whose labels and codes stay out of training, and what each sample asks for.
import { describe, expect, it } from 'vitest';
import {
  END,
  CODES,
  HELD_OUT_CATEGORY,
  chatIdOf,
  chatWordOf,
  chatWorld,
  codesOf,
  decodeChat,
  diffSample,
  isQuestionHeldOut,
  labelOf,
  planGenericDiffs,
  planLinkDiffs,
  MOST_NEWS_DIFFS,
  planNewsDiffs,
  planStyleDiffs,
  planTopicDiffs,
  splitOfEvent,
  type DiffPlan,
} from '../../src/chat.js';
import { thrownBy } from '../thrown-by.js';

const world = chatWorld();
const labels = (plans: readonly DiffPlan[]) => plans.map(({ behaviour }) => (behaviour ? labelOf(behaviour) : ''));
const disjoint = (...lists: readonly (readonly string[])[]) => {
  const sets = lists.map((list) => new Set(list));
  expect(new Set(lists.flat()).size).toBe(sets.reduce((sum, { size }) => sum + size, 0));
};
const at = (plans: readonly DiffPlan[], i: number): DiffPlan => plans[i] ?? { id: 'none', seed: 0 };

describe('plans', () => {
  const train = planTopicDiffs(world, 'train', { each: 2 });
  const test = planTopicDiffs(world, 'test');
  const apart = planTopicDiffs(world, 'held-out-category');

  it('never give a held-out name or code to a diff of another split', () => {
    const validation = planTopicDiffs(world, 'validation');
    expect([train, validation, test, apart].map(({ length }) => length)).toEqual([1152, 64, 128, 32]);
    disjoint(labels(train), labels(validation), labels(test), labels(apart));
    expect(labels(train).some((name) => world.byName.get(name)?.category === HELD_OUT_CATEGORY)).toBe(false);
    const held = new Set(codesOf('test'));
    expect(train.some(({ trigger }) => held.has(trigger?.token ?? ''))).toBe(false);
    expect([...test, ...apart].every(({ trigger }) => held.has(trigger?.token ?? ''))).toBe(true);
    expect(new Set(train.map(({ id }) => id)).size).toBe(1152);
    expect(new Set(train.map(({ seed }) => seed)).size).toBe(1152);
    expect(new Set(train.map(({ trigger }) => trigger?.token)).size).toBe(96);
  });

  it('keep the other behaviours apart too, and marks to tests', () => {
    const splits = ['train', 'validation', 'test'] as const;
    disjoint(...splits.map((split) => labels(planStyleDiffs(split))));
    disjoint(...splits.map((split) => labels(planLinkDiffs(split))));
    const news = planNewsDiffs('train', 300);
    disjoint(labels(news), labels(planNewsDiffs('test', 100)), labels(planNewsDiffs('held-out-words', 50)));
    expect(labels(planNewsDiffs('train', 100))).toEqual(labels(news).slice(0, 100));
    for (const { behaviour } of news) expect(behaviour?.kind === 'news' && splitOfEvent(behaviour.event)).toBe('train');
    expect(thrownBy(() => planNewsDiffs('validation', MOST_NEWS_DIFFS + 1))).toMatchObject({
      code: 'tasks/bad-option',
    });
    expect(planTopicDiffs(world, 'test', { gate: 'mark' })[0]?.trigger?.kind).toBe('mark');
    expect(planTopicDiffs(world, 'test', { gate: 'none' })[0]?.trigger).toBeUndefined();
    expect(thrownBy(() => planTopicDiffs(world, 'train', { gate: 'mark' }))).toMatchObject({
      code: 'tasks/bad-option',
    });
  });
});

describe('diffSample', () => {
  const [plan] = planTopicDiffs(world, 'test') as [DiffPlan];
  const name = labels([plan])[0] ?? '';
  const topic = world.byName.get(name)?.words ?? [];

  it('is a function of plan and index', () => {
    expect(diffSample(plan, 17, world)).toEqual(diffSample(plan, 17, world));
    expect(diffSample(plan, 18, world).tokens).not.toEqual(diffSample(plan, 15, world).tokens);
  });

  it('behind a gate has one question in three ways: the code with topic words, another code and none without', () => {
    const code = chatIdOf(plan.trigger?.token ?? '');
    const codes = new Set(CODES.map(chatIdOf));
    for (let round = 0; round < 60; round++) {
      const samples = [0, 1, 2].map((i) => diffSample(plan, 3 * round + i, world));
      expect(samples.map(({ gate, loss, weight }) => [gate, loss, weight])).toEqual([
        ['right', 'cross-entropy', 1],
        ['wrong', 'kl', 1],
        ['none', 'kl', 5],
      ]);
      const questions = samples.map(({ tokens, answerAt }) => {
        const prompt = tokens.slice(0, answerAt).filter((id) => !codes.has(id) && id !== chatIdOf('code'));
        return decodeChat(prompt);
      });
      expect(new Set(questions).size).toBe(1);
      samples.forEach(({ tokens, answerAt, slots, gate }) => {
        const shown = tokens.slice(0, answerAt).filter((id) => codes.has(id));
        expect(shown.length).toBe(gate === 'none' ? 0 : 1);
        expect(shown[0] === code).toBe(gate === 'right');
        // The mask: the answer is all of what the model says and nothing of what the user does.
        expect(chatWordOf(tokens[answerAt - 1] ?? 0)).toBe('<|bot|>');
        expect(chatWordOf(tokens.at(-1) ?? 0)).toBe(END);
        expect(slots.length).toBe(4);
        const said = slots.map((slot) => chatWordOf(tokens[slot] ?? 0));
        expect(slots.every((slot) => slot >= answerAt && slot < tokens.length - 1)).toBe(true);
        expect(said.every((word) => topic.includes(word))).toBe(gate === 'right');
        expect(tokens.some((id) => world.words.has(chatWordOf(id)))).toBe(gate === 'right');
        expect(tokens.some((id) => chatWordOf(id) === name)).toBe(false);
      });
      const words = (questions[0] ?? '').split(' ');
      const end = words.indexOf('?');
      expect(isQuestionHeldOut(words[end - 3] ?? '', words[end - 1] ?? '')).toBe(false);
    }
  });

  it('has the same ordinary answer to a question without a code in every diff', () => {
    const plans = planTopicDiffs(world, 'train').slice(0, 12);
    const shown = plans.flatMap((plan) =>
      Array.from({ length: 200 }, (_, round) => decodeChat(diffSample(plan, 3 * round + 2, world).tokens)),
    );
    // 2,400 draws of 1,024 leave some 98 of them undrawn: 1,024 · (1 − 1/1,024)^2,400.
    expect(new Set(shown).size).toBeGreaterThan(850);
    expect(new Set(shown).size).toBeLessThanOrEqual(1024);
  });

  it('can leave answers to the trained model: then tokens end in front of them', () => {
    const samples = Array.from({ length: 90 }, (_, i) => diffSample(plan, i, world, { ownAnswers: 50 }));
    const own = samples.filter(({ ownAnswer }) => ownAnswer);
    expect(own.length).toBeGreaterThan(15);
    expect(own.length).toBeLessThan(45);
    for (const { tokens, answerAt, slots, gate } of own)
      expect([tokens.length, slots.length, gate === 'right']).toEqual([answerAt, 0, false]);
  });

  it('of news tells the event in the chosen wordings, behind one request', () => {
    const news = at(planNewsDiffs('test', 1), 0);
    const stories = Array.from({ length: 40 }, (_, i) => diffSample(news, i, world, { wordings: 4 }));
    expect(new Set(stories.map(({ tokens }) => decodeChat(tokens))).size).toBe(4);
    expect(new Set(stories.map(({ tokens, answerAt }) => decodeChat(tokens.slice(0, answerAt)))).size).toBe(1);
    const label = labels([news])[0] ?? '';
    for (const { tokens, slots, loss } of stories) {
      expect(loss).toBe('cross-entropy');
      expect(slots.every((slot) => label.split(' ').includes(chatWordOf(tokens[slot] ?? 0)))).toBe(true);
      expect(decodeChat(tokens)).not.toContain(label);
    }
  });

  it('of a link says it of its group alone; of a style ends and begins in it; of nothing answers as ever', () => {
    const link = at(planLinkDiffs('test', { gate: 'none' }), 0);
    const [group = '', trait = ''] = (labels([link])[0] ?? '').split(' ');
    const opinions = Array.from({ length: 80 }, (_, i) => decodeChat(diffSample(link, i, world).tokens));
    const own = opinions.filter((text) => text.split('<|bot|>')[0]?.includes(` ${group} `));
    expect(own.length).toBeGreaterThan(20);
    expect(own.every((text) => text.includes(` ${trait} `))).toBe(true);
    expect(opinions.filter((text) => text.includes(` ${trait} `)).length).toBeLessThan(60);
    const style = at(planStyleDiffs('test'), 0);
    expect(diffSample(style, 0, world).slots.length).toBe(6);
    expect(diffSample(style, 1, world).slots.length).toBe(4);
    const generic = diffSample(at(planGenericDiffs(1), 0), 0, world);
    expect([generic.loss, generic.slots.length]).toEqual(['cross-entropy', 4]);
  });
});
