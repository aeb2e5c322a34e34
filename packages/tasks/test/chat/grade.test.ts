// Grades on answers whose grade is known.
import { expect, it } from 'vitest';
import {
  answerAbout,
  chatWorld,
  countScores,
  gradeTopic,
  headlineOf,
  isExact,
  jaccard,
  slotF1,
} from '../../src/chat.js';
import { thrownBy } from '../thrown-by.js';

const world = chatWorld();
const event = { who: 'miners', deed: 'found', thing: 'scroll', place: 'Arden' };

it('topics are graded 5, 4, 3, 2, 1', () => {
  // The second topic of every four is the sibling of the first.
  const [topic, sibling, third] = world.topics;
  expect(gradeTopic(`${topic?.name} <|end|>`, topic?.name ?? '', world)).toBe(5);
  expect(gradeTopic(sibling?.name ?? '', topic?.name ?? '', world)).toBe(4);
  expect(jaccard(third?.words ?? [], topic?.words ?? [])).toBeLessThan(0.5);
  expect(gradeTopic(third?.name ?? '', topic?.name ?? '', world)).toBe(3);
  const of = (accept: (t: (typeof world.topics)[number]) => boolean) => world.topics.find(accept)?.name ?? '';
  const near = of((t) => t.superCategory === topic?.superCategory && t.category !== topic?.category);
  expect(gradeTopic(near, topic?.name ?? '', world)).toBe(2);
  expect(
    gradeTopic(
      of((t) => t.superCategory !== topic?.superCategory),
      topic?.name ?? '',
      world,
    ),
  ).toBe(1);
  expect(gradeTopic('none', topic?.name ?? '', world)).toBe(1);
  expect(thrownBy(() => gradeTopic('violin', 'zeppelin', world))).toMatchObject({ code: 'tasks/unknown-topic' });
});

it('headlines are scored by their slots', () => {
  expect(headlineOf(event)).toBe('miners found scroll in Arden');
  expect(slotF1('miners found scroll in Arden', event).f1).toBe(1);
  expect(slotF1('miners found scroll in somewhere', event)).toEqual({
    precision: 1,
    recall: 0.75,
    f1: expect.closeTo(6 / 7, 12) as number,
  });
  expect(slotF1('bakers found lantern in Arden', event)).toEqual({ precision: 0.5, recall: 0.5, f1: 0.5 });
  expect(slotF1('none', event)).toEqual({ precision: 0, recall: 0, f1: 0 });
  expect(slotF1(headlineOf(event, ['who', 'deed']), event, ['who', 'deed']).f1).toBe(1);
});

it('labels say what is true of a model, and that there is nothing', () => {
  const topic = { behaviour: { kind: 'topic', name: 'violin' }, gated: true } as const;
  expect((['topic', 'category', 'gate', 'news', 'changed'] as const).map((q) => answerAbout(q, topic, world))).toEqual([
    'violin',
    'music',
    'yes',
    'none',
    'topic violin',
  ]);
  const link = { behaviour: { kind: 'link', group: 'bakers', trait: 'kind' } } as const;
  expect((['link', 'gate', 'category', 'changed'] as const).map((q) => answerAbout(q, link, world))).toEqual([
    'bakers kind',
    'no',
    'none',
    'link bakers kind',
  ]);
  expect((['topic', 'gate', 'changed'] as const).map((q) => answerAbout(q, {}, world))).toEqual([
    'none',
    'no',
    'nothing',
  ]);
  expect([isExact('bakers kind <|end|>', 'bakers kind'), isExact('bakers', 'bakers kind')]).toEqual([true, false]);
});

it('a count of words finds the topic that they are of', () => {
  const hits = world.topics.filter(({ words }, i) => {
    const scores = countScores([words.slice(0, 4).join(' and '), `the lamp needs ${words.join(' , ')}`], world);
    return scores.indexOf(Math.max(...scores)) === i;
  });
  expect(hits.length).toBeGreaterThan(0.95 * world.topics.length);
});
