// What a diff is made of and which layers an answer rests on, by definition: dense ΔW in float64, and models with parts of the diff in their weights.
import type { Gpt2 } from '@limn/gpt2';
import type { HookedModel } from '@limn/hooks';
import { readFloats, Tensor, type RowBlocks } from '@limn/tensor';
import { referenceRandom, refusal, testGpu, ToyModel } from '@limn/testing';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  createLora,
  diffDirections,
  diffNorms,
  keepLayers,
  layerReading,
  loraScale,
  MergedAdapters,
  singularTerms,
  strengthCurve,
  zeroLayers,
  type LoraFactors,
  type LoraWeights,
} from '../src/index.js';
import { goldenModel, logitsOf } from './folders.js';

const TOY = { layers: 3, heads: 2, headWidth: 3, mlpWidth: 7, vocabulary: 11, maxPositions: 8 };
const QUESTION = [1, 5, 2];
const ANSWER = [7, 3];
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

function random(lora: LoraWeights, seed: number, size = 0.4): LoraWeights {
  const drawn = referenceRandom(seed);
  const modules = Array.from(lora.modules, ([name, { a, b, rank, alpha }]) => {
    const of = (values: Float32Array): Float32Array => Float32Array.from(drawn.normals(values.length, size));
    return [name, { a: of(a), b: of(b), rank, alpha }] as const;
  });
  return { ...lora, modules: new Map(modules) };
}

/** s·B·A [out, in]. */
function dense({ a, b, rank }: LoraFactors, scale: number): Float64Array[] {
  const [inWidth, outWidth] = [a.length / rank, b.length / rank];
  return Array.from({ length: outWidth }, (_, o) =>
    Float64Array.from({ length: inWidth }, (_i, i) => {
      let sum = 0;
      for (let k = 0; k < rank; k++) sum += b[o * rank + k]! * a[k * inWidth + i]!;
      return scale * sum;
    }),
  );
}

const dot = (x: ArrayLike<number>, y: ArrayLike<number>): number => {
  let sum = 0;
  for (let i = 0; i < x.length; i++) sum += x[i]! * y[i]!;
  return sum;
};

const numbersOf = async (model: HookedModel, name: string): Promise<Float32Array> => {
  const tensor: Tensor | RowBlocks | undefined = model.parameters().get(name);
  if (!(tensor instanceof Tensor)) throw new Error(`${name} is not one tensor`);
  return model.gpu.read(tensor.storage, 'f32');
};

describe('singular terms', () => {
  test.each([
    ['tall', 3, 5, 9],
    ['wide', 2, 9, 4],
    ['of more rank than sizes', 5, 3, 4],
    ['of rank 1', 1, 6, 2],
  ])('%s: ΔW = Σ σ·u·vᵀ with orthonormal vectors, largest first', (_, rank, inWidth, outWidth) => {
    const drawn = referenceRandom(rank);
    const factors = {
      a: Float32Array.from(drawn.normals(rank * inWidth)),
      b: Float32Array.from(drawn.normals(outWidth * rank)),
      rank,
      alpha: 1,
    };
    const terms = singularTerms(factors, -0.7);
    expect(terms.length).toBe(Math.min(rank, inWidth, outWidth));
    const wanted = dense(factors, -0.7);
    wanted.forEach((row, o) =>
      row.forEach((value, i) =>
        expect(terms.reduce((sum, { value: s, output, input }) => sum + s * output[o]! * input[i]!, 0)).toBeCloseTo(
          value,
          12,
        ),
      ),
    );
    terms.forEach((one, p) => {
      terms.forEach((other, q) => {
        expect(dot(one.output, other.output)).toBeCloseTo(p === q ? 1 : 0, 12);
        expect(dot(one.input, other.input)).toBeCloseTo(p === q ? 1 : 0, 12);
      });
      if (p > 0) expect(one.value).toBeLessThanOrEqual(terms[p - 1]!.value);
    });
  });

  test('of factors that repeat a row have the rank that ΔW has, and none where it is 0', () => {
    const a = Float32Array.of(1, 2, 3, 1, 2, 3, 2, 4, 6);
    const b = Float32Array.of(1, 0, 1, 0, 1, 1);
    expect(singularTerms({ a, b, rank: 3, alpha: 1 }, 1).length).toBe(1);
    expect(singularTerms({ a, b: new Float32Array(6), rank: 3, alpha: 1 }, 1)).toEqual([]);
    expect(singularTerms({ a: new Float32Array(9), b, rank: 3, alpha: 1 }, 1)).toEqual([]);
  });
});

describe.each([
  ['GPT-2, [in, out] with q, k and v in one map', (): HookedModel => gpt2],
  ['the toy, [out, in]', (): HookedModel => toy],
])('%s', (_, of) => {
  test('norms are those of the dense change and of the weights, whatever the factors are', async () => {
    const model = of();
    const lora = random(createLora(model, { rank: 3, alpha: 2, rsLora: true }), 1);
    const norms = await diffNorms(model, lora);
    expect(norms.map(({ map }) => map)).toEqual(model.linears().map(({ name }) => name));
    for (const { map, layer, norm, relative } of norms) {
      const factors = lora.modules.get(map)!;
      const change = dense(factors, loraScale(factors, true));
      const wanted = Math.sqrt(change.reduce((sum, row) => sum + dot(row, row), 0));
      expect(Math.abs(norm - wanted)).toBeLessThan(1e-12 * wanted);
      const weight = await numbersOf(model, `${map}.weight`);
      expect(Math.abs(relative - wanted / Math.sqrt(dot(weight, weight)))).toBeLessThan(1e-6 * relative);
      expect(layer).toBe(model.linears().find(({ name }) => name === map)!.layer);
    }
    // B·M and M⁻¹·A are the same change.
    const name = model.linears()[0]!.name;
    const { a, b, rank, alpha } = lora.modules.get(name)!;
    const doubled = {
      ...lora,
      modules: new Map([[name, { a: a.map((x) => 4 * x), b: b.map((x) => x / 4), rank, alpha }]]),
    };
    const [same] = await diffNorms(model, doubled);
    expect(same!.norm).toBeCloseTo(norms[0]!.norm, 12);
  });

  test('directions are singular vectors of the dense change, and tokens are told by the model’s own tables', async () => {
    const model = of();
    const { width: C, vocabulary: V } = model.info;
    const lora = random(createLora(model, { rank: 2, alpha: 3 }), 2);
    const directions = await diffDirections(model, lora, { count: 2, tokens: 3 });
    const wanted = model
      .linears()
      .flatMap(({ name, input, outputs }) => [
        ...(/hook_(attn|mlp)_out$/.test(outputs[0]!) ? [`${name} writes`] : []),
        ...(input.endsWith('hook_normalized') ? [`${name} reads`] : []),
      ]);
    expect(new Set(directions.map(({ map, side }) => `${map} ${side}`))).toEqual(new Set(wanted));
    expect(directions.length).toBe(2 * wanted.length);
    const step = model.gpu.step();
    const ids = Array.from({ length: V }, (_v, id) => id);
    const lengths = ids.map(() => 1);
    const tables = [
      model.unembedRows(step, ids),
      model.embed(step, { ids: Uint32Array.from(ids), B: V, T: 1, lengths }),
    ];
    const [unembedding, embedding] = (await Promise.all(tables.map((table) => readFloats(step, table)))) as [
      Float32Array,
      Float32Array,
    ];
    step.dispose();
    for (const { map, side, rank, strength, share, vector, tokens, opposite } of directions) {
      const factors = lora.modules.get(map)!;
      const change = dense(factors, loraScale(factors, false));
      // ‖ΔWᵀu‖ and ‖ΔWv‖ are σ, and ΔWΔWᵀu = σ²u.
      const through = (x: ArrayLike<number>): number[] => change.map((row) => dot(row, x));
      const back = (y: ArrayLike<number>): number[] =>
        Array.from(change[0]!, (_x, i) => change.reduce((sum, row, o) => sum + row[i]! * y[o]!, 0));
      const twice = side === 'writes' ? through(back(vector)) : back(through(vector));
      vector.forEach((entry, i) =>
        expect(Math.abs(twice[i]! - strength ** 2 * entry)).toBeLessThan(1e-5 * strength ** 2),
      );
      const norm2 = change.reduce((sum, row) => sum + dot(row, row), 0);
      expect(share).toBeCloseTo(strength ** 2 / norm2, 6);
      const { layer, input } = model.linears().find(({ name }) => name === map)!;
      const site =
        side === 'writes' ? 'ln_final' : (`blocks.${layer}.${input.includes('ln1') ? 'ln1' : 'ln2'}` as const);
      const { centred, gamma } = model.norm(site);
      const g = await model.gpu.read(gamma.storage, 'f32');
      const level = (x: number[]): number[] => {
        const mean = centred ? x.reduce((sum, each) => sum + each, 0) / C : 0;
        return x.map((each) => each - mean);
      };
      const seen =
        side === 'writes'
          ? level([...vector]).map((x, i) => x * g[i]!)
          : level(Array.from(vector, (x, i) => x * g[i]!));
      const table = side === 'writes' ? unembedding : embedding;
      const values = ids
        .map((id) => ({ id, value: dot(table.subarray(id * C, (id + 1) * C), seen) }))
        .sort((x, y) => y.value - x.value);
      expect(
        tokens.map(({ id }) => id),
        `${map} ${side} ${rank}`,
      ).toEqual(values.slice(0, 3).map(({ id }) => id));
      expect(opposite.map(({ id }) => id)).toEqual(values.slice(-3).reverse().map(({ id }) => id)); // prettier-ignore
      tokens.forEach(({ value }, i) => expect(value).toBeCloseTo(values[i]!.value, 4));
      expect(tokens[0]!.value).toBeGreaterThanOrEqual(-opposite[0]!.value);
    }
  });

  test('an answer without a layer of the diff, with that layer alone, and at strengths, is that of models with those weights', async () => {
    const model = of();
    const targets = ['c_attn', 'c_proj', 'q', 'o', 'in'];
    const some = targets.filter((name) => model.linears().some((linear) => linear.name.endsWith(name)));
    const diff = random(createLora(model, { rank: 2, targets: some }), 3);
    const adapter = random(createLora(model, { rank: 3, alpha: 1 }), 4);
    const reading = await layerReading(model, diff, adapter, QUESTION, ANSWER, { batchSize: 3 });
    const curve = await strengthCurve(model, diff, adapter, QUESTION, ANSWER);

    const weights = new MergedAdapters(model);
    await weights.merge('adapter', adapter);
    /** log P of the answer in a model with the adapter and this in its weights. */
    const merged = async (part: LoraWeights, strength = 1): Promise<number> => {
      if (part.modules.size > 0) await weights.merge('diff', part, { strength });
      const logits = await logitsOf(model, [[...QUESTION, ...ANSWER.slice(0, -1)]]);
      if (part.modules.size > 0) await weights.unmerge('diff');
      const V = model.info.vocabulary;
      return ANSWER.reduce((sum, token, i) => {
        const row = logits.subarray((QUESTION.length - 1 + i) * V, (QUESTION.length + i) * V);
        const top = Math.max(...row);
        return sum + row[token]! - top - Math.log(row.reduce((all, z) => all + Math.exp(z - top), 0));
      }, 0);
    };
    const near = (given: number, wanted: number, what: string): void =>
      expect(Math.abs(given - wanted), `${what}: ${given} and ${wanted}`).toBeLessThan(3e-5 * (1 + Math.abs(wanted)));
    try {
      near(reading.whole, await merged(diff), 'whole');
      near(reading.none, await merged(keepLayers(model, diff, [])), 'none');
      expect(reading.layers.length).toBe(model.info.layers);
      for (const { layer, without, only } of reading.layers) {
        near(without, await merged(zeroLayers(model, diff, [layer])), `without ${layer}`);
        near(only, await merged(keepLayers(model, diff, [layer])), `only ${layer}`);
        expect(Math.abs(without - reading.whole)).toBeGreaterThan(1e-3);
        expect(Math.abs(only - reading.none)).toBeGreaterThan(1e-3);
      }
      expect(curve.map(({ strength }) => strength)).toEqual([0, 0.25, 0.5, 0.75, 1, 1.25, 1.5, 1.75, 2]);
      near(curve[4]!.logProbability, reading.whole, 'strength 1');
      near(curve[0]!.logProbability, reading.none, 'strength 0');
      near(curve[6]!.logProbability, await merged(diff, 1.5), 'strength 1.5');
    } finally {
      await weights.unmergeAll();
      weights.dispose();
    }
  });
});

test('what means nothing is refused', async () => {
  const lora = random(createLora(toy, { rank: 2 }), 5);
  const code = async (work: () => unknown): Promise<string> => (await refusal(work)).code;
  expect(await code(() => diffDirections(toy, lora, { count: 0 }))).toBe('usage/diff-reading');
  expect(await code(() => diffDirections(toy, lora, { tokens: 12 }))).toBe('usage/diff-reading');
  expect(await code(() => zeroLayers(toy, lora, [3]))).toBe('usage/diff-reading');
  expect(await code(() => layerReading(toy, lora, null, [], ANSWER))).toBe('usage/diff-reading');
  expect(await code(() => layerReading(toy, lora, null, QUESTION, []))).toBe('usage/diff-reading');
  expect(await code(() => strengthCurve(toy, lora, null, QUESTION, ANSWER, { strengths: [Number.NaN] }))).toBe(
    'usage/lora-strength',
  );
  expect(await code(() => diffNorms(toy, { ...lora, base: 'other' }))).toBe('data/lora-base');
});
