// Every activation, edits, and gradients at every site against GPT-2 in float64, at awkward sizes, unequal lengths and both heads.
import { hookNames, intervene, scale, tokenBatch, type HookName } from '@limn/hooks';
import { fromData, gradients, mul, readFloats } from '@limn/tensor';
import { referenceGpt2, testGpu } from '@limn/testing';
import { describe, expect, test } from 'vitest';
import { randomGpt2, type Gpt2, type NewGpt2Config } from '../src/index.js';
import { apart } from './apart.js';

const { referenceBackward, referenceForward } = referenceGpt2;
const prompts = [
  [5, 0, 30, 7, 7, 1, 12],
  [3, 9, 28],
  [30, 30, 4, 2, 19],
];

/** Relative distance in the Euclidean norm: a few hundred f32 roundings in a row stay below this. */
const near = 5e-6;
/** The key bias has gradient zero in theory, and rounding has no size to be relative to. */
const apartOrZero = (got: ArrayLike<number>, want: ArrayLike<number>): number => apart(got, want, 1e-12);

/** A prompt's part of a padded tensor [B, T, …], or [B, H, T, S] cut to its own queries and keys. */
function ofPrompt(values: Float32Array, shape: readonly number[], b: number, length: number): Float32Array {
  const [, second, third, fourth] = shape as [number, number, number, number];
  const size = values.length / (shape[0] as number);
  const row = values.subarray(b * size, (b + 1) * size);
  const padded = Math.max(...prompts.map((prompt) => prompt.length));
  if (!(shape.length === 4 && third === padded && fourth === padded)) return row.subarray(0, (size / second) * length);
  return Float32Array.from({ length: second * length * length }, (_, i) => {
    const [h, t, s] = [Math.floor(i / length ** 2), Math.floor(i / length) % length, i % length];
    return row[(h * third + t) * fourth + s] as number;
  });
}

async function referenceOf(model: Gpt2) {
  const weights = new Map<string, Float64Array>();
  for await (const [name, { data }] of model.hostWeights()) weights.set(name, Float64Array.from(data));
  return { config: model.config, weights };
}

const cases: readonly (readonly [string, NewGpt2Config])[] = [
  [
    '3 heads of 24, tied, tanh',
    { vocabulary: 31, maxPositions: 7, width: 72, layers: 2, heads: 3, mlpWidth: 53, initializerRange: 0.25 },
  ],
  [
    '5 heads of 3, untied, erf',
    {
      vocabulary: 37,
      maxPositions: 11,
      width: 15,
      layers: 2,
      heads: 5,
      tied: false,
      gelu: 'erf',
      initializerRange: 0.4,
    },
  ],
];

describe.each(cases)('%s', (_name, sizes) => {
  test('every activation at every real position', async () => {
    const gpu = await testGpu();
    const model = await randomGpt2(gpu, sizes, 11);
    const { config, weights } = await referenceOf(model);
    const tokens = tokenBatch(prompts, model.info);
    const step = gpu.step();
    const all = hookNames(model.info);
    const run = model.run(step, { tokens }, { capture: all });
    const values = new Map(
      await Promise.all(all.map(async (name) => [name, await readFloats(step, run.at(name))] as const)),
    );
    for (const [b, prompt] of prompts.entries()) {
      const trace = referenceForward(config, weights, prompt);
      for (const name of all) {
        const site = /hook_[qkv]_input/.test(name) ? name.replace(/hook_[qkv]_input/, 'hook_resid_pre') : name;
        const want = trace.sites.get(site) as Float64Array;
        const { shape } = run.at(name);
        const got = ofPrompt(values.get(name) as Float32Array, shape, b, prompt.length);
        if (name.endsWith('hook_attn_scores')) {
          // The reference masks the future with −∞; here the future holds products that nothing looks at.
          const past = (x: ArrayLike<number>) => Array.from(x, (value, i) => (Number.isFinite(want[i]) ? value : 0));
          expect(apartOrZero(past(got), past(want)), name).toBeLessThan(near);
        } else if (site !== name) {
          const perHead = Float64Array.from(
            { length: got.length },
            (_unused, i) =>
              want[Math.floor(i / (config.width * config.heads)) * config.width + (i % config.width)] as number,
          );
          expect(apartOrZero(got, perHead), name).toBeLessThan(near);
        } else expect(apartOrZero(got, want), `${name}, prompt ${b}`).toBeLessThan(near);
      }
    }
    model.dispose();
  });

  test('gradients at every site', async () => {
    const gpu = await testGpu();
    const model = await randomGpt2(gpu, sizes, 12);
    const { config, weights } = await referenceOf(model);
    const tokens = tokenBatch(prompts, model.info);
    const step = gpu.step();
    const V = config.vocabulary;
    const seed = Float32Array.from({ length: 3 * V }, (_, i) => Math.sin(3 * i + 1));
    const first = referenceBackward(
      config,
      weights,
      referenceForward(config, weights, [1, 2]),
      new Float64Array(2 * V),
    );
    const sites = [...first.sites.keys()] as HookName[];
    const run = model.run(step, { tokens }, { capture: sites, logits: 'last' });
    const slopes = gradients(
      step,
      run.logits,
      fromData(step, seed, [3, V]),
      sites.map((name) => run.at(name)),
    );
    const values = await Promise.all(slopes.map((slope) => readFloats(step, slope)));
    for (const [b, prompt] of prompts.entries()) {
      const dLogits = new Float64Array(prompt.length * V);
      dLogits.set(seed.subarray(b * V, (b + 1) * V), (prompt.length - 1) * V);
      const want = referenceBackward(config, weights, referenceForward(config, weights, prompt), dLogits);
      sites.forEach((name, i) => {
        const got = ofPrompt(values[i] as Float32Array, run.at(name).shape, b, prompt.length);
        // Backward passes chain about twice as many roundings.
        expect(apartOrZero(got, want.sites.get(name) as Float64Array), `${name}, prompt ${b}`).toBeLessThan(4 * near);
      });
      const padding = (values[sites.indexOf('hook_embed')] as Float32Array).subarray(
        (b * 7 + prompt.length) * config.width,
        (b + 1) * 7 * config.width,
      );
      expect(padding.every((value) => value === 0)).toBe(true);
    }
    model.dispose();
  });

  test('edits at any site give the logits that the same edit gives in float64', async () => {
    const gpu = await testGpu();
    const model = await randomGpt2(gpu, sizes, 13);
    const { config, weights } = await referenceOf(model);
    const prompt = prompts[0] as number[];
    const tokens = tokenBatch([prompt], model.info);
    const ramp = (i: number): number => 1 + 0.25 * Math.sin(i);
    const downstream = hookNames(model.info).filter(
      (name) => !/_input|scale|normalized|hook_result|attn_scores|hook_pos_embed|hook_embed/.test(name),
    );
    const step = gpu.step();
    const runs = downstream.map((name) => {
      const edit = intervene(name, 'ramp', (x, ctx) =>
        mul(
          ctx.step,
          x,
          fromData(
            ctx.step,
            Float32Array.from({ length: x.size }, (_, i) => ramp(i)),
            x.shape,
          ),
        ),
      );
      return readFloats(step, model.run(step, { tokens }, { interventions: [edit] }).logits);
    });
    const frozen = model.run(
      step,
      { tokens },
      { interventions: [scale('blocks.0.ln1.hook_scale', 2)], capture: ['blocks.0.ln1.hook_normalized'] },
    );
    const halved = readFloats(step, frozen.at('blocks.0.ln1.hook_normalized'));
    for (const [i, name] of downstream.entries()) {
      const want = referenceForward(config, weights, prompt, (site, x) => {
        // The reference's padding-free [T, …] has the same order as a batch of one.
        if (site === name) x.forEach((value, k) => (x[k] = value * Math.fround(ramp(k))));
      });
      expect(apartOrZero((await runs[i]) as Float32Array, want.logits), name).toBeLessThan(4 * near);
    }
    const { sites } = referenceForward(config, weights, prompt);
    const beta = weights.get('h.0.ln_1.bias') as Float64Array;
    const normalised = sites.get('blocks.0.ln1.hook_normalized') as Float64Array;
    expect(
      apartOrZero(
        await halved,
        normalised.map(
          (value, i) => (value - (beta[i % config.width] as number)) / 2 + (beta[i % config.width] as number),
        ),
      ),
    ).toBeLessThan(near);
    model.dispose();
  });
});
