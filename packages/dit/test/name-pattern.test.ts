// Expressions of configs match what Python's re matches, and none takes long: what a backtracking matcher would walk for years ends at once.
import { readFileSync } from 'node:fs';
import { refusal } from '@limn/testing';
import { expect, test } from 'vitest';
import { NamePattern } from '../src/modules/name-pattern.js';
import { moduleChooser, patternedValue } from '../src/modules/target-modules.js';
import { golden } from './folders.js';

const { names, cases } = JSON.parse(readFileSync(golden('patterns.json'), 'utf8')) as {
  names: string[];
  cases: [expression: string, found: boolean[] | null][];
};
/** Python reads these, and this reader refuses them by code. */
const NOT_READ = ['(a)\\1', '(?i)LM_HEAD', '(?P<a>a)(?P=a)'];

test.each(cases.map(([expression, found]) => ({ expression, found })))('$expression', async ({ expression, found }) => {
  if (found === null || NOT_READ.includes(expression))
    expect((await refusal(() => new NamePattern(expression))).code).toBe('data/peft-pattern');
  else {
    const pattern = new NamePattern(expression);
    expect(names.map((name) => pattern.matches(name))).toEqual(found);
  }
});

test('Python matched something with most of them, so that equality says something', () => {
  const hits = cases.flatMap(([, found]) => found ?? []).filter(Boolean).length;
  expect(hits).toBeGreaterThan(100);
  expect(cases.length).toBeGreaterThan(60);
});

test.each([
  '(a+)+b',
  '(a*)*b',
  '((a*)*)*b',
  '(a|aa)+b',
  '(a|a)*b',
  '(.*)*(.*)*(.*)*b',
  '(a?){500}a{60}b',
  '(((a{0,99}){0,99}){0,99}){0,99}b',
  '(((a{99}){99}){99}){99}b',
  '(((((((((a*)*)*)*)*)*)*)*)*)*b',
  `${'(?=.*a)'.repeat(60)}.*b`,
  `${'(a*)'.repeat(100)}b`,
  '(?:(?=a*)a)*b',
  '.*(?<=(a|aa)*)b',
])('%s on sixty a’s', (bomb) => {
  const before = process.cpuUsage();
  // None matches: the names have no b. Some may be refused for their steps; neither takes a second.
  let matched = false;
  try {
    matched = new NamePattern(bomb).matches('a'.repeat(60));
  } catch (error) {
    expect((error as { code?: string }).code).toBe('data/peft-pattern');
  }
  expect(matched).toBe(false);
  expect(process.cpuUsage(before).user).toBeLessThan(1e6);
});

test.each([
  ['longer than a thousand characters', 'a'.repeat(1001)],
  ['sixty groups in each other', `${'('.repeat(60)}a${')'.repeat(60)}`],
  ['a possessive repeat', 'a++'],
  ['an atomic group', '(?>a)'],
  ['a conditional', '(a)?(?(1)b|c)'],
  ['a comment', '(?#x)a'],
  ['a backslash at its end', 'a\\'],
  ['a repeated anchor', '^*a'],
])('%s is refused', async (_, source) => {
  expect((await refusal(() => new NamePattern(source))).code).toBe('data/peft-pattern');
});

test('a thousand bombs in one file take no longer than one', async () => {
  const value = patternedValue(new Map(Array.from({ length: 1000 }, (_, i) => [`(a*)*(b|${i})`, i])));
  const before = process.cpuUsage();
  expect((await refusal(() => value('a'.repeat(100)))).code).toBe('data/peft-pattern');
  expect(process.cpuUsage(before).user).toBeLessThan(3e6);
});

test('names, ends of names, layers and exceptions choose what PEFT’s rules choose', () => {
  const modules = [
    'transformer.h.0.attn.c_proj',
    'transformer.h.0.mlp.c_proj',
    'transformer.h.10.mlp.c_proj',
    'transformer.h.1.attn.c_attn',
  ];
  const chosen = (...[choice]: Parameters<typeof moduleChooser>): number[] => {
    const has = moduleChooser(choice);
    return modules.flatMap((name, i) => (has(name) ? [i] : []));
  };
  expect(chosen({ targets: ['c_proj'] })).toEqual([0, 1, 2]);
  expect(chosen({ targets: ['attn.c_proj'] })).toEqual([0]);
  expect(chosen({ targets: ['proj'] })).toEqual([]);
  expect(chosen({ targets: [modules[2] as string] })).toEqual([2]);
  expect(chosen({ targets: 'ALL-linear', exclude: ['mlp.c_proj'] })).toEqual([0, 3]);
  expect(chosen({ targets: ['c_proj', 'c_attn'], exclude: '.*mlp.*' })).toEqual([0, 3]);
  expect(chosen({ targets: ['c_proj'], layers: [0] })).toEqual([0, 1]);
  expect(chosen({ targets: ['c_proj', 'c_attn'], layers: [1, 10], layersPattern: ['layers', 'h'] })).toEqual([2, 3]);
  expect(chosen({ targets: ['c_proj'], layers: [0], layersPattern: ['layers'] })).toEqual([]);
  expect(chosen({ targets: [] })).toEqual([]);
  const value = patternedValue(
    new Map([
      ['attn.c_proj', 2],
      ['.*c_proj', 3],
      ['^h.1', 4],
    ]),
  );
  expect(modules.map(value)).toEqual([2, 3, 3, undefined]);
});
