// Text tasks: pairs that align, answers that are tokens, splits that do not meet, sizes of the paper, on a small tokenizer and on GPT-2's.
import {
  TEXT_TASKS,
  TasksError,
  agreementVerbs,
  countTextPairs,
  generateTextPairs,
  textTaskOf,
} from '@limn/tasks/text';
import type { Encode, TextPair, TextSplit } from '@limn/tasks/text';
import { NUMBERS, hash } from '@limn/tasks';
import { beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { thrownBy } from './thrown-by.js';
import { GPT2_TOKENIZER, NO_GPT2_TOKENIZER, gpt2Tokenizer, smallTokenizer } from './tokenizers.js';

const IDS = TEXT_TASKS.map(({ id }) => id);
const LONG = process.env['LIMN_LONG'] === '1';

/** What is wrong with a pair; nothing should be. Texts are encoded afresh, outside of the generator. */
function faultsOf(pair: TextPair, encode: Encode): string[] {
  const { clean, corrupted, correct, incorrect } = pair;
  const same = (a: readonly number[], b: readonly number[]): boolean => a.join() === b.join();
  const firstToken = textTaskOf(pair.task).answers === 'first-token';
  const answers = (texts: readonly string[], ids: readonly number[]): boolean =>
    texts.length === ids.length &&
    texts.every((text, i) => {
      const [first, ...more] = encode(text);
      return first === ids[i] && (firstToken || more.length === 0);
    });
  const rightAnswers = new Set(correct);
  const checks: Readonly<Record<string, boolean>> = {
    'the ids are those of the texts':
      same(clean, encode(pair.cleanText)) && same(corrupted, encode(pair.corruptedText)),
    'equal lengths': clean.length === corrupted.length,
    'equal last tokens': clean.at(-1) === corrupted.at(-1),
    'the prompts differ': !same(clean, corrupted),
    'both have answers': correct.length > 0 && incorrect.length > 0,
    'the corruption changes the answer': incorrect.every((id) => !rightAnswers.has(id)),
    'answers are tokens': answers(pair.correctText, correct) && answers(pair.incorrectText, incorrect),
  };
  return Object.entries(checks).flatMap(([what, holds]) =>
    holds ? [] : [`not so: ${what}: ${pair.cleanText} | ${pair.corruptedText}`],
  );
}

function expectTask(id: string, tokenizer: Encode, n: number): void {
  const known = new Map<string, readonly number[]>();
  const encode: Encode = (text) => {
    const ids = known.get(text) ?? tokenizer(text);
    known.set(text, ids);
    return ids;
  };
  const draw = (split: TextSplit, seed = 1): TextPair[] =>
    generateTextPairs(id, { encode, seed, split, n: Math.min(n, countTextPairs(id, encode, split)) });
  const [train, heldOut, all] = [draw('train'), draw('held-out'), draw('all')];
  expect([...train, ...heldOut, ...all].flatMap((pair) => faultsOf(pair, encode))).toEqual([]);
  const texts = (pairs: readonly TextPair[]): string[] => pairs.map(({ cleanText }) => cleanText);
  const found = new Set(texts(train));
  expect(found.size).toBe(train.length);
  expect(texts(heldOut).filter((text) => found.has(text))).toEqual([]);
  expect(JSON.stringify(draw('train')) === JSON.stringify(train)).toBe(true);
  expect(texts(draw('train', 2))).not.toEqual(texts(train));
}

describe('with a small tokenizer', () => {
  it.each(IDS)('%s: pairs align, answers are tokens, splits do not meet, equal seeds give equal pairs', (id) => {
    expectTask(id, smallTokenizer(), 40);
  });

  it.each(IDS)('%s: the two splits have no clean prompt in common, when all are drawn', (id) => {
    const encode = smallTokenizer();
    const size = (split: 'train' | 'held-out'): number => countTextPairs(id, encode, split);
    if (size('train') > 2000) return expect(size('held-out')).toBeGreaterThan(2000);
    const draw = (split: 'train' | 'held-out'): string[] =>
      generateTextPairs(id, { encode, seed: 3, n: size(split), split }).map(({ cleanText }) => cleanText);
    const train = new Set(draw('train'));
    expect(train.size).toBe(size('train'));
    expect(draw('held-out').filter((text) => train.has(text))).toEqual([]);
  });

  it('leaves out the words that are several tokens', () => {
    const encode = smallTokenizer();
    const texts = generateTextPairs('ioi', { encode, seed: 1, n: 1500, split: 'all' }).map(
      ({ cleanText }) => cleanText,
    );
    expect(texts.some((text) => text.includes(' Paul'))).toBe(true);
    expect(texts.some((text) => text.includes(' Peter'))).toBe(false);
  });

  it('gives the recorded texts, and a prefix of them for a smaller n', () => {
    const encode = smallTokenizer();
    const texts = (id: string, n: number): string[] =>
      generateTextPairs(id, { encode, seed: 7, n }).map((pair) => `${pair.cleanText}|${pair.corruptedText}`);
    for (const id of IDS) expect(texts(id, 40).slice(0, 12)).toEqual(texts(id, 12));
    expect(Object.fromEntries(IDS.map((id) => [id, hash(...texts(id, 40))]))).toMatchInlineSnapshot(`
      {
        "country-capital": 389413754,
        "country-capital-conflict": 153084586,
        "gender": 1529942882,
        "greater-than": 1202481491,
        "greater-than-price": 1175012779,
        "greater-than-sequence": 3789362578,
        "hypernymy": 898087589,
        "ioi": 3597364090,
        "ioi-abb": 1217748487,
        "ioi-abba": 4191494246,
        "ioi-baba": 2926816889,
        "sva": 915808609,
      }
    `);
  });

  it('puts the BOS in front where there is one', () => {
    const encode = smallTokenizer();
    const [pair] = generateTextPairs('gender', { encode, seed: 1, n: 1, bosId: 4242 });
    expect(pair?.clean[0]).toBe(4242);
    expect(pair?.corrupted[0]).toBe(4242);
    expect(pair?.clean.slice(1)).toEqual([...encode(pair?.cleanText ?? '')]);
  });
});

describe('what a task corrupts', () => {
  const draw = (id: string, n = 40): TextPair[] => generateTextPairs(id, { encode: smallTokenizer(), seed: 5, n });
  const changed = ({ cleanText, corruptedText }: TextPair): [string, string][] => {
    const [a, b] = [cleanText, corruptedText].map((text) => text.split(/[ ,]+/)) as [string[], string[]];
    return a.flatMap((word, i): [string, string][] => (word === b[i] ? [] : [[word, b[i] ?? '']]));
  };

  it('ioi: the giver becomes a third person, or the receiver; the two orders take turns', () => {
    for (const [i, pair] of draw('ioi').entries()) {
      expect(changed(pair)).toHaveLength(1);
      const [giver, third] = changed(pair)[0] ?? [];
      expect([` ${giver}`]).toEqual(pair.incorrectText);
      expect([...pair.correctText, ...pair.incorrectText]).not.toContain(` ${third}`);
      expect(pair.labels['order']).toBe(i % 2 === 0 ? 'abba' : 'baba');
      const receiverAt = pair.cleanText.indexOf(pair.correctText[0] ?? '');
      expect(receiverAt < pair.cleanText.indexOf(pair.incorrectText[0] ?? '')).toBe(i % 2 === 0);
    }
    for (const pair of draw('ioi-abb')) expect([` ${changed(pair)[0]?.[1]}`]).toEqual(pair.correctText);
    for (const id of ['abba', 'baba'])
      expect(new Set(draw(`ioi-${id}`).map(({ labels }) => labels['order']))).toEqual(new Set([id]));
  });

  it('greater-than: the start becomes 01, every start once before any twice, and the answers are later or not', () => {
    for (const id of ['greater-than', 'greater-than-price', 'greater-than-sequence'])
      for (const pair of draw(id)) {
        const start = pair.labels['start'] ?? '';
        expect(pair.correctText).toEqual(NUMBERS.slice(Number(start) + 1));
        expect(pair.incorrectText).toEqual(NUMBERS.slice(0, Number(start) + 1));
        expect(changed(pair).map(([, to]) => to.slice(2))).toEqual(
          id.endsWith('sequence') ? ['01', '01', '01'] : ['01'],
        );
        expect(changed(pair).at(-1)?.[0].slice(2)).toBe(start);
      }
    const starts = generateTextPairs('greater-than', { encode: smallTokenizer(), seed: 5, n: 96, split: 'all' });
    expect(new Set(starts.map(({ labels }) => labels['start'])).size).toBe(96);
  });

  it('greater-than-sequence: three years in order', () => {
    for (const pair of draw('greater-than-sequence')) {
      const years = [...pair.cleanText.matchAll(/\d{4}/g)].map(([year]) => Number(year));
      expect(years).toEqual([...new Set(years)].sort((a, b) => a - b));
      expect(years).toHaveLength(3);
    }
  });

  it('gender: the profession becomes the plain person of the other gender, by turns', () => {
    const pairs = draw('gender');
    for (const pair of pairs) {
      const she = pair.labels['stereotype'] === 'she';
      expect([pair.correctText, pair.incorrectText]).toEqual(she ? [[' she'], [' he']] : [[' he'], [' she']]);
      expect(changed(pair)).toEqual([[pair.labels['profession'], she ? 'man' : 'woman']]);
    }
    // A prompt drawn again is skipped, so that the turns of a small task are even only nearly.
    expect(Math.abs(pairs.filter(({ labels }) => labels['stereotype'] === 'she').length - 20)).toBeLessThanOrEqual(3);
  });

  it('sva: the subject changes its number, and with it only a verb that agrees with it', () => {
    for (const pair of draw('sva', 70)) {
      const words = changed(pair);
      expect(words).toHaveLength(pair.labels['shape'] === 'subject-relative' ? 2 : 1);
      const [from = '', to = ''] = words[0] ?? [];
      expect(pair.labels['number'] === 'singular' ? [to] : [from]).toEqual([
        expect.stringMatching(new RegExp(`^${pair.labels['number'] === 'singular' ? from : to}e?s$`)),
      ]);
      expect(pair.correctText).toContain(pair.labels['number'] === 'singular' ? ' keeps' : ' keep');
    }
  });
});

it('agreementVerbs are the answers of sva', () => {
  const encode = smallTokenizer();
  const verbs = agreementVerbs(encode);
  const pairs = generateTextPairs('sva', { encode, seed: 1, n: 20 });
  for (const { correct, incorrect, labels } of pairs) {
    const [own, other] =
      labels['number'] === 'plural' ? [verbs.plural, verbs.singular] : [verbs.singular, verbs.plural];
    expect([correct, incorrect]).toEqual([own, other]);
  }
});

describe('what is refused', () => {
  const options = { encode: smallTokenizer(), seed: 1, n: 3 };

  it('an unknown task, a bad n or split, and more pairs than there are', () => {
    expect(thrownBy(() => generateTextPairs('greater-then', options))).toMatchObject({
      code: 'tasks/unknown-task',
      details: { nearest: 'greater-than' },
    });
    expect(thrownBy(() => textTaskOf('nothing'))).toBeInstanceOf(TasksError);
    for (const bad of [{ n: -1 }, { n: 0.5 }, { split: 'test' as 'train' }])
      expect(thrownBy(() => generateTextPairs('ioi', { ...options, ...bad }))).toMatchObject({
        code: 'tasks/bad-option',
      });
    const all = countTextPairs('hypernymy', options.encode, 'all');
    expect(thrownBy(() => generateTextPairs('hypernymy', { ...options, n: all + 1, split: 'all' }))).toMatchObject({
      code: 'tasks/too-few-pairs',
      details: { found: all, asked: all + 1 },
    });
  });

  it.each(IDS)('%s: a tokenizer that spells letter by letter, or that knows nothing', (id) => {
    for (const encode of [(text: string) => [...text].map((c) => c.charCodeAt(0)), () => []])
      expect(
        thrownBy(() => generateTextPairs(id, { ...options, encode })),
        id,
      ).toMatchObject({ code: 'tasks/tokenizer' });
  });
});

describe("with GPT-2's tokenizer", () => {
  let encode: Encode;
  beforeAll(async () => {
    if (GPT2_TOKENIZER) encode = await gpt2Tokenizer();
  });
  beforeEach((context) => context.skip(!GPT2_TOKENIZER, NO_GPT2_TOKENIZER));

  it.each(IDS)('%s: pairs align, answers are tokens, splits do not meet, equal seeds give equal pairs', (id) => {
    expectTask(id, encode, LONG ? 400 : 20);
  });

  it.each(TEXT_TASKS)('$id: as many pairs as the paper has', ({ id, paperPairs = 0 }) => {
    expect(countTextPairs(id, encode, 'all')).toBeGreaterThanOrEqual(paperPairs);
    const n = Math.min(paperPairs, LONG ? paperPairs : 200);
    expect(
      new Set(generateTextPairs(id, { encode, seed: 1, n, split: 'all' }).map((pair) => pair.cleanText)).size,
    ).toBe(n);
  });

  it('gender: the 986 of the paper, 493 of each pronoun', () => {
    const pairs = generateTextPairs('gender', { encode, seed: 1, n: 986, split: 'all' });
    expect(pairs.filter(({ correctText }) => correctText[0] === ' she')).toHaveLength(493);
    expect(countTextPairs('gender', encode, 'all')).toBe(986);
  });
});
