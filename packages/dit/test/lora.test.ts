// A LoRA's maths: y += strength·s·(x·Aᵀ)·Bᵀ on both architectures, first numbers within their bounds, joined adapters, and adapters that do nothing.
import type { Gpt2 } from '@limn/gpt2';
import { tokenBatch, type HookedModel, type LinearSite } from '@limn/hooks';
import { readFloats } from '@limn/tensor';
import { refusal, testGpu, ToyModel } from '@limn/testing';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  adapterChangesNothing,
  adapterEffect,
  catAdapters,
  createLora,
  LoraAdapter,
  loraScale,
  zeroModules,
  type LoraWeights,
} from '../src/index.js';
import { distanceOf, goldenModel, logitsOf } from './folders.js';

const TOY = { layers: 2, heads: 2, headWidth: 3, mlpWidth: 7, vocabulary: 11, maxPositions: 8 };
const PROMPTS = [
  [1, 5, 2, 7, 3],
  [4, 4, 9, 0, 6],
];
let gpt2: Gpt2;
let toy: ToyModel;
beforeAll(async () => {
  gpt2 = await goldenModel();
  toy = new ToyModel(await testGpu(), TOY);
});
afterAll(() => {
  gpt2.dispose();
  toy.dispose();
});

/** Both factors filled with numbers that are not alike. */
function filled(lora: LoraWeights, size = 0.3): LoraWeights {
  const modules = Array.from(lora.modules, ([name, { a, b, rank, alpha }], m) => {
    const wave = (values: Float32Array, phase: number): Float32Array =>
      values.map((_, i) => size * Math.sin(1.7 * i + phase + m));
    return [name, { a: wave(a, 0), b: wave(b, 2), rank, alpha }] as const;
  });
  return { ...lora, modules: new Map(modules) };
}

describe('first numbers', () => {
  test('are within the bounds of each kind, spread over them, and leave one factor 0', () => {
    const linear = gpt2.linears()[0] as LinearSite;
    const options = { rank: 4, targets: ['h.0.attn.c_attn'], seed: 3 };
    const of = (init: 'peft' | 'gaussian' | 'dit-diff' | 'dit-adapter') =>
      createLora(gpt2, { ...options, init }).modules.get(linear.name)!;
    const most = (values: Float32Array): number => values.reduce((m, value) => Math.max(m, Math.abs(value)), 0);
    for (const [init, which, bound] of [
      ['peft', 'a', 1 / Math.sqrt(linear.inWidth)],
      ['dit-diff', 'b', Math.sqrt(6 / (4 * linear.outWidth))],
      ['dit-adapter', 'b', Math.sqrt(6 / 4)],
    ] as const) {
      const factors = of(init);
      expect(most(factors[which])).toBeLessThanOrEqual(bound);
      expect(most(factors[which])).toBeGreaterThan(0.9 * bound);
      const mean = factors[which].reduce((sum, value) => sum + value, 0) / factors[which].length;
      // The mean of n uniform numbers has a deviation of bound/√(3n): four of them.
      expect(Math.abs(mean)).toBeLessThan((4 * bound) / Math.sqrt(3 * factors[which].length));
      expect(most(factors[which === 'a' ? 'b' : 'a'])).toBe(0);
    }
    const { a, b } = of('gaussian');
    const deviation = Math.sqrt(a.reduce((sum, value) => sum + value ** 2, 0) / a.length);
    expect(deviation).toBeGreaterThan(0.25 * 0.7);
    expect(deviation).toBeLessThan(0.25 * 1.3);
    expect(most(b)).toBe(0);
  });

  test('of a map depend on the seed, not on which others are adapted', () => {
    const all = createLora(gpt2, { seed: 5 });
    const one = createLora(gpt2, { seed: 5, targets: ['h.1.mlp.c_fc'] });
    expect(one.modules.get('h.1.mlp.c_fc')).toEqual(all.modules.get('h.1.mlp.c_fc'));
    expect(createLora(gpt2, { seed: 6 }).modules.get('h.1.mlp.c_fc')).not.toEqual(all.modules.get('h.1.mlp.c_fc'));
    expect(all.modules.size).toBe(8);
    expect(all.base).toBe(gpt2.info.fingerprint);
    expect([...createLora(gpt2, { layers: [1], exclude: ['c_proj'] }).modules.keys()]).toEqual([
      'h.1.attn.c_attn',
      'h.1.mlp.c_fc',
    ]);
  });

  test.each([
    { rank: 0 },
    { rank: 1.5 },
    { rank: 1e9 },
    { alpha: Number.NaN },
    { rankPattern: { c_fc: 0 } },
    { targets: ['wte'] },
    { init: 'pissa' as never },
  ])('%j is refused', async (options) => {
    expect((await refusal(() => createLora(gpt2, options))).code).toBe('usage/lora-option');
  });
});

test('scales: alpha / rank, and alpha / √rank', () => {
  expect(loraScale({ rank: 16, alpha: 8 }, false)).toBe(0.5);
  expect(loraScale({ rank: 16, alpha: 8 }, true)).toBe(2);
});

describe.each([
  ['GPT-2, [in, out] with q, k and v in one map', (): HookedModel => gpt2],
  ['the toy, [out, in]', (): HookedModel => toy],
])('%s', (_, of) => {
  test('at every map y is x·(W + strength·s·(B·A)ᵀ) + b', async () => {
    const model = of();
    const lora = filled(createLora(model, { rank: 2, alpha: 3, rsLora: true }));
    for (const linear of model.linears()) {
      const only = { ...lora, modules: new Map([[linear.name, lora.modules.get(linear.name)!]]) };
      using adapter = new LoraAdapter(model, only);
      const step = model.gpu.step();
      const capture = [linear.input, ...linear.outputs];
      const tokens = { tokens: tokenBatch(PROMPTS, model.info) };
      const plain = model.run(step, tokens, { capture });
      const adapted = model.run(step, tokens, { capture, interventions: adapter.interventions({ strength: -1.5 }) });
      const { a, b, rank } = only.modules.get(linear.name)!;
      const reading = readFloats(step, plain.at(linear.input));
      const parts = await Promise.all(
        linear.outputs.flatMap((at) => [readFloats(step, plain.at(at)), readFloats(step, adapted.at(at))]),
      );
      const x = await reading;
      step.dispose();
      const [I, O] = [linear.inWidth, linear.outWidth];
      const share = O / linear.outputs.length;
      const s = (-1.5 * 3) / Math.sqrt(rank);
      linear.outputs.forEach((_at, part) => {
        const [before, after] = [parts[2 * part]!, parts[2 * part + 1]!];
        const wanted = Float64Array.from(before, (value, at) => {
          const [row, o] = [Math.floor(at / share), part * share + (at % share)];
          let delta = 0;
          for (let k = 0; k < rank; k++) {
            let u = 0;
            for (let i = 0; i < I; i++) u += x[row * I + i]! * a[k * I + i]!;
            delta += u * b[o * rank + k]!;
          }
          return value + s * delta;
        });
        const { apart, size } = distanceOf(after, wanted);
        expect(apart, `${linear.name} ${part}`).toBeLessThanOrEqual(2e-6 * size);
        expect(distanceOf(before, wanted).apart).toBeGreaterThan(1e-3 * size);
      });
    }
  });

  test('at strength 0, and with one factor 0, the logits are the model’s own to the bit', async () => {
    const model = of();
    const before = await logitsOf(model, PROMPTS);
    const fresh = createLora(model, { rank: 2, seed: 1 });
    using none = new LoraAdapter(model, fresh);
    using some = new LoraAdapter(model, filled(fresh));
    expect(await logitsOf(model, PROMPTS, none.interventions())).toEqual(before);
    expect(some.interventions({ strength: 0 })).toEqual([]);
    expect(await logitsOf(model, PROMPTS, some.interventions())).not.toEqual(before);
  });

  test('rows carry different adapters at different strengths', async () => {
    const model = of();
    using one = new LoraAdapter(model, filled(createLora(model, { rank: 2 })), { name: 'one' });
    using two = new LoraAdapter(model, filled(createLora(model, { rank: 1 }), 0.5), { name: 'two' });
    const mixed = await logitsOf(model, PROMPTS, [
      ...one.interventions({ rows: [0], strength: 0.5 }),
      ...two.interventions({ rows: [1] }),
    ]);
    const [first, second] = [
      await logitsOf(model, PROMPTS, one.interventions({ strength: 0.5 })),
      await logitsOf(model, PROMPTS, two.interventions()),
    ];
    const half = mixed.length / 2;
    expect(mixed.subarray(0, half)).toEqual(first.subarray(0, half));
    expect(mixed.subarray(half)).toEqual(second.subarray(half));
  });

  test('several as one: the cat of adapters is their sum', async () => {
    const model = of();
    const loras = [
      filled(createLora(model, { rank: 2, alpha: 1 })),
      filled(createLora(model, { rank: 3, alpha: 2, rsLora: true, layers: [1] }), 0.4),
    ] as const;
    using a = new LoraAdapter(model, loras[0]);
    using b = new LoraAdapter(model, loras[1]);
    const apart = await logitsOf(model, PROMPTS, [
      ...a.interventions({ strength: 2 }),
      ...b.interventions({ strength: -0.5 }),
    ]);
    const cat = catAdapters([
      { lora: loras[0], strength: 2 },
      { lora: loras[1], strength: -0.5 },
    ]);
    expect(cat.base).toBe(model.info.fingerprint);
    expect(Array.from(cat.modules.values(), ({ rank }) => rank)).toEqual(
      model.linears().map(({ layer }) => (layer === 1 ? 5 : 2)),
    );
    using both = new LoraAdapter(model, cat);
    const { apart: difference, size } = distanceOf(await logitsOf(model, PROMPTS, both.interventions()), apart);
    expect(difference).toBeLessThanOrEqual(2e-6 * size);
  });

  test('what an adapter does to logits', async () => {
    const model = of();
    const fresh = createLora(model, { rank: 2 });
    using nothing = new LoraAdapter(model, fresh);
    using something = new LoraAdapter(model, filled(fresh));
    expect(adapterChangesNothing(fresh)).toBe(true);
    expect(adapterChangesNothing(filled(fresh))).toBe(false);
    expect(await adapterEffect(model, nothing.interventions(), PROMPTS)).toEqual({
      largestChange: 0,
      changesNothing: true,
    });
    const { largestChange, changesNothing } = await adapterEffect(model, something.interventions(), PROMPTS);
    const [before, after] = [await logitsOf(model, PROMPTS), await logitsOf(model, PROMPTS, something.interventions())];
    expect(largestChange).toBe(
      before.reduce((most, z, i) => Math.max(most, Math.fround(Math.abs(Math.fround(after[i]! - z)))), 0),
    );
    expect(changesNothing).toBe(false);
  });
});

test('maps that do nothing are named', () => {
  const lora = filled(createLora(gpt2, { rank: 2, targets: ['c_proj'] }));
  const modules = new Map(lora.modules);
  const lost = modules.get('h.1.mlp.c_proj')!;
  modules.set('h.1.mlp.c_proj', { ...lost, b: new Float32Array(lost.b.length) });
  const off = modules.get('h.0.attn.c_proj')!;
  modules.set('h.0.attn.c_proj', { ...off, alpha: 0 });
  expect(zeroModules({ ...lora, modules })).toEqual(['h.0.attn.c_proj', 'h.1.mlp.c_proj']);
  expect(adapterChangesNothing({ ...lora, modules })).toBe(false);
});

test('adapters of other weights, maps and sizes are refused', async () => {
  const lora = filled(createLora(gpt2, { rank: 2, targets: ['c_fc'] }));
  const code = async (change: Partial<LoraWeights>, options = {}): Promise<string> =>
    (await refusal(() => new LoraAdapter(gpt2, { ...lora, ...change }, options))).code;
  const factors = lora.modules.get('h.0.mlp.c_fc')!;
  const changed = (name: string, change: object): Partial<LoraWeights> => ({
    modules: new Map([[name, { ...factors, ...change }]]),
  });
  expect(await code({ base: 'other' })).toBe('data/lora-base');
  new LoraAdapter(gpt2, { ...lora, base: 'other' }, { anyBase: true }).dispose();
  expect(await code({ modules: new Map() })).toBe('data/lora-empty');
  expect(await code(changed('h.2.mlp.c_fc', {}))).toBe('data/lora-module');
  expect(await code(changed('h.0.mlp.c_proj', {}))).toBe('data/lora-shape');
  expect(await code(changed('h.0.mlp.c_fc', { rank: 0 }))).toBe('data/lora-rank');
  expect(await code(changed('h.0.mlp.c_fc', { alpha: Number.NaN }))).toBe('data/lora-values');
  expect(await code(changed('h.0.mlp.c_fc', { a: factors.a.map(() => Number.NaN) }))).toBe('data/lora-values');
  using adapter = new LoraAdapter(gpt2, lora);
  expect((await refusal(() => adapter.interventions({ strength: Number.NaN }))).code).toBe('usage/lora-strength');
  expect((await refusal(() => catAdapters([]))).code).toBe('usage/lora-cat');
  expect((await refusal(() => catAdapters([{ lora }, { lora: { ...lora, base: 'other' } }]))).code).toBe(
    'usage/lora-cat',
  );
});
