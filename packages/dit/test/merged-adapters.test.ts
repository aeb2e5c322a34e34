// LoRAs folded into weights and taken out again: the same logits as without merging, and the same bits as before; nothing changes when a weight would be lost.
import type { Gpt2 } from '@limn/gpt2';
import type { HookedModel } from '@limn/hooks';
import { Tensor, unpackF16 } from '@limn/tensor';
import { refusal, testGpu, ToyModel } from '@limn/testing';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createLora, LoraAdapter, MergedAdapters, type LoraWeights } from '../src/index.js';
import { distanceOf, goldenModel, logitsOf } from './folders.js';

const PROMPTS = [
  [1, 5, 2, 7, 3],
  [4, 4, 9, 0, 6],
];
let gpt2: Gpt2;
let half: Gpt2;
let toy: ToyModel;
beforeAll(async () => {
  [gpt2, half] = [await goldenModel(), await goldenModel({ weights: 'f16' })];
  toy = new ToyModel(await testGpu(), {
    layers: 2,
    heads: 2,
    headWidth: 3,
    mlpWidth: 7,
    vocabulary: 11,
    maxPositions: 8,
  });
});
afterAll(() => {
  gpt2.dispose();
  half.dispose();
  toy.dispose();
});

/** Factors that are not alike, of the model's maps. */
function loraOf(model: HookedModel, seed: number, options: Parameters<typeof createLora>[1] = {}): LoraWeights {
  const lora = createLora(model, { rank: 2, alpha: 3, ...options });
  const wave = (values: Float32Array, phase: number): Float32Array =>
    values.map((_, i) => 0.3 * Math.sin(1.7 * i + phase));
  const modules = Array.from(lora.modules, ([name, each], m) => {
    return [name, { ...each, a: wave(each.a, seed + m), b: wave(each.b, 2 * seed + m) }] as const;
  });
  return { ...lora, modules: new Map(modules) };
}

/** Every linear map's weight, as it is stored. */
async function weightsOf(model: HookedModel): Promise<Record<string, Float32Array>> {
  const weights: Record<string, Float32Array> = {};
  for (const { name } of model.linears()) {
    const { storage, dtype, size } = model.parameters().get(`${name}.weight`) as Tensor;
    weights[name] =
      dtype === 'f16' ? unpackF16(await model.gpu.read(storage, 'u32'), size) : await model.gpu.read(storage, 'f32');
  }
  return weights;
}

describe.each([
  ['GPT-2 in f32', (): HookedModel => gpt2, 2e-6],
  ['the toy, whose weights lie the other way', (): HookedModel => toy, 2e-6],
  // A weight's rounding is 2⁻¹¹ of it; 30 of them in a row are below a percent of the logits.
  ['GPT-2 in f16', (): HookedModel => half, 1e-2],
])('%s', (_, of, near) => {
  test('merged logits are unmerged logits, and unmerging gives the bits back, in any order', async () => {
    const model = of();
    const before = { logits: await logitsOf(model, PROMPTS), weights: await weightsOf(model) };
    const loras = {
      one: loraOf(model, 1),
      two: loraOf(model, 5, { layers: [0], rsLora: true }),
      three: loraOf(model, 9, { rank: 3 }),
    };
    const expectNear = async (wanted: Float32Array): Promise<void> => {
      const { apart, size } = distanceOf(await logitsOf(model, PROMPTS), wanted);
      expect(apart).toBeLessThanOrEqual(near * size);
    };
    using one = new LoraAdapter(model, loras.one);
    using two = new LoraAdapter(model, loras.two);
    using three = new LoraAdapter(model, loras.three);
    using merged = new MergedAdapters(model);
    await merged.merge('one', loras.one);
    await expectNear(await withOriginals(merged, one.interventions()));
    const onlyOne = await weightsOf(model);
    await merged.merge('two', loras.two, { strength: -0.5 });
    await merged.merge('three', loras.three);
    expect(merged.names).toEqual(['one', 'two', 'three']);
    const all = [...one.interventions(), ...two.interventions({ strength: -0.5 }), ...three.interventions()];
    await expectNear(await withOriginals(merged, all));
    await merged.unmerge('two');
    await merged.unmerge('three');
    expect(await weightsOf(model)).toEqual(onlyOne);
    await merged.merge('two', loras.two, { strength: -0.5 });
    await merged.unmerge('one');
    await expectNear(await withOriginals(merged, two.interventions({ strength: -0.5 })));
    await merged.unmerge('two');
    expect(merged.names).toEqual([]);
    expect({ logits: await logitsOf(model, PROMPTS), weights: await weightsOf(model) }).toEqual(before);

    /** Logits of the original weights with interventions: what is merged is taken out for them and merged again. */
    async function withOriginals(
      merges: MergedAdapters,
      edits: ReturnType<LoraAdapter['interventions']>,
    ): Promise<Float32Array> {
      const [names, weights] = [merges.names, await weightsOf(model)];
      await merges.unmergeAll();
      const logits = await logitsOf(model, PROMPTS, edits);
      for (const name of names)
        await merges.merge(name, loras[name as keyof typeof loras], name === 'two' ? { strength: -0.5 } : {});
      expect(await weightsOf(model)).toEqual(weights);
      return logits;
    }
  });

  test('a weight that would be lost is refused before any is changed', async () => {
    const model = of();
    const before = await weightsOf(model);
    using merged = new MergedAdapters(model);
    await merged.merge('fine', loraOf(model, 2));
    const between = await weightsOf(model);
    const huge = loraOf(model, 3);
    const last = [...huge.modules.keys()].at(-1) as string;
    const factors = huge.modules.get(last)!;
    const modules = new Map(huge.modules).set(last, {
      ...factors,
      a: factors.a.map(() => 1e25),
      b: factors.b.map(() => 1e25),
    });
    const error = await refusal(merged.merge('huge', { ...huge, modules }));
    expect([error.code, error.details['module']]).toEqual(['data/lora-merge', last]);
    expect(await weightsOf(model)).toEqual(between);
    expect(merged.names).toEqual(['fine']);
    await merged.unmergeAll();
    expect(await weightsOf(model)).toEqual(before);
  });
});

test('f16 ends at 65504: what f32 holds is refused there', async () => {
  const large = (model: Gpt2): LoraWeights => {
    const lora = loraOf(model, 3, { targets: ['h.1.mlp.c_fc'] });
    const factors = lora.modules.get('h.1.mlp.c_fc')!;
    return { ...lora, modules: new Map([['h.1.mlp.c_fc', { ...factors, a: factors.a.map((value) => 1e6 * value) }]]) };
  };
  using inFull = new MergedAdapters(gpt2);
  await inFull.merge('large', large(gpt2));
  await inFull.unmergeAll();
  using inHalf = new MergedAdapters(half);
  const error = await refusal(inHalf.merge('large', large(half)));
  expect(error.code).toBe('data/lora-merge');
  expect(error.hint).toMatch(/65504/);
});

test('an aborted merge changes nothing; progress counts the weights', async () => {
  const before = await weightsOf(gpt2);
  using merged = new MergedAdapters(gpt2);
  const abort = new AbortController();
  const seen: number[] = [];
  const onProgress = ({ done, total }: { done: number; total: number }): void => {
    seen.push(done, total);
    if (done === 3) abort.abort();
  };
  expect((await refusal(merged.merge('it', loraOf(gpt2, 1), { signal: abort.signal, onProgress }))).code).toBe(
    'aborted',
  );
  expect(seen).toEqual([1, 8, 2, 8, 3, 8]);
  expect(merged.names).toEqual([]);
  expect(await weightsOf(gpt2)).toEqual(before);
});

test('names, second keepers, changes at the same time and adapters of other weights are refused', async () => {
  using merged = new MergedAdapters(gpt2);
  const lora = loraOf(gpt2, 1, { targets: ['c_fc'] });
  expect((await refusal(() => new MergedAdapters(gpt2))).code).toBe('usage/lora-merged');
  const merging = merged.merge('it', lora);
  expect((await refusal(merged.merge('other', lora))).code).toBe('usage/lora-merged');
  await merging;
  expect((await refusal(merged.merge('it', lora))).code).toBe('usage/lora-merged');
  expect((await refusal(merged.unmerge('other'))).code).toBe('usage/lora-merged');
  expect((await refusal(merged.merge('other', { ...lora, base: 'other' }))).code).toBe('data/lora-base');
  expect((await refusal(merged.merge('other', lora, { strength: Number.POSITIVE_INFINITY }))).code).toBe(
    'usage/lora-strength',
  );
  await merged.unmergeAll();
});

test('memory of originals is let go when they are the weights again', async () => {
  const bytes = (): number => {
    gpt2.gpu.trim();
    return gpt2.gpu.counters.snapshot().bytesLive;
  };
  const before = bytes();
  const merged = new MergedAdapters(gpt2);
  await merged.merge('one', loraOf(gpt2, 1, { targets: ['c_fc'] }));
  await merged.merge('two', loraOf(gpt2, 2, { targets: ['c_fc'] }));
  expect(bytes() - before).toBe(2 * 16 * 40 * 4);
  await merged.unmerge('one');
  expect(bytes() - before).toBe(2 * 16 * 40 * 4);
  await merged.unmerge('two');
  expect(bytes()).toBe(before);
  merged.dispose();
});
