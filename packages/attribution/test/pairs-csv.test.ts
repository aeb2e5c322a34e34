// The EAP-IG repository's CSV: RFC 4180 with the place of every fault, its columns and labels, and pairs written and read back.
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { ModelTokenizer } from '@limn/gpt2';
import { openFolder } from '@limn/gpt2/node';
import { referenceRandom } from '@limn/testing';
import { describe, expect, it } from 'vitest';
import { csvField, csvRecords } from '../src/csv.js';
import { checkAlignment, formatOf, pairsToCsv, pairsToJsonLines, parsePairs } from '../src/index.js';
import type { PairTokenizer, ParsePairsOptions } from '../src/index.js';

/** Words with their leading space and two-digit numbers, ids in the order of appearance from 200; numbers are their own ids. */
function smallTokenizer(): PairTokenizer {
  const pieces = new Map<string, number>();
  const texts = new Map<number, string>();
  return {
    bosId: 199,
    encode: (text) =>
      [...text.matchAll(/\d\d| ?\p{L}+| ?[^\s]|\s/gu)].map(([piece]) => {
        const id = pieces.get(piece) ?? (/^\d\d$/.test(piece) ? Number(piece) : 200 + pieces.size);
        pieces.set(piece, id);
        texts.set(id, piece);
        return id;
      }),
    decode: (ids) => ids.map((id) => texts.get(id) ?? '').join(''),
  };
}
const options = (more: Partial<ParsePairsOptions> = {}): ParsePairsOptions => ({
  model: { vocabulary: 100_000, maxPositions: 64 },
  tokenizer: smallTokenizer(),
  file: 'p.csv',
  ...more,
});
const thrown = (text: string, more: Partial<ParsePairsOptions> = {}): { code: string; message: string } => {
  try {
    parsePairs(text, options(more));
  } catch (error) {
    return error as { code: string; message: string };
  }
  throw new Error('nothing was thrown');
};

describe('RFC 4180', () => {
  const texts = (csv: string): string[][] => [...csvRecords(csv, 'f')].map((record) => record.map(({ text }) => text));

  it.each<[string, string[][]]>([
    [
      'a,b\n1,2\n',
      [
        ['a', 'b'],
        ['1', '2'],
      ],
    ],
    [
      'a,b\r\n1,2\r\n\r\n3,',
      [
        ['a', 'b'],
        ['1', '2'],
        ['3', ''],
      ],
    ],
    ['"a,b","he said ""x"""\n', [['a,b', 'he said "x"']]],
    [
      '"two\nlines\r\nthree",""\n,',
      [
        ['two\nlines\r\nthree', ''],
        ['', ''],
      ],
    ],
    ['\n\na\n""""', [['a'], ['"']]],
    ['', []],
  ])('%j', (csv, want) => {
    expect(texts(csv)).toEqual(want);
  });

  it('says where a field begins', () => {
    const fields = [...csvRecords('a,bb\n"x\ny",z\nlast,"q"', 'f')].flat();
    expect(fields.map(({ text, line, column }) => [text, line, column])).toEqual([
      ['a', 1, 1],
      ['bb', 1, 3],
      ['x\ny', 2, 1],
      ['z', 3, 4],
      ['last', 4, 1],
      ['q', 4, 6],
    ]);
  });

  it.each([
    ['a,"b\nc,d\n', 'f:1:3 opens a quote that is never closed'],
    ['a\n"b"c,d\n', 'f:2:4 has text behind a closing quote'],
    ['a\nb,it"s\n', 'f:2:5 has a quote inside of an unquoted field'],
    ['a\rb\n', 'f:1:2 has a carriage return that ends no line'],
    ['a,b\n"c\nd\0"', 'f:3:2 holds a NUL character'],
    [`a,${'x'.repeat(2 ** 20 + 1)}`, 'f:1:3 begins a field of more than'],
    [`a,"${'x\n'.repeat(2 ** 19)}"`, 'f:1:3 begins a field of more than'],
  ])('refuses %j', (csv, message) => {
    expect(() => [...csvRecords(csv, 'f')]).toThrow(
      expect.objectContaining({ code: 'data/pairs-csv', message: expect.stringContaining(message) as string }),
    );
  });

  it('gives back 500 random tables, and refuses random bytes by code alone', () => {
    const random = referenceRandom(5);
    const below = (n: number): number => Math.floor(random.uniform() * n);
    const text = (alphabet: string): string =>
      Array.from({ length: below(6) }, () => alphabet[below(alphabet.length)]).join('');
    for (let round = 0; round < 500; round++) {
      // One field more than nothing, since a line of one empty field is an empty line.
      const table = Array.from({ length: 1 + below(4) }, () => [
        'x',
        ...Array.from({ length: 3 }, () => text('ab",\n\r é')),
      ]);
      const end = round % 2 === 0 ? '\n' : '\r\n';
      expect(texts(table.map((row) => row.map(csvField).join(',')).join(end))).toEqual(table);
      const noise = `clean,corrupted,label\n${text('a",\n\r\0[]5')}${text('a",\n\r[]5')},${text('"5[]{}')}`;
      try {
        parsePairs(noise, options());
      } catch (error) {
        expect((error as { code: string }).code, noise).toMatch(/^data\/pairs-/);
      }
    }
  });

  it('gives back what was written, whatever the text', () => {
    const fields = ['plain', 'a,b', '"', 'x"y\r\nz', '', ' spaces ', '\n', 'ünï ☃'];
    expect(texts(`${fields.map(csvField).join(',')}\n`)).toEqual([fields]);
  });
});

describe('labels', () => {
  const row = (label: string, header = 'clean,corrupted,label') =>
    `${header}\nfrom 1732 to 17,from 1701 to 17,${label}\n`;
  const read = (text: string, more: Partial<ParsePairsOptions> = {}) => parsePairs(text, options(more));

  it('a year: later two-digit tokens are correct, the others are not, and the metric is prob-diff', () => {
    const { pairs, metric, bos } = read(row('32'));
    expect(metric).toBe('prob-diff');
    expect(bos).toBe('prepended');
    expect(pairs[0]?.correct).toEqual(Array.from({ length: 67 }, (_, i) => 33 + i));
    expect(pairs[0]?.incorrect).toEqual(Array.from({ length: 33 }, (_, i) => i));
    expect(pairs[0]?.clean[0]).toBe(199);
    expect(read(row('08')).pairs[0]?.incorrect).toHaveLength(9);
    expect(read(row('98')).pairs[0]?.correct).toEqual([99]);
    expect(read('clean,corrupted,correct_idx\na 17,b 17,5\n').pairs[0]?.incorrect).toHaveLength(6);
  });

  it.each<[string, number[], number[]]>([
    ['"[7, 8]"', [7], [8]],
    ['"[[7, 9], [8]]"', [7, 9], [8]],
    ['"{""correct"": [7], ""incorrect"": [8, 6]}"', [7], [8, 6]],
  ])('%s', (label, correct, incorrect) => {
    const { pairs, metric } = read(row(label), { tokenizer: smallTokenizer() });
    expect([pairs[0]?.correct, pairs[0]?.incorrect]).toEqual([correct, incorrect]);
    expect(metric).toBeUndefined();
  });

  it('texts, as single tokens', () => {
    const tokenizer = smallTokenizer();
    const { pairs } = read(row('"["" he"", "" she""]"'), { tokenizer });
    expect([...(pairs[0]?.correct ?? []), ...(pairs[0]?.incorrect ?? [])].map((id) => tokenizer.decode([id]))).toEqual([
      ' he',
      ' she',
    ]);
    expect(thrown(row('"["" he went"", "" she""]"')).code).toBe('data/pairs-answer');
  });

  it.each([
    ['correct_idx,incorrect_idx', '7,8', [7], [8], undefined],
    ['answers_idx,corrupted_answers_idx', '"[7, 9]","[8]"', [7, 9], [8], 'prob-diff'],
    ['country_idx,corrupted_country_idx', '7,8', [7], [8], undefined],
    ['clean_answer_idx,corrupted_answer_idx', '7,8', [7], [8], undefined],
    ['correct,incorrect', '"[7]","[8]"', [7], [8], undefined],
  ] as const)('the columns %s', (columns, values, correct, incorrect, metric) => {
    const found = read(`extra,corrupted,clean,${columns}\n?,b 17,a 17,${values}\n`);
    expect(found.pairs[0]).toMatchObject({ correct, incorrect });
    expect(found.metric).toBe(metric);
  });

  it('the number of a subject, with the verbs that agree', () => {
    const verbs = { singular: [3, 5], plural: [4, 6] };
    const text = 'clean,corrupted,plural\nThe keys by it,The key by it,1\nThe key by it,The keys by it,False\n';
    expect(read(text, { verbs }).pairs.map(({ correct, incorrect }) => [correct, incorrect])).toEqual([
      [
        [4, 6],
        [3, 5],
      ],
      [
        [3, 5],
        [4, 6],
      ],
    ]);
    expect(thrown(text)).toMatchObject({ code: 'data/pairs-label', message: expect.stringContaining('p.csv:2:30') });
    expect(thrown(text.replace(',1\n', ',2\n'), { verbs }).code).toBe('data/pairs-label');
  });

  it('another column of corrupted prompts', () => {
    const text = 'clean,corrupted,corrupted_hard,correct_idx,incorrect_idx\na b c,a d c,a e c,7,8\n';
    const tokenizer = smallTokenizer();
    const hard = read(text, { corruptedColumn: 'corrupted_hard', tokenizer, bos: false });
    expect(tokenizer.decode(hard.pairs[0]?.corrupted ?? [])).toBe('a e c');
    expect(thrown(text, { corruptedColumn: 'nothing' }).code).toBe('data/pairs-csv-header');
  });
});

describe('what is refused', () => {
  it.each([
    ['clean,corrupted\na,b\n', 'data/pairs-csv-header', 'p.csv:1 has no column of answers'],
    ['clean,corrupted,label,clean\n', 'data/pairs-csv-header', 'two columns "clean"'],
    ['clean,corrupted,label\n', 'data/pairs-empty', 'p.csv'],
    ['clean,corrupted,label\na b,c d,32\na, b,c d,32\n', 'data/pairs-csv', 'p.csv:3 has 4 fields; the header names 3'],
    ['clean,corrupted,label\na b,c d,99\n', 'data/pairs-label', 'p.csv:2:9 has the year 99'],
    ['clean,corrupted,label\na b,c d,-1\n', 'data/pairs-label', 'p.csv:2:9 has the year -1'],
    ["clean,corrupted,label\na b,c d,\"['x', 'y']\"\n", 'data/pairs-label', 'p.csv:2:9'],
    ['clean,corrupted,label\na b,c d,\n', 'data/pairs-label', 'p.csv:2:9 has the label ""'],
    ['clean,corrupted,label\na b,c d,"[1, 2, 3]"\n', 'data/pairs-label', 'no known form'],
    ['clean,corrupted,label\na b,c d,"[[1], {}]"\n', 'data/pairs-field', 'p.csv:2'],
    ['clean,corrupted,label\na b c,c d,5\n', 'data/pairs-length-mismatch', 'p.csv:2: the clean prompt has 4 tokens'],
    ['clean,corrupted,label\na b,c d,"[1, 100000]"\n', 'data/pairs-unknown-id', 'p.csv:2'],
  ])('%j', (text, code, message) => {
    expect(thrown(text)).toMatchObject({ code, message: expect.stringContaining(message) as string });
  });

  it('years without a tokenizer, or with one that has no such tokens', () => {
    const text = 'clean,corrupted,label\na b,c d,32\n';
    expect(thrown(text, { tokenizer: undefined }).code).toBe('data/pairs-no-tokenizer');
    const letters = { encode: (words: string) => [...words].map((c) => c.charCodeAt(0)), decode: () => '', bosId: 1 };
    expect(thrown(text, { tokenizer: letters })).toMatchObject({
      code: 'data/pairs-answer',
      message: expect.stringContaining('no token for "00"'),
    });
  });

  it('a CSV file that is called one and has no header', () => {
    expect(thrown('a b,c d,32\n', { format: 'csv' })).toMatchObject({
      code: 'data/pairs-csv-header',
      message: expect.stringContaining('no column "clean"'),
    });
  });
});

describe('the format', () => {
  it.each([
    ['{"clean": [1]}', 'jsonl'],
    ['\uFEFF\n {"clean": [1]}', 'jsonl'],
    ['clean,corrupted,label\n', 'csv'],
    ['\uFEFF"label","clean","corrupted"\r\n', 'csv'],
    ['first,second\n', 'jsonl'],
    ['', 'jsonl'],
  ])('of %j is %s', (text, format) => {
    expect(formatOf(text)).toBe(format);
  });

  it('may have a byte order mark and CRLF', () => {
    const csv = '\uFEFFclean,corrupted,label\r\nthe year 1732 to 17,the year 1701 to 17,32\r\n';
    expect(parsePairs(csv, options()).pairs).toHaveLength(1);
    const json = '\uFEFF{"clean": [1], "corrupted": [2], "correct": [3], "incorrect": [4]}\r\n';
    expect(parsePairs(json, options()).pairs).toHaveLength(1);
  });
});

describe('pairs written as CSV', () => {
  it('are read back: years as labels, other answers as ids', () => {
    const text = 'clean,corrupted,label\nfrom 1732 to 17,from 1701 to 17,32\n"a, b ""c""","a, d ""c""","[[7,9],[8]]"\n';
    const given = options();
    const { pairs } = parsePairs(text, given);
    expect(pairsToCsv(pairs, given.tokenizer as PairTokenizer)).toBe(text);
  });

  it('are refused where the text does not give back the ids', () => {
    const tokenizer = smallTokenizer();
    tokenizer.encode(' a b');
    const [a, b] = tokenizer.encode(' a b') as [number, number];
    const pair = { clean: [a, 99_999], corrupted: [b, 99_999], correct: [1], incorrect: [2] };
    expect(() => pairsToCsv([pair], tokenizer)).toThrow(expect.objectContaining({ code: 'data/pairs-csv-text' }));
  });
});

describe('pairs written as JSON lines', () => {
  it('are text where the text gives back the ids, and ids elsewhere', () => {
    const given = options();
    const tokenizer = given.tokenizer as PairTokenizer;
    const { pairs } = parsePairs('clean,corrupted,label\na b,a c,"[["" he""],[99999]]"\n', given);
    const bare = { ...(pairs[0] as (typeof pairs)[0]), clean: [1, 2], corrupted: [3, 4] };
    const text = pairsToJsonLines([...pairs, bare], tokenizer);
    expect(text.split('\n').map((row) => (row === '' ? undefined : (JSON.parse(row) as unknown)))).toEqual([
      { clean: 'a b', corrupted: 'a c', correct: [' he'], incorrect: [99_999] },
      { clean: [1, 2], corrupted: [3, 4], correct: [' he'], incorrect: [99_999] },
      undefined,
    ]);
    expect(parsePairs(text, given).pairs).toEqual([...pairs, bare]);
    expect(parsePairs(pairsToJsonLines(pairs), { ...given, tokenizer: undefined }).pairs).toEqual(pairs);
  });
});

describe("EAP-IG's greater-than file with GPT-2's tokenizer", () => {
  const shared = path.resolve(import.meta.dirname, '../../../../shared');
  const file = path.join(shared, 'data/greater_than_eap_ig.csv');

  it('loads and aligns, all 1,000 rows', async (context) => {
    context.skip(!existsSync(file) || !existsSync(path.join(shared, 'gpt2-tokenizer')), 'shared/ is not there');
    const gpt2 = await ModelTokenizer.open(openFolder(path.join(shared, 'gpt2-tokenizer')), undefined);
    const known = new Map<string, readonly number[]>();
    const tokenizer: PairTokenizer = {
      encode: (text) => {
        const ids = known.get(text) ?? gpt2?.encode(text, { prependBos: false }).ids ?? [];
        known.set(text, ids);
        return ids;
      },
      decode: (ids) => gpt2?.decode(ids) ?? '',
      bosId: gpt2?.bosId,
    };
    const text = readFileSync(file, 'utf8');
    const given = { model: { vocabulary: 50_257, maxPositions: 1024 }, tokenizer, file: 'greater_than_eap_ig.csv' };
    const report = checkAlignment(text, given);
    expect(report).toMatchObject({ rows: 1000, aligned: 1000, misaligned: 0, faults: [], notes: [] });
    const { pairs, metric } = parsePairs(text, given);
    expect(pairs).toHaveLength(1000);
    expect(metric).toBe('prob-diff');
    const labels = text
      .trim()
      .split('\n')
      .slice(1)
      .map((line) => Number(line.split(',').at(-1)));
    expect(pairs.map(({ incorrect }) => incorrect.length - 1)).toEqual(labels);
    expect(pairs.every(({ correct, incorrect }) => correct.length + incorrect.length === 100)).toBe(true);
    expect(pairs.every(({ clean, corrupted }) => clean.filter((id, i) => id !== corrupted[i]).length === 1)).toBe(true);
    // What is written reads as the file did: its own bytes, since no field of it needs quotes.
    expect(pairsToCsv(pairs, tokenizer)).toBe(text.replaceAll('\r\n', '\n'));
  });
});
