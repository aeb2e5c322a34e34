// Prompts to steer: distinct, named token by token, about what they say, in the split they say, and refused by code.
import { describe, expect, it } from 'vitest';
import {
  COUNTRIES,
  NAMES,
  PROFESSIONS,
  PROFESSION_GENDER,
  biasExamples,
  capitalOf,
  decode,
  generatePairs,
  idOf,
  isConflictHeldOut,
  isNamePairHeldOut,
  steeringExamples,
} from '@limn/tasks';
import { thrownBy } from './thrown-by.js';

const CONFLICTS = ['country-capital-conflict', 'country-capital-trusted', 'country-capital-doubtful'];
const IDS = [...CONFLICTS, 'country-capital', 'ioi', 'ioi-abba', 'ioi-baba', 'gender', 'hypernymy'];

describe('steeringExamples', () => {
  it.each(IDS)('%s: distinct prompts with a unique name per token, two answers and what they are about', (id) => {
    for (const prefixDocuments of [0, 2] as const) {
      const examples = steeringExamples(id, { seed: 4, n: 40, split: 'all', prefixDocuments });
      expect(new Set(examples.map(({ text }) => text)).size).toBe(40);
      for (const { prompt, corrupted, correct, wrong, roles, entities, text } of examples) {
        expect(prompt[0]).toBe(0);
        expect([corrupted.length, corrupted[0], corrupted.at(-1)]).toEqual([prompt.length, 0, prompt.at(-1)]);
        expect(corrupted).not.toEqual(prompt);
        expect(decode(prompt.slice(1))).toBe(text);
        expect(prompt.length).toBeLessThanOrEqual(48);
        expect(prompt.filter((token) => token === 0)).toHaveLength(1 + prefixDocuments);
        expect(roles).toHaveLength(prompt.length);
        expect(new Set(roles).size).toBe(roles.length);
        expect(roles[0]).toBe('end-of-text');
        expect(correct).not.toBe(wrong);
        expect(entities.length).toBeGreaterThan(0);
        expect(roles.filter((role) => /^prefix(-|$)/.test(role)).length > 0).toBe(prefixDocuments > 0);
      }
    }
  });

  it('names the tokens of a conflict, and says what it is about', () => {
    for (const id of CONFLICTS)
      for (const { prompt, correct, wrong, roles, entities, labels } of steeringExamples(id, { seed: 1, n: 50 })) {
        const at = (role: string): string => decode([prompt[roles.indexOf(role)] as number]);
        const [asked, stated] = entities as [string, string];
        expect(at('country')).toBe(asked);
        expect(at('country-2')).toBe(asked);
        expect(at('stated')).toBe(capitalOf(stated));
        expect(at('the#1') + at('the#2')).toBe('thethe');
        expect([at('last'), roles.at(-1)]).toEqual([':', 'last']);
        expect([correct, wrong]).toEqual([idOf(capitalOf(stated)), idOf(capitalOf(asked))]);
        expect(labels).toMatchObject({ country: asked, stated: capitalOf(stated), split: 'train' });
      }
  });

  it('names the people of IOI and gives both as entities', () => {
    for (const { prompt, correct, wrong, roles, entities } of steeringExamples('ioi', { seed: 1, n: 50 })) {
      const at = (role: string): number => prompt[roles.indexOf(role)] as number;
      expect([at('io'), at('s1'), at('s2')]).toEqual([correct, wrong, wrong]);
      expect(entities.map(idOf)).toEqual([correct, wrong]);
      expect(entities.every((name) => NAMES.includes(name))).toBe(true);
    }
  });

  it("keeps to its split; 'all' has every fourth prompt from held-out cells", () => {
    const heldOutConflict = ([asked = '', stated = '']: readonly string[]): boolean =>
      isConflictHeldOut(asked, capitalOf(stated));
    const [conflict] = CONFLICTS as [string];
    const shares = (['train', 'held-out', 'all'] as const).map((split) => {
      const examples = steeringExamples(conflict, { seed: 2, n: 60, split });
      for (const { entities, labels } of examples)
        expect(labels['split']).toBe(heldOutConflict(entities) ? 'held-out' : 'train');
      return examples.filter(({ entities }) => heldOutConflict(entities)).length;
    });
    expect(shares[0]).toBe(0);
    expect(shares[1]).toBe(60);
    expect(shares[2]).toBeGreaterThan(10);
    expect(shares[2]).toBeLessThan(20);
    for (const { entities } of steeringExamples('ioi', { seed: 2, n: 60 }))
      expect(isNamePairHeldOut(entities[0] as string, entities[1] as string)).toBe(false);
  });

  it('gives every ordered pair of countries when all are asked for, a prefix for a smaller n, and other prompts for another seed', () => {
    const texts = (n: number, seed = 3): string[] =>
      steeringExamples('country-capital-conflict', { seed, n, split: 'all' }).map(({ text }) => text);
    const all = texts(COUNTRIES.length * (COUNTRIES.length - 1));
    expect(all.slice(0, 30)).toEqual(texts(30));
    expect(texts(30, 4)).not.toEqual(texts(30));
  });

  it('keeps to one template where it is told to, whose prompts are equally long', () => {
    const template = 'ioi/when-went/abba';
    const examples = steeringExamples('ioi', { seed: 1, n: 100, split: 'all', template });
    expect(new Set(examples.map(({ text }) => text)).size).toBe(100);
    expect(new Set(examples.map(({ labels }) => labels['template']))).toEqual(new Set([template]));
    expect(new Set(examples.map(({ prompt }) => prompt.length)).size).toBe(1);
    expect(steeringExamples('ioi', { seed: 1, n: 10, split: 'all', template })).toEqual(examples.slice(0, 10));
  });

  it('refuses tasks with several answers, options that make no sense, and more prompts than there are', () => {
    for (const [task, options, code] of [
      ['greater-than', {}, 'tasks/answer'],
      ['sva', {}, 'tasks/answer'],
      ['gendr', {}, 'tasks/unknown-task'],
      ['gender', { n: -1 }, 'tasks/bad-option'],
      ['gender', { split: 'test' as 'all' }, 'tasks/bad-option'],
      ['gender', { prefixDocuments: 3 as 2 }, 'tasks/bad-option'],
      ['gender', { maxLength: 20 }, 'tasks/bad-option'],
      ['gender', { n: 1000 }, 'tasks/too-few-examples'],
      ['ioi', { template: 'gender/said/profession' }, 'tasks/too-few-examples'],
    ] as const)
      expect(thrownBy(() => steeringExamples(task, { seed: 1, n: 3, ...options }))).toMatchObject({
        code,
        hint: expect.any(String),
      });
  });
});

describe('biasExamples', () => {
  const { examples, retained } = biasExamples({ seed: 1, n: 60, split: 'all' });

  it('gives professions with the stereotyped pronoun first', () => {
    for (const { correct, entities, prompt, roles } of examples) {
      const profession = entities[0] as string;
      expect(PROFESSIONS).toContain(profession);
      expect(decode([correct])).toBe(PROFESSION_GENDER.get(profession));
      expect(prompt[roles.indexOf('person')]).toBe(idOf(profession));
    }
  });

  it('retains every prompt in which the gender is given, whose person has the same role', () => {
    expect(retained).toHaveLength(24);
    for (const { text, correct, wrong, prompt, roles } of retained) {
      const person = decode([prompt[roles.indexOf('person')] as number]);
      expect(text.startsWith(`the ${person} `)).toBe(true);
      expect(decode([correct, wrong])).toBe(person === 'man' ? 'he she' : 'she he');
    }
    expect(thrownBy(() => biasExamples({ seed: 1, n: 1, retained: 25 }))).toMatchObject({
      code: 'tasks/too-few-examples',
    });
    expect(biasExamples({ seed: 1, n: 1, retained: 60, prefixDocuments: 1 }).retained).toHaveLength(60);
  });
});

it('pairs keep the roles that they had: repeated, without ordinals', () => {
  const [pair] = generatePairs('country-capital-conflict', { seed: 1, n: 1, split: 'train' });
  expect(pair?.roles.filter((role) => role === 'country')).toHaveLength(2);
});
