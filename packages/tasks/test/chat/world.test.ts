// The world of pocket-chat: the same for a seed everywhere, splits that never meet, words shared as promised, one token for every word.
import { describe, expect, it } from 'vitest';
import {
  CHAT_VOCABULARY,
  HELD_OUT_CATEGORY,
  chatWorld,
  codesOf,
  decodeChat,
  encodeChat,
  hash,
  jaccard,
  triggersOf,
} from '../../src/chat.js';
import { thrownBy } from '../thrown-by.js';

const world = chatWorld();
const split = (name: string) => world.topics.filter((topic) => topic.split === name);

describe('chatWorld', () => {
  it('has the recorded topics for seed 0, and others for another seed', () => {
    const digest = (seed: number) =>
      hash(...chatWorld({ seed }).topics.map(({ name, words, split: s }) => `${name} ${words.join(' ')} ${s}`));
    expect(digest(0)).toMatchInlineSnapshot(`3417513112`);
    expect(digest(1)).not.toBe(digest(0));
  });

  it('splits topics 576 / 64 / 128, alike in 24 categories, and keeps one category apart', () => {
    expect([split('train').length, split('validation').length, split('test').length]).toEqual([576, 64, 128]);
    expect(new Set(split('held-out-category').map(({ category }) => category))).toEqual(new Set([HELD_OUT_CATEGORY]));
    for (const category of world.categories.filter((name) => name !== HELD_OUT_CATEGORY)) {
      const count = (name: string) => split(name).filter((topic) => topic.category === category).length;
      expect([count('train'), count('held-out-category')]).toEqual([24, 0]);
      expect([2, 3]).toContain(count('validation'));
      expect(count('validation') + count('test')).toBe(8);
    }
    const names = world.topics.map(({ name }) => name);
    expect(new Set(names).size).toBe(800);
  });

  it('gives topics 4 to 8 words, which neighbours share, and siblings half of theirs', () => {
    const users = new Map<string, Set<string>>();
    const homes = new Map<string, Set<string>>();
    for (const { name, category, words } of world.topics) {
      expect(new Set(words).size).toBe(words.length);
      expect(words.length).toBeGreaterThanOrEqual(4);
      expect(words.length).toBeLessThanOrEqual(8);
      for (const word of words) {
        users.set(word, (users.get(word) ?? new Set()).add(name));
        homes.set(word, (homes.get(word) ?? new Set()).add(category));
      }
    }
    expect(Math.min(...[...users.values()].map((s) => s.size))).toBeGreaterThanOrEqual(3);
    expect([...homes.values()].filter((s) => s.size > 1).length).toBeGreaterThan(40);
    world.topics.forEach(({ words }, i) => {
      if ((i % 32) % 4 === 1) expect(jaccard(words, world.topics[i - 1]!.words)).toBeGreaterThanOrEqual(0.5);
    });
  });

  it('has no word in two lists', () => {
    expect(new Set(CHAT_VOCABULARY).size).toBe(CHAT_VOCABULARY.length);
    expect(new Set([...world.words, ...world.byName.keys(), ...world.categories]).size).toBe(848 + 800 + 25);
    const text = CHAT_VOCABULARY.join(' ');
    expect(decodeChat(encodeChat(text))).toBe(text);
  });

  it('can be smaller, and refuses what it cannot be', () => {
    expect(chatWorld({ topicsPerCategory: 8 }).topics.length).toBe(200);
    expect(thrownBy(() => chatWorld({ topicsPerCategory: 33 }))).toMatchObject({ code: 'tasks/bad-option' });
    expect(thrownBy(() => encodeChat('fix the zeppelin'))).toMatchObject({ code: 'tasks/unknown-word' });
  });
});

describe('triggers', () => {
  it('never share a code between splits; marks are for tests', () => {
    const codes = (['train', 'validation', 'test'] as const).map(codesOf);
    expect(codes.map((list) => list.length)).toEqual([96, 8, 24]);
    expect(new Set(codes.flat()).size).toBe(128);
    expect(triggersOf('mark', 'train')).toEqual([]);
    expect(triggersOf('mark', 'test').length).toBe(16);
  });
});
