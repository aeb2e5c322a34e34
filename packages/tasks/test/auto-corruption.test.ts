// Corruption from a template: a filler of equally many tokens that changes the answer, or a refusal that says why none fits.
import { corruptPrompts } from '@limn/tasks/text';
import type { CorruptionTemplate } from '@limn/tasks/text';
import { describe, expect, it } from 'vitest';
import { thrownBy } from './thrown-by.js';
import { smallTokenizer } from './tokenizers.js';

const COUNTRIES: Readonly<Record<string, string>> = {
  Paris: ' France',
  Rome: ' Italy',
  Peter: ' Russia',
  Lyon: ' France',
  'New Delhi': ' India',
  'Buenos Aires': ' Argentina',
};
const capitals: CorruptionTemplate = {
  pattern: 'Now {city}, the capital of',
  slot: 'city',
  fillers: Object.keys(COUNTRIES),
  answers: ({ city = '' }) => [COUNTRIES[city] ?? ' nowhere'],
};
const people = ['Ann', 'Bob', 'Eve', 'Peter'];
const ioi: CorruptionTemplate = {
  pattern: 'When {io} and {s} met, {giver} gave a book to',
  slot: 'giver',
  fillers: people,
  answers: ({ io, s, giver }) => [io, s].filter((name) => name !== giver).map((name) => ` ${name}`),
};

describe('corruptPrompts', () => {
  it('refills the slot with as many tokens and another answer', () => {
    const encode = smallTokenizer();
    const prompts = ['Now Paris, the capital of', 'Now New Delhi, the capital of', 'Now Lyon, the capital of'];
    const pairs = corruptPrompts(prompts, capitals, { encode, seed: 3, bosId: 777 });
    expect(pairs.map(({ filler }) => filler)).toEqual(['Rome', expect.stringMatching(/Buenos Aires|Peter/), 'Rome']);
    expect(pairs[0]).toEqual({
      clean: [777, ...encode('Now Paris, the capital of')],
      corrupted: [777, ...encode('Now Rome, the capital of')],
      correct: encode(' France'),
      incorrect: encode(' Italy'),
      cleanText: 'Now Paris, the capital of',
      corruptedText: 'Now Rome, the capital of',
      correctText: [' France'],
      incorrectText: [' Italy'],
      filler: 'Rome',
    });
    for (const { clean, corrupted } of pairs) expect(corrupted).toHaveLength(clean.length);
    expect(corruptPrompts(prompts, capitals, { encode, seed: 3, bosId: 777 })).toEqual(pairs);
  });

  it('counts as incorrect only what was not correct: IOI with a third giver', () => {
    const encode = smallTokenizer();
    const [pair] = corruptPrompts(['When Ann and Bob met, Bob gave a book to'], ioi, { encode });
    expect(pair?.correctText).toEqual([' Ann']);
    expect(pair?.incorrectText).toEqual([' Bob']);
    // Ann as the giver makes Bob the answer too; Peter is two tokens.
    expect(['Eve', 'Ann']).toContain(pair?.filler);
    const fillers = new Set(
      Array.from({ length: 12 }, (_, seed) =>
        corruptPrompts(['When Ann and Bob met, Bob gave a book to'], ioi, { encode, seed }).map(({ filler }) => filler),
      ).flat(),
    );
    expect(fillers).toEqual(new Set(['Eve', 'Ann']));
  });

  it('takes a slot that occurs twice as the same words', () => {
    const twice: CorruptionTemplate = { ...ioi, pattern: '{io} and {s}: {giver}, that is {giver}, gave it to' };
    const encode = smallTokenizer();
    const [pair] = corruptPrompts(['Ann and Bob: Bob, that is Bob, gave it to'], twice, { encode });
    expect(pair?.corruptedText).toBe(`Ann and Bob: ${pair?.filler}, that is ${pair?.filler}, gave it to`);
    expect(
      thrownBy(() => corruptPrompts(['Ann and Bob: Bob, that is Eve, gave it to'], twice, { encode })),
    ).toMatchObject({
      code: 'tasks/template-mismatch',
    });
  });

  it('takes the characters of a pattern as they are', () => {
    const odd: CorruptionTemplate = { ...capitals, pattern: 'What (really?) is $1 in {city}.* + [a]' };
    const [pair] = corruptPrompts(['What (really?) is $1 in Paris.* + [a]'], odd, { encode: smallTokenizer() });
    expect(pair?.corruptedText).toBe('What (really?) is $1 in Rome.* + [a]');
  });
});

describe('what is refused', () => {
  const refused = (prompts: readonly string[], change: Partial<CorruptionTemplate> = {}): unknown =>
    thrownBy(() => corruptPrompts(prompts, { ...capitals, ...change }, { encode: smallTokenizer() }));

  it('a prompt for which no filler fits, with the reasons counted', () => {
    expect(refused(['Now Paris, the capital of'], { fillers: ['Paris', 'Lyon', 'Peter', 'New Delhi'] })).toMatchObject({
      code: 'tasks/no-corruption',
      details: { refused: { tokens: 2, 'last token': 0, answer: 1 } },
    });
    const last = { pattern: 'The capital is {city}', answers: ({ city }: Record<string, string>) => [` ${city}`] };
    expect(refused(['The capital is Paris'], { ...last, fillers: ['Rome'] })).toMatchObject({
      code: 'tasks/no-corruption',
      details: { refused: { 'last token': 1 } },
    });
  });

  it.each([
    [{ pattern: 'no slot here' }, 'tasks/template'],
    [{ pattern: 'a {bad-name} and {city}' }, 'tasks/template'],
    [{ pattern: 'an {} and {city}' }, 'tasks/template'],
    [{ slot: 'country' }, 'tasks/template'],
    [{ fillers: [] }, 'tasks/template'],
    [{ pattern: 'now {city}, the capital of' }, 'tasks/template-mismatch'],
    [{ answers: () => [] }, 'tasks/answer'],
    [{ answers: () => [' two words'] }, 'tasks/answer'],
  ] as [Partial<CorruptionTemplate>, string][])('%j', (change, code) => {
    expect(refused(['Now Paris, the capital of'], change)).toMatchObject({ code });
  });

  it('unless the first token of an answer is enough', () => {
    const template = { ...capitals, answers: ({ city }: Record<string, string>) => [` ${city} and more`] };
    const [pair] = corruptPrompts(['Now Paris, the capital of'], template, {
      encode: smallTokenizer(),
      firstToken: true,
    });
    expect(pair?.correctText).toEqual([' Paris and more']);
    expect(pair?.correct).toHaveLength(1);
  });
});
