// The checker of pairs: every row looked at, misaligned prompts side by side with the first difference marked, suggestions, and oddities.
import { describe, expect, it } from 'vitest';
import { checkAlignment } from '../src/index.js';
import type { CheckAlignmentOptions } from '../src/index.js';
import { suggestAlignment } from '../src/pair-alignment.js';

/** ' Zbigniew' is three tokens, every other word one. */
const WORDS = ['<bos>', ' Ann', ' Bob', ' met', ' Z', 'big', 'niew', ' and', ' left', ' ', ' she', ' he', 'Ann'];
const tokenizer = {
  bosId: 0,
  encode: (text: string) =>
    [...text.matchAll(/ ?[A-Z]?[a-z]+| /g)].flatMap(([word]) =>
      word === ' Zbigniew' ? [4, 5, 6] : [Math.max(WORDS.indexOf(word), 0)],
    ),
  decode: (ids: readonly number[]) => ids.map((id) => WORDS[id] ?? '?').join(''),
};
const options: CheckAlignmentOptions = {
  model: { vocabulary: WORDS.length, maxPositions: 8, bosId: 0 },
  tokenizer,
  file: 'p.jsonl',
};
const row = (clean: string, corrupted: string, more: object = {}): string =>
  JSON.stringify({ clean, corrupted, correct: [' she'], incorrect: [' he'], ...more });

describe('rows that cannot be used', () => {
  it('are all reported, with both rows of tokens and what to change', () => {
    const text = [
      row(' Ann met Bob', ' Bob met Ann'),
      row(' Ann met Bob and left', ' Ann met Zbigniew and left'),
      '{"clean": 5}',
      row(' Ann left', ' Bob left', { correct: [' Zbigniew'] }),
      row(' Bob left', 'Ann left'),
      row(' Ann met Ann met Ann met Ann met', ' Ann met Ann met Ann met Ann left'),
    ].join('\n');
    const report = checkAlignment(text, options);
    expect(report).toMatchObject({ rows: 6, aligned: 2, misaligned: 1 });
    expect(report.faults.map(({ where, code }) => [where, code])).toEqual([
      ['p.jsonl:2', 'data/pairs-length-mismatch'],
      ['p.jsonl:3', 'data/pairs-field'],
      ['p.jsonl:4', 'data/pairs-answer'],
      ['p.jsonl:6', 'data/pairs-too-long'],
    ]);
    expect(report.faults[0]).toMatchObject({
      firstDifference: 3,
      sideBySide: [
        '    clean      corrupted',
        '    …',
        '    1 " Ann"   1 " Ann"',
        '    3 " met"   3 " met"',
        '→ ≠ 2 " Bob"   4 " Z"',
        '  ≠ ·          5 "big"',
        '  ≠ ·          6 "niew"',
        '    7 " and"   7 " and"',
        '    8 " left"  8 " left"',
      ].join('\n'),
      suggestion: '" Zbigniew" is 3 tokens where " Bob" is 1 token: choose words of equally many tokens.',
    });
    expect(report.faults.every(({ suggestion = '' }) => suggestion !== '')).toBe(true);
    expect(checkAlignment(text, { ...options, most: 1 })).toMatchObject({ rows: 6, misaligned: 1, faults: [{}] });
  });

  it('are found among pairs made by a program as well', () => {
    const report = checkAlignment(
      [
        { clean: [1, 2], corrupted: [1, 3], correct: [4], incorrect: [5] },
        { clean: [1, 2, 3], corrupted: [1, 3], correct: [4], incorrect: [5] },
        { clean: [1, 99], corrupted: [1, 3], correct: [4], incorrect: [5] },
      ],
      { model: options.model },
    );
    expect(report.faults.map(({ where, code }) => [where, code])).toEqual([
      ['pair 2', 'data/pairs-length-mismatch'],
      ['pair 3', 'data/pairs-unknown-id'],
    ]);
    expect(report.faults[0]).toMatchObject({
      firstDifference: 1,
      suggestion: 'take "2" (1 token) out of the clean prompt, or put as much into the corrupted one.',
    });
    expect(report.lengths).toEqual([{ tokens: 2, pairs: 1 }]);
  });
});

describe('suggestions', () => {
  const suggest = (clean: string, corrupted: string): string | undefined =>
    suggestAlignment(tokenizer.encode(clean), tokenizer.encode(corrupted), tokenizer);

  it.each([
    [
      ' Ann met Bob',
      ' Ann met Bob and',
      'take " and" (1 token) out of the corrupted prompt, or put as much into the clean one.',
    ],
    [' Ann left', '  Ann left', 'take " " (1 token) out of the corrupted prompt, or put as much into the clean one.'],
    [
      ' Ann and Bob met',
      ' Bob and Zbigniew met',
      '" Zbigniew" is 3 tokens where " Bob" is 1 token: choose words of equally many tokens.',
    ],
    [
      'Ann left',
      ' Zbigniew left',
      '" Zbigniew" is 3 tokens where "Ann" is 1 token: choose words of equally many tokens.',
    ],
    [' Ann met', ' Bob met', undefined],
  ])('for %j against %j', (clean, corrupted, want) => {
    expect(suggest(clean, corrupted)).toBe(want);
  });
});

describe('oddities', () => {
  it.each([
    ['identical', row(' Ann left', ' Ann left')],
    ['last-token', row(' Ann met', ' Ann left')],
    ['shifted', row(' Ann met Zbigniew', ' Zbigniew met Ann')],
    ['repeated-answer', row(' Ann left', ' Bob left', { incorrect: [' he', ' he'] })],
    ['trailing-space', row(' Ann met ', ' Bob met ')],
  ])('%s', (code, text) => {
    const { notes, aligned } = checkAlignment(`${row(' Ann left', ' Bob left')}\n${text}\n${text}`, options);
    expect(aligned).toBe(3);
    expect(notes.filter((note) => note.code === code)).toEqual([
      expect.objectContaining({ code, rows: 2, first: 'p.jsonl:2' }),
    ]);
  });

  it('are not what a corrupted word or two make', () => {
    const text = `${row(' Ann met Bob and left', ' Bob met Ann and left')}\n${row(' Ann left', ' Bob left')}`;
    expect(checkAlignment(text, options).notes).toEqual([]);
  });
});

it('throws only where rows cannot be told apart', () => {
  expect(() => checkAlignment('clean,corrupted,label\n"a,b,32\n', options)).toThrow(
    expect.objectContaining({ code: 'data/pairs-csv' }),
  );
  expect(checkAlignment('', options)).toMatchObject({ rows: 0, aligned: 0, faults: [] });
});
