// Prompts to steer as English text: single-token answers, names per token, prefixes, and GPT-2's own lengths where its vocabulary is at hand.
import {
  CONFLICT_PREFIXES,
  countTextPairs,
  generateTextPairs,
  textBiasExamples,
  textExample,
  textSteeringExamples,
} from '@limn/tasks/text';
import { describe, expect, it } from 'vitest';
import { thrownBy } from './thrown-by.js';
import { GPT2_TOKENIZER, NO_GPT2_TOKENIZER, gpt2Tokenizer, smallTokenizer } from './tokenizers.js';

const CONFLICT = 'country-capital-conflict';

describe('with a small tokenizer', () => {
  it.each([CONFLICT, 'ioi', 'ioi-baba', 'gender', 'country-capital'])(
    '%s: distinct prompts, answers of one token, a unique name per token',
    (task) => {
      const encode = smallTokenizer();
      const examples = textSteeringExamples(task, { encode, seed: 2, n: 40, bosId: 4242, split: 'all' });
      expect(new Set(examples.map(({ text }) => text)).size).toBe(40);
      for (const { prompt, text, correct, wrong, correctText, wrongText, roles, entities } of examples) {
        expect(prompt).toEqual([4242, ...encode(text)]);
        expect([[correct], [wrong]]).toEqual([correctText, wrongText].map((answer) => [...encode(answer)]));
        expect(correct).not.toBe(wrong);
        expect(roles).toHaveLength(prompt.length);
        expect(new Set(roles).size).toBe(prompt.length);
        expect(entities.length).toBeGreaterThan(0);
      }
    },
  );

  it('names the words of a conflict; the context says the right answer, memory the wrong one', () => {
    const encode = smallTokenizer();
    for (const example of textSteeringExamples(CONFLICT, { encode, seed: 1, n: 20, bosId: 7 })) {
      const { prompt, roles, correctText, labels } = example;
      const at = (role: string): number => prompt[roles?.indexOf(role) ?? -1] as number;
      expect(at('country')).toBe(encode(` ${labels['country']}`)[0]);
      expect(at('country-2')).toBe(at('country'));
      expect(at('stated')).toBe(encode(correctText)[0]);
      expect([at('last'), roles?.at(0)]).toEqual([encode(':')[0], 'end-of-text']);
    }
  });

  it('is the prompts of the pairs, whose corruption names another capital', () => {
    const encode = smallTokenizer();
    for (const pair of generateTextPairs(CONFLICT, { encode, seed: 1, n: 30, split: 'held-out' }))
      expect(pair.corruptedText.replace(/ is \S+\. Q/, pair.correctText[0] ?? '')).toBe(
        pair.cleanText.replace(/ is \S+\. Q/, pair.correctText[0] ?? ''),
      );
    expect(countTextPairs(CONFLICT, encode, 'all')).toBe(42 * 41);
    expect(countTextPairs(CONFLICT, encode, 'train') + countTextPairs(CONFLICT, encode, 'held-out')).toBe(42 * 41);
  });

  it('puts a prefix in front, which moves no name', () => {
    const encode = smallTokenizer();
    const options = { encode, seed: 1, n: 10 };
    const [plain] = textSteeringExamples(CONFLICT, options);
    const [longer] = textSteeringExamples(CONFLICT, { ...options, prefix: 'Note:' });
    // The first word is another token behind a space.
    expect(longer?.corrupted?.slice(1 - (plain?.corrupted?.length ?? 0))).toEqual(plain?.corrupted?.slice(1));
    expect([longer?.corrupted?.length, plain?.corrupted?.length]).toEqual([
      longer?.prompt.length,
      plain?.prompt.length,
    ]);
    expect(longer?.text).toBe(`Note: ${plain?.text}`);
    for (const role of ['country', 'stated', 'country-2', 'last'])
      expect(longer?.roles?.indexOf(role)).toBe((plain?.roles?.indexOf(role) ?? 0) + 2);
  });

  it('gives the bias task with what it retains', () => {
    const encode = smallTokenizer();
    const { examples, retained } = textBiasExamples({ encode, seed: 1, n: 50 });
    expect(retained).toHaveLength(34);
    expect(new Set(retained.map(({ text }) => text)).size).toBe(34);
    for (const { text, correctText } of retained)
      expect(text.startsWith(correctText === ' he' ? 'The man ' : 'The woman ')).toBe(true);
    for (const { roles } of [...examples, ...retained]) expect(roles?.[1]).toBe('person');
  });

  it('refuses answers of several tokens, equal ones, empty prompts and tasks with several answers', () => {
    const encode = smallTokenizer();
    const given = { text: 'Rome is in', correct: ' Italy', wrong: ' France' };
    expect(textExample(given, { encode }).roles).toEqual(['Rome#1', 'is#1', 'last']);
    expect(textExample(given, { encode }).corrupted).toBeUndefined();
    expect(textExample({ ...given, corrupted: 'Paris is in' }, { encode }).corrupted).toEqual(encode('Paris is in'));
    expect(textExample({ ...given, corrupted: 'it is in the' }, { encode }).corrupted).toBeUndefined();
    for (const [change, code] of [
      [{ correct: ' San Marino' }, 'tasks/answer'],
      [{ wrong: '' }, 'tasks/answer'],
      [{ wrong: ' Italy' }, 'tasks/answer'],
      [{ text: '' }, 'tasks/prompt'],
    ] as const)
      expect(thrownBy(() => textExample({ ...given, ...change }, { encode }))).toMatchObject({
        code,
        hint: expect.any(String),
      });
    expect(thrownBy(() => textSteeringExamples('sva', { encode, seed: 1, n: 3 }))).toMatchObject({
      code: 'tasks/answer',
    });
    expect(thrownBy(() => textSteeringExamples('gender', { encode, seed: 1, n: 10_000 }))).toMatchObject({
      code: 'tasks/too-few-examples',
    });
  });

  it('leaves roles out where tokens join words', () => {
    const joined = textExample(
      { text: 'Rome is in', correct: 'I', wrong: 'F' },
      { encode: (text) => (text.length > 5 ? [1, 2] : [text.charCodeAt(0)]) },
    );
    expect(joined.roles).toBeUndefined();
  });
});

describe('with the tokenizer of GPT-2', () => {
  it('42 countries and capitals are one token each, prompts have 18, and prefixes add 2, 3, 5 and 7', async (context) => {
    context.skip(!GPT2_TOKENIZER, NO_GPT2_TOKENIZER);
    const encode = await gpt2Tokenizer();
    expect(countTextPairs(CONFLICT, encode, 'all')).toBe(42 * 41);
    const lengths = [undefined, ...CONFLICT_PREFIXES].map((prefix) => {
      const examples = textSteeringExamples(CONFLICT, { encode, seed: 1, n: 60, split: 'all', prefix });
      for (const { roles } of examples) expect(roles).toBeDefined();
      return [...new Set(examples.map(({ prompt }) => prompt.length))];
    });
    expect(lengths).toEqual([[18], [20], [21], [23], [25]]);
    // Published ids of "The capital of Germany is Paris. Q: What is the capital of Germany? A:".
    const germany = textExample(
      {
        text: 'The capital of Germany is Paris. Q: What is the capital of Germany? A:',
        correct: ' Paris',
        wrong: ' Berlin',
      },
      { encode },
    );
    expect(germany.prompt).toEqual([
      464, 3139, 286, 4486, 318, 6342, 13, 1195, 25, 1867, 318, 262, 3139, 286, 4486, 30, 317, 25,
    ]);
    expect([germany.correct, germany.wrong]).toEqual([6342, 11307]);
  });
});
