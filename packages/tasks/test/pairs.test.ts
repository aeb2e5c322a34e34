// Clean/corrupted pairs: recorded hashes, equal lengths, answers, held-out cells, prefixes, errors.
import { describe, expect, it } from 'vitest';
import { SIX_TASKS, TASKS, TasksError, VOCABULARY, decode, generatePairs, hash, taskOf } from '@limn/tasks';
import { thrownBy } from './thrown-by.js';

const options = { seed: 1, n: 30, split: 'held-out' } as const;

describe('generatePairs', () => {
  it('gives the recorded pairs', () => {
    const fingerprints = Object.fromEntries(
      TASKS.map(({ id }) => [
        id,
        (['train', 'held-out'] as const).map((split) =>
          hash(
            ...generatePairs(id, { ...options, split, prefixDocuments: 1 }).flatMap((pair) => [
              ...pair.clean,
              ...pair.corrupted,
            ]),
          ),
        ),
      ]),
    );
    expect(fingerprints).toMatchInlineSnapshot(`
      {
        "country-capital": [
          4128893429,
          2519942234,
        ],
        "country-capital-conflict": [
          2074588695,
          2167274696,
        ],
        "country-capital-doubtful": [
          9324378,
          2521443983,
        ],
        "country-capital-trusted": [
          1685944760,
          1421394369,
        ],
        "gender": [
          1224786705,
          246644573,
        ],
        "greater-than": [
          827006292,
          4163898819,
        ],
        "greater-than-price": [
          2179849199,
          408077642,
        ],
        "greater-than-sequence": [
          2284408005,
          1833899393,
        ],
        "hypernymy": [
          2686491092,
          3677612951,
        ],
        "ioi": [
          837194162,
          1565871002,
        ],
        "ioi-abba": [
          4199070964,
          257827639,
        ],
        "ioi-baba": [
          4286527688,
          2926795289,
        ],
        "sva": [
          1434801881,
          1144940986,
        ],
      }
    `);
  });

  it.each(TASKS.map((task) => task.id))(
    '%s: prompts of equal length that differ, valid ids, disjoint answers',
    (id) => {
      for (const prefixDocuments of [0, 1, 2] as const) {
        for (const split of ['train', 'held-out'] as const) {
          const pairs = generatePairs(id, { ...options, split, prefixDocuments });
          expect(pairs.length).toBe(30);
          expect(new Set(pairs.map((pair) => `${pair.cleanText}|${pair.corruptedText}`)).size).toBe(30);
          for (const pair of pairs) {
            expect(pair.corrupted.length).toBe(pair.clean.length);
            expect(pair.clean.length).toBeLessThanOrEqual(48);
            expect(pair.corrupted).not.toEqual(pair.clean);
            expect(pair.roles.length).toBe(pair.clean.length);
            expect(pair.clean[0]).toBe(0);
            expect(pair.clean.filter((token) => token === 0).length).toBe(1 + prefixDocuments);
            expect(decode(pair.clean.slice(1))).toBe(pair.cleanText);
            expect(decode(pair.corrupted.slice(1))).toBe(pair.corruptedText);
            const ids = [...pair.clean, ...pair.corrupted, ...pair.correct, ...pair.incorrect];
            expect(ids.every((token) => token >= 0 && token < VOCABULARY.length)).toBe(true);
            expect(pair.correct.length).toBeGreaterThan(0);
            expect(pair.incorrect.length).toBeGreaterThan(0);
            expect(pair.correct.some((token) => pair.incorrect.includes(token))).toBe(false);
            expect(pair.labels['split']).toBe(split);
          }
        }
      }
    },
  );

  it('gives a prefix of itself for a smaller n, and other pairs for another seed or split', () => {
    const ten = generatePairs('ioi', { ...options, n: 10 });
    expect(generatePairs('ioi', options).slice(0, 10)).toEqual(ten);
    const texts = (pairs: ReturnType<typeof generatePairs>): string => pairs.map((pair) => pair.cleanText).join('\n');
    expect(texts(generatePairs('ioi', { ...options, n: 10, seed: 2 }))).not.toBe(texts(ten));
    expect(texts(generatePairs('ioi', { ...options, n: 10, split: 'train' }))).not.toBe(texts(ten));
  });

  it('corrupts one thing: IOI keeps the two people and replaces the giver', () => {
    for (const pair of generatePairs('ioi', options)) {
      const changed = pair.clean.flatMap((token, i) => (token === pair.corrupted[i] ? [] : [pair.roles[i]]));
      expect(changed).toEqual(['s2']);
      expect(pair.clean.filter((token) => token === pair.incorrect[0]).length).toBe(2);
      expect(pair.clean.filter((token) => token === pair.correct[0]).length).toBe(1);
    }
  });

  it.each([
    ['ioi-abba', true],
    ['ioi-baba', false],
  ])('%s: the receiver is named first: %s', (id, first) => {
    for (const { clean, correct, incorrect, labels } of generatePairs(id, options)) {
      expect(clean.indexOf(correct[0] ?? -1) < clean.indexOf(incorrect[0] ?? -1)).toBe(first);
      expect(labels['template']?.split('/').at(-1)).toBe(id.slice('ioi-'.length));
    }
  });

  it('splits the two-digit numbers at the start year', () => {
    for (const pair of generatePairs('greater-than', options)) {
      expect(pair.correct.length + pair.incorrect.length).toBe(100);
      expect(Math.min(...pair.correct)).toBe(Math.max(...pair.incorrect) + 1);
      expect(pair.correct.length).toBe(99 - Number(pair.labels['start']));
    }
  });

  it('names the nearest task when one is unknown', () => {
    const error = thrownBy(() => generatePairs('greater-then', options));
    expect(error).toBeInstanceOf(TasksError);
    expect(error).toMatchObject({ code: 'tasks/unknown-task', details: { nearest: 'greater-than' } });
    expect(thrownBy(() => taskOf('hypernym'))).toMatchObject({ hint: "Did you mean 'hypernymy'?" });
  });

  it('refuses bad options and impossible numbers of pairs', () => {
    const refused = (bad: object): unknown => thrownBy(() => generatePairs('gender', { ...options, ...bad }));
    for (const bad of [{ n: -1 }, { n: 1.5 }, { split: 'test' }, { prefixDocuments: 3 }, { maxLength: 20 }]) {
      expect(refused(bad)).toMatchObject({ code: 'tasks/bad-option' });
    }
    expect(thrownBy(() => generatePairs('gender', { ...options, n: 500 }))).toMatchObject({
      code: 'tasks/too-few-pairs',
    });
  });

  it('lists the six tasks with their metrics', () => {
    expect(SIX_TASKS.map((id) => taskOf(id).metric)).toEqual([
      'logit-diff',
      'prob-diff',
      'logit-diff',
      'logit-diff',
      'prob-diff',
      'prob-diff',
    ]);
  });
});
