// The vocabulary: size, order, words used, and its coded errors.
import { describe, expect, it } from 'vitest';
import { NUMBERS, Random, TasksError, VOCABULARY, decode, drawDocument, encode, idOf, wordOf } from '@limn/tasks';
import { thrownBy } from './thrown-by.js';

describe('vocabulary', () => {
  it('has distinct tokens without white space, the end-of-text token first, then 00 … 99', () => {
    expect(VOCABULARY.length).toBeGreaterThanOrEqual(370);
    expect(VOCABULARY.length).toBeLessThanOrEqual(450);
    expect(new Set(VOCABULARY).size).toBe(VOCABULARY.length);
    expect(VOCABULARY.every((token) => /^\S+$/.test(token))).toBe(true);
    expect(VOCABULARY[0]).toBe('<|endoftext|>');
    expect(VOCABULARY.slice(1, 101)).toEqual(NUMBERS);
  });

  it('is used whole by the corpus', () => {
    const used = new Set([0]);
    const random = new Random('coverage');
    for (let i = 0; i < 20_000; i++) for (const id of drawDocument(random).tokens) used.add(id);
    expect(VOCABULARY.filter((_, id) => !used.has(id) && !NUMBERS.includes(wordOf(id)))).toEqual([]);
  });

  it('encodes and decodes words', () => {
    const text = 'the keys on the cabinet are old .';
    expect(decode(encode(text))).toBe(text);
    expect(encode('')).toEqual([]);
  });

  it('names the nearest word when one is unknown', () => {
    const error = thrownBy(() => idOf('sparow'));
    expect(error).toBeInstanceOf(TasksError);
    expect(error).toMatchObject({ code: 'tasks/unknown-word', details: { word: 'sparow', nearest: 'sparrow' } });
    expect(thrownBy(() => wordOf(100_000))).toMatchObject({ code: 'tasks/unknown-id' });
  });
});
