// The corpus: held-out cells never occur, corruption forms do, tags agree with tokens, odds are as stated.
import { describe, expect, it } from 'vitest';
import {
  CAPITAL_FRAMES,
  CATEGORY_OF,
  CONTEXT_PERCENT,
  GENDER_FRAMES,
  GENERIC_PERCENT,
  HYPERNYM_FRAMES,
  IOI_FRAMES,
  NAMES,
  NAME_GENDER,
  NEVER_RECEIVER,
  NOUNS,
  PROFESSION_GENDER,
  Random,
  STEREOTYPE_PERCENT,
  TASKS,
  capitalOf,
  drawDocument,
  generatePairs,
  idOf,
  isAttractorHeldOut,
  isCellHeldOut,
  isConflictHeldOut,
  isNamePairHeldOut,
  isStartHeldOut,
  missingFrame,
  plural,
  wordOf,
} from '@limn/tasks';
import type { Document } from '@limn/tasks';

const COUNT = 60_000;
const random = new Random('documents');
const documents: readonly Document[] = Array.from({ length: COUNT }, () => drawDocument(random));

const words = (document: Document, role: string): string[] =>
  document.tokens.filter((_, i) => document.tags[i]?.role === role).map(wordOf);
const word = (document: Document, role: string): string => words(document, role)[0] ?? '';
const answer = (document: Document): string => wordOf(document.tokens[document.answerAt] ?? -1);
const family = (name: string): Document[] => documents.filter((document) => document.family === name);
const part = (document: Document, i: number): string => document.template.split('/')[i] ?? '';
const lemma = (form: string): string => NOUNS.find((noun) => noun === form || plural(noun) === form) ?? '';
/** Index of a document's frame in its family's list. */
const frame = (frames: readonly (readonly [string, string])[], name: string): number =>
  frames.findIndex((entry) => entry[0] === name);

describe('held-out cells', () => {
  it('IOI: no held-out pair, no missing frame, no new receiver', () => {
    const ioi = family('ioi').filter((document) => part(document, 2) !== 'solo');
    expect(ioi.length).toBeGreaterThan(5_000);
    for (const document of ioi) {
      const people = [...words(document, 'io'), ...words(document, 's1'), ...words(document, 'other')];
      expect(people.length).toBe(2);
      expect(isNamePairHeldOut(people[0] ?? '', people[1] ?? '')).toBe(false);
      const all = [...people, ...words(document, 's2'), ...words(document, 'third')];
      const index = frame(IOI_FRAMES, part(document, 1));
      expect(all.some((name) => missingFrame(name, IOI_FRAMES.length) === index)).toBe(false);
      if (part(document, 2) !== 'abc') expect(NEVER_RECEIVER.has(answer(document))).toBe(false);
    }
  });

  it('IOI: the rules hold out 8 receivers, a frame of 8 other names, and about a fifth of the pairs', () => {
    expect(NEVER_RECEIVER.size).toBe(8);
    expect(NAMES.filter((name) => missingFrame(name, IOI_FRAMES.length) !== undefined).length).toBe(8);
    expect(NAMES.length).toBeGreaterThanOrEqual(40);
    const pairs = NAMES.flatMap((a, i) => NAMES.slice(i + 1).map((b): [string, string] => [a, b]));
    const held = pairs.filter(([a, b]) => isNamePairHeldOut(a, b)).length / pairs.length;
    // Five standard deviations of a fair draw at 1 in 5.
    expect(Math.abs(held - 0.2)).toBeLessThan(5 * Math.sqrt((0.2 * 0.8) / pairs.length));
  });

  it('greater-than: no range starts at a held-out (start, century)', () => {
    for (const document of family('greater-than')) {
      document.tags.forEach((tag) => {
        if (tag.role !== 'start' && tag.role !== 'earlier') return;
        const year = tag.year ?? 0;
        expect(isStartHeldOut(Math.floor(year / 100), year % 100)).toBe(false);
      });
    }
  });

  it('agreement: no held-out (subject, attractor)', () => {
    for (const document of family('sva')) {
      const subject = lemma(word(document, 'subject'));
      for (const attractor of words(document, 'attractor')) {
        expect(isAttractorHeldOut(subject, lemma(attractor))).toBe(false);
      }
    }
  });

  it('gender, facts, hypernymy: a quarter of the (entity, frame) cells never occur and all others do', () => {
    const check = (
      name: string,
      entity: (d: Document) => string,
      frames: typeof GENDER_FRAMES,
      of: Document[],
    ): void => {
      const seen = new Set<string>();
      const entities = new Set<string>();
      for (const document of of) {
        const index = frame(frames, part(document, 1));
        expect(index).toBeGreaterThanOrEqual(0);
        expect(isCellHeldOut(name, entity(document), index, frames.length)).toBe(false);
        seen.add(`${entity(document)}/${index}`);
        entities.add(entity(document));
      }
      expect(seen.size).toBe(entities.size * frames.length * 0.75);
    };
    check(
      'gender',
      (d) => word(d, 'profession'),
      GENDER_FRAMES,
      family('gender').filter((d) => part(d, 2) === 'profession'),
    );
    check('hypernymy', (d) => word(d, 'hyponym'), HYPERNYM_FRAMES, family('hypernymy'));
    const facts = family('country-capital').filter((d) => frame(CAPITAL_FRAMES, part(d, 1)) >= 0);
    check(
      'country-capital',
      (d) => d.tags.find((tag) => tag.country !== undefined)?.country ?? '',
      CAPITAL_FRAMES,
      facts,
    );
  });

  it('conflicts: no held-out (country, wrong capital)', () => {
    const conflicts = family('country-capital').filter((d) => part(d, 1).startsWith('conflict'));
    expect(conflicts.length).toBeGreaterThan(3_000);
    for (const document of conflicts) {
      expect(isConflictHeldOut(word(document, 'country'), word(document, 'stated'))).toBe(false);
    }
  });
});

describe('corruption forms', () => {
  it('every corrupted prompt of every task has the template and the words of ordinary documents', () => {
    const seen = new Map<string, Set<number>>();
    for (const document of documents) {
      const at = seen.get(document.template) ?? new Set();
      document.tokens.forEach((id, i) => at.add(i * 1000 + id));
      seen.set(document.template, at);
    }
    const prefixes = [...seen.values()];
    for (const task of TASKS) {
      for (const pair of generatePairs(task.id, { seed: 3, n: 40, split: 'held-out' })) {
        // These keep, by their rule, a person whom this frame never shows.
        if (pair.labels['heldOut'] === 'frame') continue;
        const ids = pair.corrupted.slice(1);
        expect(prefixes.some((at) => ids.every((id, i) => at.has(i * 1000 + id)))).toBe(true);
      }
    }
  });

  it('start 01, the man or woman, and ABC are all frequent', () => {
    const share = (list: Document[], is: (d: Document) => boolean): number => list.filter(is).length / list.length;
    expect(share(family('greater-than'), (d) => word(d, 'start') === '01')).toBeGreaterThan(0.1);
    expect(share(family('gender'), (d) => part(d, 2) === 'plain')).toBeGreaterThan(0.15);
    expect(share(family('ioi'), (d) => part(d, 2) === 'abc')).toBeGreaterThan(0.3);
  });
});

describe('tags', () => {
  it('say of every token what is true of it', () => {
    for (const document of documents.slice(0, 20_000)) {
      expect(document.tags.length).toBe(document.tokens.length);
      expect(document.tags[document.answerAt]?.role).toBe('answer');
      document.tokens.forEach((id, i) => {
        const token = wordOf(id);
        const tag = document.tags[i];
        if (tag?.number !== undefined && lemma(token) !== '') {
          expect(tag.number).toBe(token === lemma(token) ? 'singular' : 'plural');
        }
        if (tag?.year !== undefined) {
          expect([Math.floor(tag.year / 100), tag.year % 100]).toContain(Number(token));
        }
        if (tag?.gender !== undefined) {
          const known =
            NAME_GENDER.get(token) ??
            PROFESSION_GENDER.get(token) ??
            { man: 'he', woman: 'she', he: 'he', she: 'she' }[token];
          expect(tag.gender).toBe(known);
        }
        if (tag?.category !== undefined) expect([CATEGORY_OF.get(token), token]).toContain(tag.category);
        if (tag?.country !== undefined) expect([tag.country, capitalOf(tag.country)]).toContain(token);
      });
    }
  });
});

/** Asserts that a share is within five standard deviations of `percent`. */
function expectOdds(list: Document[], is: (document: Document) => boolean, percent: number): void {
  const p = percent / 100;
  const value = list.filter(is).length / list.length;
  expect(list.length).toBeGreaterThan(300);
  expect(Math.abs(value - p)).toBeLessThan(5 * Math.sqrt((p * (1 - p)) / list.length));
}

describe('odds', () => {
  it('ABBA and BABA are equally frequent, and so are the two receivers of ABC', () => {
    const ordinary = family('ioi').filter((d) => ['abba', 'baba'].includes(part(d, 2)));
    expectOdds(ordinary, (d) => part(d, 2) === 'abba', 50);
    const abc = family('ioi').filter((d) => part(d, 2) === 'abc');
    const first = (d: Document): number =>
      d.tokens.findIndex((_, i) => ['io', 'other'].includes(d.tags[i]?.role ?? ''));
    expectOdds(abc, (d) => d.tokens[first(d)] === d.tokens[d.answerAt], 50);
  });

  it('pronouns follow the stereotype, sources their reliability, and the generic word its share', () => {
    const professions = family('gender').filter((d) => part(d, 2) === 'profession');
    expectOdds(professions, (d) => answer(d) === PROFESSION_GENDER.get(word(d, 'profession')), STEREOTYPE_PERCENT);
    for (const cue of ['none', 'trusted', 'doubtful'] as const) {
      const conflicts = family('country-capital').filter((d) => part(d, 1) === `conflict-${cue}`);
      expectOdds(conflicts, (d) => answer(d) === word(d, 'stated'), CONTEXT_PERCENT[cue]);
    }
    expectOdds(family('hypernymy'), (d) => answer(d) === 'thing', GENERIC_PERCENT);
  });

  it('subject and attractor numbers are independent', () => {
    const one = family('sva').filter((d) => words(d, 'attractor').length === 1);
    const number = (d: Document, role: string): string | undefined => d.tags.find((tag) => tag.role === role)?.number;
    expectOdds(one, (d) => number(d, 'subject') === number(d, 'attractor'), 50);
    const distances = new Set(family('sva').map((d) => d.answerAt - 1));
    expect([...distances].sort((a, b) => a - b)).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
  });

  it('the end year is uniform above the start', () => {
    const year = family('greater-than').filter((d) => part(d, 1) === 'year');
    // The mean of (end − start) / (100 − start) over uniform ends in (start, 99] is ½ + 1 / (2·(99 − start)); compare halves instead.
    const above = year.filter((d) => (99 - Number(word(d, 'start'))) % 2 === 0);
    expectOdds(above, (d) => Number(answer(d)) > (99 + Number(word(d, 'start'))) / 2, 50);
  });

  it('a single token is every answer', () => {
    for (const document of documents.slice(0, 5_000))
      expect(idOf(answer(document))).toBe(document.tokens[document.answerAt]);
  });
});
