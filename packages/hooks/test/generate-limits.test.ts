// Generation at the ends of its settings and against a careless caller: limits that leave one token, prompts in other forms or changed meanwhile.
import { LimnError } from '@limn/gpu';
import { refusal, ToyModel } from '@limn/testing';
import { expect, test } from 'vitest';
import {
  ablate,
  generate,
  generateStream,
  tokenBatch,
  type GenerateOptions,
  type RandomSampling,
} from '../src/index.js';
import { prompts } from './chosen.js';
import { toy } from './toy.js';

const model = await toy();
const drawn = (sampling: Partial<RandomSampling>): GenerateOptions => ({
  maxNewTokens: 3,
  sampling: { kind: 'sample', seed: 1, ...sampling },
});
const tokensOf = async (options: GenerateOptions) => (await generate(model, prompts, options)).tokens;

test('limits that leave one token are greedy; limits that leave all are none', async () => {
  const greedy = await tokensOf({ maxNewTokens: 3 });
  for (const sampling of [{ topP: Number.MIN_VALUE }, { topK: 1 }, { temperature: 2 ** -20 }])
    expect(await tokensOf(drawn(sampling)), JSON.stringify(sampling)).toEqual(greedy);
  const free = await tokensOf(drawn({}));
  expect(free).not.toEqual(greedy);
  for (const sampling of [{ topP: 1 }, { topK: model.info.vocabulary }, { topK: 1e300 }])
    expect(await tokensOf(drawn(sampling)), JSON.stringify(sampling)).toEqual(free);
});

test('the first and the last seed are seeds like any other', async () => {
  const made = [];
  for (const seed of [0, 2 ** 32, 2 ** 53 - 1]) made.push(JSON.stringify(await tokensOf(drawn({ seed }))));
  expect(new Set(made).size).toBe(3);
  for (const seed of [-1, 0.5, 2 ** 53, Number.NaN, Infinity])
    expect((await refusal(() => generateStream(model, prompts, drawn({ seed })))).code).toBe('hooks/bad-sampling');
});

test.each([
  ['temperature NaN', drawn({ temperature: Number.NaN }), 'hooks/bad-sampling'],
  ['temperature as text', drawn({ temperature: '1' as unknown as number }), 'hooks/bad-sampling'],
  ['topP NaN', drawn({ topP: Number.NaN }), 'hooks/bad-sampling'],
  ['topK NaN', drawn({ topK: Number.NaN }), 'hooks/bad-sampling'],
  ['a way of sampling that is none', { maxNewTokens: 1, sampling: { kind: 'beam' } as never }, 'hooks/bad-sampling'],
  ['no number of tokens', { maxNewTokens: Number.NaN }, 'hooks/bad-generation'],
  ['endlessly many tokens', { maxNewTokens: Infinity }, 'hooks/bad-generation'],
  [
    'nothing but end tokens, and none of them at once',
    { maxNewTokens: 3, minNewTokens: 1, eosIds: Array.from({ length: 13 }, (_, id) => id) },
    'hooks/bad-generation',
  ],
  ['more positions than the model has', { maxNewTokens: 9 }, 'tokens/too-long'],
] as const)('%s: refused before any work', (_, options, code) => {
  const before = model.gpu.counters.snapshot();
  let error: unknown;
  try {
    generateStream(model, prompts, options);
  } catch (thrown) {
    error = thrown;
  }
  expect(error).toBeInstanceOf(LimnError);
  expect((error as LimnError).code).toBe(code);
  expect(model.gpu.counters.since(before).buffersCreated).toBe(0);
});

test('edits at positions and rows that never come change nothing and are named', async () => {
  const edits = [
    ablate('blocks.0.hook_mlp_out', 'zero', { positions: [8, 2 ** 40] }),
    ablate('blocks.0.hook_mlp_out', 'zero', { rows: [7] }),
  ];
  const { tokens, neverFired } = await generate(model, prompts, { maxNewTokens: 3, interventions: edits });
  expect(tokens).toEqual(await tokensOf({ maxNewTokens: 3 }));
  expect(neverFired).toEqual(edits.map(({ label }) => label));
});

test('one prompt, typed arrays and a batch are prompts too, as in every other call', async () => {
  const want = await tokensOf({ maxNewTokens: 3 });
  const made = async (given: Parameters<typeof generate>[1]) =>
    (await generate(model, given, { maxNewTokens: 3 })).tokens;
  expect(await made(prompts.map((prompt) => Uint32Array.from(prompt)))).toEqual(want);
  expect(await made(tokenBatch(prompts, model.info))).toEqual(want);
  expect(await made(prompts[0] as number[])).toEqual(want.slice(0, 1));
  expect(await made(Uint32Array.from(prompts[0] as number[]))).toEqual(want.slice(0, 1));
});

test('a caller may write into its prompts while the tokens come, and two loops over one stream do not disturb each other', async () => {
  const options = { maxNewTokens: 3, rowsAtOnce: 1 };
  const given = prompts.map((prompt) => [...prompt]);
  const stream = generateStream(model, given, options);
  for await (const { row, id } of stream) {
    given[row]?.push(id);
    if (row === 0) given[1]?.reverse();
  }
  const loop = async (): Promise<number[][]> => {
    const rows = prompts.map((prompt) => [...prompt]);
    for await (const { row, id } of stream) rows[row]?.push(id);
    return rows;
  };
  const want = (await generate(model, prompts, options)).tokens;
  expect(await Promise.all([loop(), loop()])).toEqual([want, want]);
});

test('a model that is disposed while it speaks is named, and nothing of the generation stays on the GPU', async () => {
  const { layers, heads, headWidth, mlpWidth, vocabulary, maxPositions } = model.info;
  const { gpu } = model;
  gpu.trim();
  const { buffersLive, bytesLive } = gpu.counters.snapshot();
  const own = new ToyModel(gpu, { layers, heads, headWidth, mlpWidth, vocabulary, maxPositions });
  const speak = async (): Promise<void> => {
    for await (const { row } of generateStream(own, prompts, { maxNewTokens: 3 })) if (row === 1) own.dispose();
  };
  expect((await refusal(speak())).code).toBe('gpu/disposed');
  expect((await refusal(generate(own, prompts, { maxNewTokens: 3 }))).code).toBe('gpu/disposed');
  gpu.trim();
  const after = gpu.counters.snapshot();
  expect([after.buffersLive, after.bytesLive]).toEqual([buffersLive, bytesLive]);
});
