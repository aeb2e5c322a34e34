// The pass in three parts against float64: losses, slopes and figures, with the change of every row merged into plain weights; and against a merged diff.
import type { Gpt2 } from '@limn/gpt2';
import { readFloats } from '@limn/tensor';
import { expectSameBits, referenceGpt2 } from '@limn/testing';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { loraScale, MergedAdapters, trainDitAdapter, type DitExample, type LoraWeights } from '../src/index.js';
import { ditBatch, frozenDiffs, recordDitSlopes, type DitShape } from '../src/adapter/adapter-pass.js';
import { readExamples } from '../src/adapter/read-examples.js';
import { DiffStack } from '../src/diffs/diff-stack.js';
import { loudLora } from './adapter-job.js';
import { numbersOf } from './diffs-job.js';
import { distanceOf, goldenModel } from './folders.js';

let model: Gpt2;
let weights: Map<string, Float64Array>;
let diffs: LoraWeights[];
let adapter: LoraWeights;
beforeAll(async () => {
  model = await goldenModel();
  weights = await weightsOf();
  diffs = [
    loudLora(model, 1, { size: 0.2 }),
    // Another rank and scale for one map, and some maps without a change.
    loudLora(model, 2, {
      size: 0.2,
      rank: 3,
      alpha: 2,
      rsLora: true,
      targets: ['c_attn', 'c_fc'],
      rankPattern: { 'h.1.mlp.c_fc': 2 },
    }),
  ];
  adapter = loudLora(model, 3, { size: 0.2, rank: 4, alpha: 1 });
});
afterAll(() => model.dispose());

const EXAMPLES: readonly DitExample[] = [
  { diff: 1, prompt: [5, 0, 30], answer: [7, 60] },
  { diff: null, prompt: [9, 3, 3, 28, 14], answer: [60], weight: 3 },
  { diff: 0, prompt: [2], answer: [31, 17, 4, 60] },
  { diff: 1, prompt: [44, 44], answer: [8, 60], weight: 0.5 },
];
const TIGHT: DitShape = { batch: 4, positions: 6, answers: 4 };

async function weightsOf(): Promise<Map<string, Float64Array>> {
  const found = new Map<string, Float64Array>();
  for await (const [name, { data }] of model.hostWeights()) found.set(name, Float64Array.from(data));
  return found;
}

/** W + Σ s·(B·A)ᵀ of every map, in float64. */
function changed(loras: readonly (LoraWeights | undefined)[]): Map<string, Float64Array> {
  const all = new Map(weights);
  for (const { name, inWidth, outWidth } of model.linears()) {
    const weight = Float64Array.from(all.get(`${name}.weight`) as Float64Array);
    for (const lora of loras) {
      const factors = lora?.modules.get(name);
      if (!lora || !factors) continue;
      const { a, b, rank } = factors;
      const s = loraScale(factors, lora.rsLora);
      for (let i = 0; i < inWidth; i++)
        for (let o = 0; o < outWidth; o++)
          for (let k = 0; k < rank; k++)
            weight[i * outWidth + o]! += s * (b[o * rank + k] as number) * (a[k * inWidth + i] as number);
    }
    all.set(`${name}.weight`, weight);
  }
  return all;
}

/** Log-probabilities [answer, V] wherever a token of the answer is predicted. */
function reference({ diff, prompt, answer }: DitExample, lora: LoraWeights): number[][] {
  const V = model.info.vocabulary;
  const tokens = [...prompt, ...answer];
  const merged = changed([diff === null ? undefined : diffs[diff], lora]);
  const { logits } = referenceGpt2.referenceForward(model.config, merged, tokens);
  return answer.map((_, i) => {
    const at = (prompt.length + i - 1) * V;
    const row = Array.from(logits.subarray(at, at + V));
    const lse = Math.log(row.reduce((sum, x) => sum + Math.exp(x), 0));
    return row.map((x) => x - lse);
  });
}

/** Σ w · −log q / Σ w over answer tokens. */
function referenceLoss(examples: readonly DitExample[], lora: LoraWeights): number {
  let [sum, total] = [0, 0];
  for (const each of examples) {
    const { answer, weight = 1 } = each;
    const logP = reference(each, lora);
    answer.forEach((token, i) => (sum -= weight * (logP[i]?.[token] as number)));
    total += weight * answer.length;
  }
  return sum / total;
}

/** Loss and slopes of a batch as they are recorded in training, by parameter. */
async function recorded(shape: DitShape): Promise<{ loss: number; slopes: Map<string, Float32Array> }> {
  using stack = DiffStack.create(model.gpu, model.linears(), [adapter], adapter.rank);
  stack.write([adapter]);
  const step = model.gpu.step();
  const { loss, slopes } = recordDitSlopes(step, model, ditBatch(EXAMPLES, shape), frozenDiffs(model, diffs), stack);
  const [found, ...values] = await Promise.all([loss, ...slopes].map((each) => readFloats(step, each!)));
  step.dispose();
  const names = stack.parameters.map(({ name }) => name);
  return { loss: found![0] as number, slopes: new Map(names.map((name, i) => [name, values[i] as Float32Array])) };
}

test('loss and slopes at every factor are those of float64, by finite differences of a plain model with both changes in its weights', async () => {
  const { loss, slopes } = await recorded(TIGHT);
  const expected = referenceLoss(EXAMPLES, adapter);
  expect(Math.abs(loss / expected - 1)).toBeLessThan(2e-6);
  let worst = 0;
  for (const [place, { name }] of model.linears().entries())
    for (const side of ['a', 'b'] as const) {
      const slope = slopes.get(`${name}.${side}`) as Float32Array;
      const direction = slope.map((_, i) => Math.sin(1.3 * i + place) / Math.sqrt(slope.length / 2));
      const moved = (h: number): number => {
        const factors = adapter.modules.get(name)!;
        // Float64, so that a step of 1e-4 is not rounded away.
        const values = Float64Array.from(factors[side], (value, i) => value + h * (direction[i] as number));
        const modules = new Map([
          ...adapter.modules,
          [name, { ...factors, [side]: values as unknown as Float32Array }],
        ]);
        return referenceLoss(EXAMPLES, { ...adapter, modules });
      };
      const h = 1e-4;
      const difference = (moved(h) - moved(-h)) / (2 * h);
      const along = slope.reduce((sum, value, i) => sum + value * (direction[i] as number), 0);
      const size = Math.hypot(...slope);
      expect(size, name).toBeGreaterThan(1e-4);
      worst = Math.max(worst, Math.abs(difference - along) / size);
    }
  expect(worst).toBeLessThan(1e-5);
});

test('padding, spare rows and places change nothing beyond round-off', async () => {
  const [tight, wide] = [await recorded(TIGHT), await recorded({ batch: 6, positions: 11, answers: 5 })];
  expect(Math.abs(tight.loss / wide.loss - 1)).toBeLessThan(2e-6);
  for (const [name, slope] of tight.slopes) {
    const { apart, size } = distanceOf(wide.slopes.get(name) as Float32Array, slope);
    expect(apart / size, name).toBeLessThan(1e-5);
  }
});

test('figures of examples are those of float64, in passes of any number of rows', async () => {
  const candidates = [7, 31, 8, 50];
  const logP = EXAMPLES.map((each) => reference(each, adapter));
  const likeliest = (row: readonly number[]): number => row.indexOf(Math.max(...row));
  // One more, with the answer that the model gives.
  const said: DitExample = { diff: 0, prompt: [2], answer: [likeliest(reference(EXAMPLES[2]!, adapter)[0]!)] };
  const all = [...EXAMPLES, said];
  const ranked = logP.flatMap((rows, i) => {
    const first = EXAMPLES[i]!.answer[0] as number;
    const scores = candidates.map((id) => rows[0]![id] as number);
    const right = candidates.indexOf(first);
    return right < 0 ? [] : [1 / (1 + scores.filter((score) => score > scores[right]!).length)];
  });
  expect(ranked).toHaveLength(3);
  const mrr = ranked.reduce((sum, value) => sum + value, 0) / 3;
  using stack = DiffStack.create(model.gpu, model.linears(), [adapter], adapter.rank);
  stack.write([adapter]);
  const parts = { diffs: frozenDiffs(model, diffs), adapter: stack, candidates };
  for (const batch of [2, 5]) {
    const found = await readExamples(model, all, { ...TIGHT, batch }, parts);
    expect(Math.abs(found.loss / referenceLoss(all, adapter) - 1)).toBeLessThan(2e-6);
    expect(found.exact).toBe(0.2);
    expect(found.mrr).toBeCloseTo(mrr, 12);
  }
  expect(await readExamples(model, all, { ...TIGHT, batch: 5 }, { ...parts, candidates: [] })).not.toHaveProperty(
    'mrr',
  );
});

test('training on a diff is training on the bare model with the diff in its weights, and changes nothing but the adapter', async () => {
  const [diff] = diffs as [LoraWeights];
  const examples = EXAMPLES.map((each) => ({ ...each, diff: 0 }));
  const options = { rank: 3, updates: 6, batch: 3, rate: 0.02, weightDecay: 0.1, seed: 2 };
  const before = [diff, ...diffs].map(numbersOfLora);
  const apart = await trainDitAdapter(model, { diffs: [diff], examples }, options);
  [diff, ...diffs].forEach((lora, i) => expectSameBits(numbersOfLora(lora), before[i]!, `diff ${i}`));
  for (const [name, values] of await weightsOf()) expectSameBits(values, weights.get(name)!, name);
  const merged = new MergedAdapters(model);
  await merged.merge('diff', diff);
  const bare = examples.map((each) => ({ ...each, diff: null }));
  const inside = await trainDitAdapter(model, { diffs: [], examples: bare }, options);
  await merged.unmergeAll();
  merged.dispose();
  const without = await trainDitAdapter(model, { diffs: [], examples: bare }, options);
  inside.losses.forEach(({ loss }, i) => expect(Math.abs(apart.losses[i]!.loss / loss - 1)).toBeLessThan(1e-5));
  expect(Math.abs(without.losses[0]!.loss / apart.losses[0]!.loss - 1)).toBeGreaterThan(1e-3);
  const [mine, theirs] = [numbersOfLora(apart.lora), numbersOfLora(inside.lora)];
  const moved = distanceOf(mine, numbersOfLora(without.lora)).apart;
  expect(distanceOf(mine, theirs).apart).toBeLessThan(1e-3 * moved);
});

const numbersOfLora = (lora: LoraWeights): Float32Array => numbersOf({ lora });
