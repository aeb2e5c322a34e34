// Weight processing keeps every logit (centerUnembed: up to one constant per position), in float64 and on the GPU; and what it refuses.
import { tokenBatch } from '@limn/hooks';
import { readFloats } from '@limn/tensor';
import { referenceGpt2, testGpu, refusal } from '@limn/testing';
import { describe, expect, test, vi } from 'vitest';
import {
  describePlan,
  loadGpt2,
  memoryFiles,
  planLoad,
  randomGpt2,
  saveGpt2,
  trainGpt2,
  transformerLensProcessing,
  withWeightForm,
  type Gpt2,
  type NewGpt2Config,
  type WeightProcessing,
} from '../src/index.js';
import { randomBiases } from './random-biases.js';
import { apart } from './apart.js';

const { referenceForward } = referenceGpt2;

/** Each option alone, two pairs, and all. */
const each = Object.keys(transformerLensProcessing).map((name): WeightProcessing => ({ [name]: true }));
const together: readonly WeightProcessing[] = [{ foldLayerNorm: true, centerUnembed: true }, transformerLensProcessing];

/** Awkward sizes: nothing is a multiple of four, M is not 4 C. Every option alone needs to be seen on a tied head and on another. */
const cases: readonly (readonly [string, NewGpt2Config, readonly WeightProcessing[]])[] = [
  [
    '3 heads of 7, tied, tanh',
    { vocabulary: 31, maxPositions: 7, width: 21, layers: 2, heads: 3, mlpWidth: 26 },
    [...each, { centerWritingWeights: true, foldValueBiases: true }, ...together],
  ],
  [
    '5 heads of 3, untied, erf',
    { vocabulary: 37, maxPositions: 11, width: 15, layers: 3, heads: 5, tied: false, gelu: 'erf' },
    [...each, ...together],
  ],
];

/** Such a model as a folder in memory. */
async function awkward(sizes: NewGpt2Config): Promise<ReturnType<typeof memoryFiles>> {
  const model = await randomBiases(sizes, 4);
  const files = memoryFiles({});
  await saveGpt2(model, files);
  model.dispose();
  return files;
}

const prompt = [3, 9, 2, 0, 7];

/** Logits in float64 of the weights as they lie on the GPU, with the bias of the unembedding that the reference lacks. */
async function exactLogits(model: Gpt2): Promise<Float64Array> {
  const weights = new Map<string, Float64Array>();
  for await (const [name, { data }] of model.hostWeights()) weights.set(name, Float64Array.from(data));
  const { logits } = referenceForward(model.config, weights, prompt);
  const bias = weights.get('lm_head.bias');
  return bias ? logits.map((logit, i) => logit + (bias[i % bias.length] as number)) : logits;
}

async function gpuLogits(model: Gpt2): Promise<Float32Array> {
  const step = model.gpu.step();
  return readFloats(step, model.run(step, { tokens: tokenBatch([prompt], model.info) }).logits);
}

/** Rows less their mean. */
function centred(logits: ArrayLike<number>, V: number): Float64Array {
  const means = Array.from({ length: logits.length / V }, (_, t) => {
    let sum = 0;
    for (let v = 0; v < V; v++) sum += logits[t * V + v] as number;
    return sum / V;
  });
  return Float64Array.from(logits, (logit, i) => logit - (means[Math.floor(i / V)] as number));
}

describe.each(cases)('%s', (_name, sizes, processings) => {
  test.each(processings.map((processing) => [Object.keys(processing).join(' + '), processing] as const))(
    '%s',
    async (_names, processing) => {
      const gpu = await testGpu();
      const files = await awkward(sizes);
      const { model: raw } = await loadGpt2(gpu, files);
      const plan = await planLoad(files, { processing });
      const { model } = await loadGpt2(gpu, files, { processing });
      const V = sizes.vocabulary;
      const [want, exact] = [await exactLogits(raw), await exactLogits(model)];
      // Each new weight was rounded once, by at most 2⁻²⁴ of itself: as far as that carries through three layers.
      const compare = processing.centerUnembed ? (x: ArrayLike<number>) => centred(x, V) : (x: ArrayLike<number>) => x;
      expect(apart(compare(exact), compare(want))).toBeLessThan(1e-6);
      // The constant is the mean of the position's logits, which is then 0.
      if (processing.centerUnembed) expect(apart(exact, centred(want, V))).toBeLessThan(1e-6);
      // f32 arithmetic on top, as in reference.test.ts.
      expect(apart(compare(await gpuLogits(model)), compare(want))).toBeLessThan(5e-6);

      expect(model.info.processing).toBe(Object.keys(processing).join(', '));
      expect(plan.processing).toBe(model.info.processing);
      expect(model.tied).toBe(
        (sizes.tied ?? true) && Object.keys(processing).every((name) => name === 'foldValueBiases'),
      );
      expect(plan.tied).toBe(model.tied);
      const planned = Object.fromEntries(plan.weights.map(({ name, shape, gpuBytes }) => [name, [shape, gpuBytes]]));
      const made: Record<string, unknown> = {};
      for await (const [name, { shape, data }] of model.hostWeights()) made[name] = [shape, data.byteLength];
      expect(planned).toEqual(made);

      // The same by way of the model on the GPU, and the fingerprint is that of the weights in use.
      const second = await withWeightForm(raw, { processing });
      expect(second.info).toEqual(model.info);
      expect(model.info.fingerprint).not.toBe(raw.info.fingerprint);
      expect(await model.refreshFingerprint()).toBe(second.info.fingerprint);
      expect(raw.info.processing).toBe('none');
      for (const each of [raw, model, second]) each.dispose();
    },
  );
});

describe('what the processed weights are', () => {
  test('LayerNorms, means and value biases', async () => {
    const sizes = cases[0]![1];
    const { model } = await loadGpt2(await testGpu(), await awkward(sizes), { processing: transformerLensProcessing });
    const host = new Map<string, Float32Array>();
    for await (const [name, { data }] of model.hostWeights()) host.set(name, data);
    const { width: C, vocabulary: V } = model.config;
    const largest = (values: Iterable<number>): number => Math.max(...Array.from(values, Math.abs));
    const columnMeans = (x: Float32Array, width: number): number[] =>
      Array.from({ length: width }, (_, c) => x.reduce((sum, value, i) => sum + (i % width === c ? value : 0), 0));
    for (const [name, data] of host) {
      if (/ln_\w\.weight/.test(name)) expect([...new Set(data)], name).toEqual([1]);
      if (/ln_\w\.bias/.test(name)) expect([...new Set(data)], name).toEqual([0]);
      // Sums over C of what is written into the stream and over the inputs of what reads it: roundings of 2⁻²⁴ each.
      if (/w[tp]e|c_proj/.test(name)) {
        for (let row = 0; row < data.length; row += C)
          expect(largest([data.subarray(row, row + C).reduce((a, b) => a + b, 0)]), name).toBeLessThan(1e-6);
      }
      if (/(c_attn|c_fc)\.weight/.test(name))
        expect(largest(columnMeans(data, data.length / C)), name).toBeLessThan(1e-6);
      if (name.endsWith('c_attn.bias')) expect([...new Set(data.subarray(2 * C))], name).toEqual([0]);
    }
    expect(largest(columnMeans(host.get('lm_head.weight')!, C))).toBeLessThan(1e-6);
    expect(Math.abs(host.get('lm_head.bias')!.reduce((a, b) => a + b, 0))).toBeLessThan(1e-6);
    expect(host.get('lm_head.bias')!.length).toBe(V);
    model.dispose();
  });

  test('losses know the bias of the unembedding, at once and in parts', async () => {
    const sizes = cases[0]![1];
    const { model: raw } = await loadGpt2(await testGpu(), await awkward(sizes));
    const model = await withWeightForm(raw, { processing: transformerLensProcessing });
    const targets = Uint32Array.from([1, 2, 3, 4, 5]);
    const lossesOf = async (which: Gpt2, bytes?: number): Promise<Float32Array> => {
      const step = which.gpu.step();
      const { resid } = which.run(step, { tokens: tokenBatch([prompt], which.info) }, { logits: 'none' });
      return readFloats(step, which.losses(step, resid, targets, bytes));
    };
    expect(apart(await lossesOf(model), await lossesOf(raw))).toBeLessThan(5e-6);
    // Two rows of logits at once.
    expect(apart(await lossesOf(model, 8 * sizes.vocabulary), await lossesOf(raw))).toBeLessThan(5e-6);
    raw.dispose();
    model.dispose();
  });
});

test.each([{}, { weights: 'f16' }, { processing: transformerLensProcessing }] as const)(
  'with %j each weight has left the host, the driver included, before the next matrix is read',
  async (form) => {
    const gpu = await testGpu();
    const files = await awkward(cases[0]![1]);
    /** Uploads that the device has confirmed. */
    let confirmed = gpu.counters.uploads;
    const finish = gpu.finished.bind(gpu);
    const spy = vi.spyOn(gpu, 'finished').mockImplementation(async () => {
      const sent = gpu.counters.uploads;
      await finish();
      confirmed = sent;
    });
    let reads = 0;
    const watched = {
      ...files,
      read: async (name: string, start?: number, end?: number) => {
        reads += 1;
        if (name === 'model.safetensors') expect(gpu.counters.uploads).toBe(confirmed);
        return files.read(name, start, end);
      },
    };
    const { model } = await loadGpt2(gpu, watched, form);
    expect(reads).toBeGreaterThan(model.parameters().size);
    spy.mockRestore();
    model.dispose();
  },
);

describe('what is refused', () => {
  const sizes = cases[0]![1];

  test('saving, training and processing again', async () => {
    const raw = await randomGpt2(await testGpu(), sizes, 1);
    const model = await withWeightForm(raw, { processing: { foldValueBiases: true } });
    const options = { batch: () => [[1, 2, 3]], steps: 1, recipe: { rate: 0.1 } };
    for (const [work, what] of [
      [() => saveGpt2(model, memoryFiles({})), 'saved'],
      [() => trainGpt2(model, options), 'trained'],
      [() => withWeightForm(model, { processing: { foldLayerNorm: true } }), 'processed again'],
    ] as const) {
      const error = await refusal(work());
      expect(error.code).toBe('weights/processed');
      expect(error.message).toBe(`a model with processed weights (foldValueBiases) cannot be ${what}`);
    }
    raw.dispose();
    model.dispose();
  });

  test('an option that does not exist, before anything is read', async () => {
    const files = await awkward(sizes);
    const processing = { fold_ln: true } as WeightProcessing;
    const error = await refusal(loadGpt2(await testGpu(), files, { processing }));
    expect(error.code).toBe('weights/bad-processing');
    expect(error.hint).toContain('foldLayerNorm, centerWritingWeights, centerUnembed, foldValueBiases');
    const half = { foldLayerNorm: 'yes' } as unknown as WeightProcessing;
    expect((await refusal(planLoad(files, { processing: half }))).code).toBe('weights/bad-processing');
  });

  test('the plan says what will be done', async () => {
    const plan = await planLoad(await awkward(sizes), { processing: { foldLayerNorm: true }, weights: 'f16' });
    expect(describePlan(plan)).toContain('(F32 → foldLayerNorm, f16)');
  });
});
