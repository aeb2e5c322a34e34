// Prompts as callers have them: ids, a tokenizer's result, several, a batch; and what is refused by name because it is none of them.
import { refusal } from '@limn/testing';
import { describe, expect, test } from 'vitest';
import {
  asTokenBatch,
  generate,
  logitLens,
  runWithCache,
  runWithHooks,
  tokenBatch,
  type TokenBatch,
} from '../src/index.js';
import { toy } from './toy.js';

/** What no type allows and plain JavaScript gives all the same. */
const given = (value: unknown): never => value as never;

describe('asTokenBatch', () => {
  test.each([
    ['ids', [1, 4], [[1, 4]]],
    ['a typed array', Uint32Array.of(1, 4), [[1, 4]]],
    ['what a tokenizer gives', { text: 'ab', ids: [1, 4], prependBos: true }, [[1, 4]]],
    ['several prompts', [[1, 4], Uint32Array.of(2)], [[1, 4], [2]]],
    ['several of what a tokenizer gives', [{ ids: [1, 4] }, { ids: Uint32Array.of(2) }], [[1, 4], [2]]],
  ])('reads %s', async (_, tokens, list) => {
    const { info } = await toy();
    expect(asTokenBatch(tokens, { info })).toEqual(tokenBatch(list, info));
  });

  test('a batch is given back as it is', async () => {
    const model = await toy();
    const batch = tokenBatch([[1, 4], [2]], model.info);
    expect(asTokenBatch(batch, model)).toBe(batch);
  });

  test.each([
    ['text', 'Hello', '"Hello"'],
    ['texts', ['Hello'], '"Hello"'],
    ['nothing', undefined, 'missing'],
    ['null', null, 'null'],
    ['a number', 5, '5'],
    ['a function', () => 1, '=>'],
    ['a list with null', [null], 'null'],
    ['a list of lists and ids', [1, [2]], 'prompt 0: 1 is no list'],
    ['lists with text', [[1], 'Hello'], '"Hello"'],
    ['ids that are text', { ids: 'Hello' }, '"Hello"'],
    ['nothing for ids', { ids: undefined }, 'missing'],
    ['64-bit ids', [5n], '5n is no token id'],
  ])('refuses %s', async (_, tokens, shown) => {
    const model = await toy();
    const error = await refusal(() => asTokenBatch(given(tokens), model));
    expect(error).toMatchObject({ code: 'tokens/not-ids', hint: expect.stringContaining('tokenizer.encode') });
    expect(error.message).toContain(shown);
  });

  test.each([
    ['no prompt at all', [], 'no tokens'],
    ['a prompt of no tokens', Uint32Array.of(), 'prompt 0 has no tokens'],
    ['a text of no tokens', { ids: [] }, 'prompt 0 has no tokens'],
  ])('refuses %s, and says how to have some', async (_, tokens, message) => {
    const model = await toy();
    const error = await refusal(() => asTokenBatch(tokens, model));
    expect(error).toMatchObject({ code: 'tokens/empty', hint: expect.stringContaining('BOS') });
    expect(error.message).toContain(message);
  });

  const batch: TokenBatch = { ids: Uint32Array.of(1, 4, 2, 0), B: 2, T: 2, lengths: [2, 1] };
  test.each([
    ['ids that are a list', { ids: [1, 4, 2, 0] }, 'Uint32Array'],
    ['too few ids', { ids: Uint32Array.of(1) }, '4'],
    ['no B', { B: undefined }, 'B is missing'],
    ['a T that is none', { T: 1.5 }, 'T is 1.5'],
    ['no lengths', { lengths: undefined }, 'lengths'],
    ['a length too many', { lengths: [2, 1, 1] }, 'lengths'],
    ['a length beyond T', { lengths: [3, 1] }, 'lengths'],
    ['a row without tokens', { lengths: [2, 0] }, 'lengths'],
  ])('refuses a batch with %s', async (_, fault, message) => {
    const model = await toy();
    const error = await refusal(() => asTokenBatch(given({ ...batch, ...fault }), model));
    expect(error).toMatchObject({ code: 'tokens/bad-batch', hint: expect.stringContaining('tokenBatch') });
    expect(error.message).toContain(message);
  });

  test('refuses a batch that was made for a larger vocabulary or more positions', async () => {
    const model = await toy();
    const { vocabulary, maxPositions } = model.info;
    const wide = tokenBatch([[1, 99]], { vocabulary: 100, maxPositions });
    expect(await refusal(() => asTokenBatch(wide, model))).toMatchObject({ code: 'tokens/not-in-vocabulary' });
    const long = tokenBatch([Array.from({ length: maxPositions + 1 }, () => 1)], { vocabulary, maxPositions: 100 });
    expect(await refusal(() => asTokenBatch(long, model))).toMatchObject({ code: 'tokens/too-long' });
  });
});

test('every entry reads prompts the same way', async () => {
  const model = await toy();
  const encoded = { text: 'ab', ids: [1, 4], prependBos: false };
  const { logits } = await runWithCache(model, encoded);
  expect(logits.data).toEqual((await runWithCache(model, [[1, 4]])).logits.data);
  expect((await generate(model, encoded, { maxNewTokens: 1 })).tokens[0]?.slice(0, 2)).toEqual([1, 4]);
  const text = given('Hello');
  const calls = [
    () => runWithCache(model, text),
    () => runWithHooks(model, text, { hooks: [] }),
    () => logitLens(model, text),
    () => generate(model, text, { maxNewTokens: 1 }),
    () => tokenBatch([text], model.info),
    () => tokenBatch(text, model.info),
  ];
  for (const call of calls) expect(await refusal(call)).toMatchObject({ code: 'tokens/not-ids' });
});

test('a run refuses tokens that are no batch before it records anything', async () => {
  const model = await toy();
  const step = model.gpu.step();
  for (const tokens of [[[1, 4]], 'Hello', { ids: [1, 4] }])
    expect(await refusal(() => model.run(step, { tokens: given(tokens) }))).toMatchObject({ code: 'tokens/bad-batch' });
  step.dispose();
});
