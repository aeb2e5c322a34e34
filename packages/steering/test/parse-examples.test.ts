// Files of examples: text and ids, and every way that a line can be wrong, named by file and line.
import { describe, expect, it } from 'vitest';
import { parseExample, parseExamples, type ParseExamplesOptions } from '../src/index.js';

const words = ['<bos>', ' a', ' b', ' Paris', ' Ber', 'lin', ' is'];
const tokenizer = {
  encode: (text: string): number[] => {
    const ids: number[] = [];
    for (let rest = text; rest !== '';) {
      const id = words.findIndex((word) => rest.startsWith(word));
      if (id < 0) throw new Error(rest);
      ids.push(id);
      rest = rest.slice(words[id]!.length);
    }
    return ids;
  },
  decode: (ids: readonly number[]): string => ids.map((id) => words[id]).join(''),
};
const model = { vocabulary: words.length, maxPositions: 6, bosId: 0 };
const options: ParseExamplesOptions = { model, tokenizer, file: 'x.jsonl' };

const codeOf = (line: string, more: Partial<ParseExamplesOptions> = {}): { code?: string; message: string } => {
  try {
    parseExamples(line, { ...options, ...more });
  } catch (error) {
    return error as { code?: string; message: string };
  }
  throw new Error('was not refused');
};

describe('parseExamples', () => {
  it('takes text, which gets one BOS, and ids, which are verbatim; roles and entities', () => {
    const lines = [
      { prompt: ' a is', correct: ' Paris', wrong: ' b', entities: ['A', 'B'] },
      { prompt: [1, 6], correct: 3, wrong: 2, roles: [null, 'last'] },
    ];
    expect(parseExamples(`${lines.map((line) => JSON.stringify(line)).join('\n')}\n\n`, options)).toEqual([
      { prompt: [0, 1, 6], correct: 3, wrong: 2, entities: ['A', 'B'] },
      { prompt: [1, 6], correct: 3, wrong: 2, roles: [undefined, 'last'] },
    ]);
    expect(parseExamples(JSON.stringify(lines[0]), { ...options, bos: false })[0]!.prompt).toEqual([1, 6]);
  });

  it('refuses an answer of several tokens, and shows them', () => {
    const { code, message } = codeOf(`\n${JSON.stringify({ prompt: ' a', correct: ' Paris', wrong: ' Berlin' })}`);
    expect(code).toBe('data/steering-answer');
    expect(message).toBe('x.jsonl:2 has "wrong": " Berlin", which is 2 tokens: " Ber" "lin".');
  });

  it('takes one example that stands in no file, with errors that begin as one says', () => {
    const given = { prompt: ' a is', correct: ' Paris', wrong: ' b' };
    expect(parseExample(given, options)).toEqual({ prompt: [0, 1, 6], correct: 3, wrong: 2 });
    const said = (wrong: string | number): unknown => {
      try {
        return parseExample({ ...given, wrong }, { ...options, file: '--wrong' });
      } catch (error) {
        return error;
      }
    };
    expect(said(' Berlin')).toMatchObject({
      code: 'data/steering-answer',
      message: '--wrong has "wrong": " Berlin", which is 2 tokens: " Ber" "lin".',
    });
    expect(said(99)).toMatchObject({ code: 'data/steering-answer' });
  });

  it.each<[string, unknown, Partial<ParseExamplesOptions>]>([
    ['data/steering-json', undefined, {}],
    ['data/steering-field', [1], {}],
    ['data/steering-field', { prompt: 5, correct: 1, wrong: 2 }, {}],
    ['data/steering-field', { prompt: [1], correct: [1], wrong: 2 }, {}],
    ['data/steering-field', { prompt: [1], correct: 1, wrong: 2, roles: [5] }, {}],
    ['data/steering-field', { prompt: [1], correct: 1, wrong: 2, entities: [null] }, {}],
    ['data/steering-answer', { prompt: [1], correct: 1, wrong: 1 }, {}],
    ['data/steering-answer', { prompt: [1], correct: 99, wrong: 1 }, {}],
    ['data/steering-answer', { prompt: [1], correct: '', wrong: 1 }, {}],
    ['data/steering-prompt', { prompt: [], correct: 1, wrong: 2 }, {}],
    ['data/steering-prompt', { prompt: [1, 1, 1, 1, 1, 1, 1], correct: 1, wrong: 2 }, {}],
    ['data/steering-roles', { prompt: [1], correct: 1, wrong: 2, roles: ['a', 'b'] }, {}],
    ['data/steering-no-tokenizer', { prompt: ' a', correct: 1, wrong: 2 }, { tokenizer: undefined }],
    ['data/steering-no-bos', { prompt: ' a', correct: 1, wrong: 2 }, { model: { vocabulary: 7, maxPositions: 6 } }],
  ])('%s for %o', (code, line, more) => {
    const found = codeOf(line === undefined ? '{' : JSON.stringify(line), more);
    expect(found.code).toBe(code);
    expect(found.message).toMatch(/^x\.jsonl:1/);
  });

  it('refuses a file without examples', () => {
    expect(codeOf('\n').code).toBe('data/steering-empty');
  });
});
