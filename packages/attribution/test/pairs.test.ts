import { describe, expect, it } from 'vitest';
import { align, checkPairs, parsePairs } from '../src/index.js';
import type { ParsePairsOptions } from '../src/index.js';

const words = ['<bos>', ' the', ' cat', ' dog', ' sat', ' very', ' still', ' on'];
const tokenizer = {
  encode: (text: string) =>
    [...text.matchAll(/ \S+/g)].map(([word]) => {
      const id = words.indexOf(word);
      return id < 0 ? 99 : id;
    }),
  decode: (ids: readonly number[]) => ids.map((id) => words[id] ?? '?').join(''),
};
const options: ParsePairsOptions = {
  model: { vocabulary: 8, maxPositions: 6, bosId: 0 },
  tokenizer,
  file: 'pairs.jsonl',
};
const line = (fields: object): string =>
  JSON.stringify({ clean: [1, 2], corrupted: [1, 3], correct: [4], incorrect: [6], ...fields });
const codeOf = (text: string, more: Partial<ParsePairsOptions> = {}): string => {
  try {
    parsePairs(text, { ...options, ...more });
  } catch (error) {
    return (error as { code: string }).code;
  }
  return 'no error';
};

describe('pairs files', () => {
  it('take ids verbatim and give text one BOS', () => {
    const text = `${line({})}\n\n${line({ clean: ' the cat', corrupted: ' the dog', correct: [' sat'], incorrect: [' still', 7] })}\n`;
    expect(parsePairs(text, options)).toEqual({
      pairs: [
        { clean: [1, 2], corrupted: [1, 3], correct: [4], incorrect: [6] },
        { clean: [0, 1, 2], corrupted: [0, 1, 3], correct: [4], incorrect: [6, 7] },
      ],
      places: ['pairs.jsonl:1', 'pairs.jsonl:3'],
      refused: [],
      repeated: [],
      bos: 'prepended',
    });
    const model = { vocabulary: 8, maxPositions: 6 };
    const named = parsePairs(line({ clean: ' the cat', corrupted: ' the dog' }), {
      ...options,
      model,
      tokenizer: { ...tokenizer, bosId: 7 },
    });
    expect(named.pairs[0]?.clean).toEqual([7, 1, 2]);
    const bare = parsePairs(line({ clean: ' the cat', corrupted: ' the dog' }), { ...options, bos: false });
    expect(bare.bos).toBe('none');
    expect(bare.pairs[0]?.clean).toEqual([1, 2]);
  });

  it('show token by token where two prompts part', () => {
    const bad = line({ clean: ' the cat sat', corrupted: ' the cat very still sat' });
    expect(() => parsePairs(`${line({})}\n${bad}`, options)).toThrow(
      [
        'pairs.jsonl:2: the clean prompt has 4 tokens and the corrupted one 6:',
        '    clean      corrupted',
        '    …',
        '    1 " the"   1 " the"',
        '    2 " cat"   2 " cat"',
        '→ ≠ ·          5 " very"',
        '  ≠ ·          6 " still"',
        '    4 " sat"   4 " sat"',
      ].join('\n'),
    );
  });

  it('align by the fewest edits', () => {
    expect(align([1, 2, 3], [1, 9, 3])).toEqual([
      [1, 1],
      [2, 9],
      [3, 3],
    ]);
    expect(align([1, 2, 3], [1, 3])).toEqual([
      [1, 1],
      [2, undefined],
      [3, 3],
    ]);
    expect(align([], [5])).toEqual([[undefined, 5]]);
  });

  it.each([
    ['', 'data/pairs-empty'],
    ['{"clean": [1', 'data/pairs-json'],
    ['[1]', 'data/pairs-json'],
    ['{"clean": [1], "corrupted": [1], "correct": [1]}', 'data/pairs-field'],
    [line({ clean: 5 }), 'data/pairs-field'],
    [line({ clean: [], corrupted: [] }), 'data/pairs-field'],
    [line({ correct: 4 }), 'data/pairs-field'],
    [line({ correct: [null] }), 'data/pairs-field'],
    [line({ clean: [1, 8] }), 'data/pairs-unknown-id'],
    [line({ clean: [1, 1.5] }), 'data/pairs-unknown-id'],
    [line({ incorrect: [-1] }), 'data/pairs-unknown-id'],
    [line({ clean: [1, 2, 3] }), 'data/pairs-length-mismatch'],
    [line({ clean: [1, 1, 1, 1, 1, 1, 1], corrupted: [1, 1, 1, 1, 1, 1, 2] }), 'data/pairs-too-long'],
    [line({ correct: [' sat on'] }), 'data/pairs-answer'],
    [line({ correct: ['x'] }), 'data/pairs-answer'],
    [line({ correct: [5, 6] }), 'data/pairs-answers'],
  ])('refuse %s with %s', (text, code) => {
    expect(codeOf(text)).toBe(code);
  });

  it('refuse text without a tokenizer or a BOS', () => {
    const text = line({ clean: ' the cat', corrupted: ' the dog' });
    expect(codeOf(text, { tokenizer: undefined })).toBe('data/pairs-no-tokenizer');
    expect(codeOf(text, { model: { vocabulary: 8, maxPositions: 6 } })).toBe('data/pairs-no-bos');
  });

  it('count an answer once that a list names twice, and say in which rows', () => {
    const { pairs, repeated } = parsePairs(`${line({})}\n${line({ correct: [4, 5, 4], incorrect: [6, 6] })}`, options);
    expect(pairs[1]).toMatchObject({ correct: [4, 5], incorrect: [6] });
    expect(repeated).toEqual(['pairs.jsonl:2']);
  });

  it('check pairs made by a program as well', () => {
    const pair = { clean: [1], corrupted: [2], correct: [5], incorrect: [6] };
    for (const [answers, what] of [
      [{ correct: [5, 5] }, /pair 2: the answer " \S+" \(id 5\) stands twice in "correct"/],
      [{ incorrect: [6, 4, 6] }, /stands twice in "incorrect"/],
      [{ incorrect: [6, 5] }, /is both correct and incorrect/],
    ] as const) {
      const check = () => checkPairs([pair, { ...pair, ...answers }], options);
      expect(check).toThrow(
        expect.objectContaining({ code: 'data/pairs-answers', message: expect.stringMatching(what) }),
      );
    }
    expect(() => checkPairs([{ clean: [1], corrupted: [1, 2], correct: [], incorrect: [] }], options)).toThrow(
      expect.objectContaining({ code: 'data/pairs-length-mismatch' }),
    );
  });
});

describe('bad rows among good ones', () => {
  const bad = [
    line({ clean: [1, 2, 3] }),
    '{"clean": [NaN, 2]}',
    line({ correct: [' sat on'] }),
    line({ clean: [1, 1, 1, 1, 1, 1, 1], corrupted: [1, 1, 1, 1, 1, 1, 2] }),
  ];
  const text = [line({}), bad[0], bad[1], line({ clean: [1, 3] }), bad[2], bad[3]].join('\n');
  const codes = ['data/pairs-length-mismatch', 'data/pairs-json', 'data/pairs-answer', 'data/pairs-too-long'];
  const lines = [2, 3, 5, 6].map((number) => `pairs.jsonl:${number}`);

  it('refuse the file by the first of them, and all are named', () => {
    const refuse = () => parsePairs(text, options);
    expect(refuse).toThrow(expect.objectContaining({ code: codes[0] }));
    expect(refuse).toThrow(
      '3 more rows cannot be used: pairs.jsonl:3 (data/pairs-json), pairs.jsonl:5 (data/pairs-answer), pairs.jsonl:6 (data/pairs-too-long)',
    );
  });

  it('are left out by name where that is asked for, and the others keep their places', () => {
    const { pairs, places, refused } = parsePairs(text, { ...options, skipBadRows: true });
    expect(pairs.map(({ clean }) => clean)).toEqual([
      [1, 2],
      [1, 3],
    ]);
    expect(places).toEqual(['pairs.jsonl:1', 'pairs.jsonl:4']);
    expect(refused.map(({ where }) => where)).toEqual(lines);
    expect(refused.map(({ code }) => code)).toEqual(codes);
    expect(refused[1]?.message).toContain('pairs.jsonl:3 is not JSON');
  });

  it('are an error where nothing else is there', () => {
    const skip = { ...options, skipBadRows: true };
    expect(() => parsePairs(bad.join('\n'), skip)).toThrow(expect.objectContaining({ code: 'data/pairs-quarantined' }));
    expect(() => parsePairs('', skip)).toThrow(expect.objectContaining({ code: 'data/pairs-empty' }));
  });

  it('of a CSV file are left out as well: labels, fields, years', () => {
    const csv = [
      'clean,corrupted,label',
      ' the cat, the dog,"[4, 6]"',
      ' the cat, the dog,NaN',
      ' the cat, the dog',
      ' the, the cat,"[4, 6]"',
      ' the dog, the cat,"[6, 4]"',
    ].join('\n');
    const { pairs, refused } = parsePairs(csv, { ...options, file: 'p.csv', skipBadRows: true });
    expect(pairs).toHaveLength(2);
    expect(refused.map(({ where, code }) => [where, code])).toEqual([
      ['p.csv:3', 'data/pairs-label'],
      ['p.csv:4', 'data/pairs-csv'],
      ['p.csv:5', 'data/pairs-length-mismatch'],
    ]);
  });
});
