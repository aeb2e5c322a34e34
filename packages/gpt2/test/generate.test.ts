// Generation with GPT-2: transformers' generations; GPT-2's own vocabulary and tokenizer; and GPT-2 small's shape.
import { existsSync, readFileSync } from 'node:fs';
import { generate, generateStream, tokenBatch } from '@limn/hooks';
import { randomUniform, readFloats } from '@limn/tensor';
import { recordResult, referenceSampling, testGpu } from '@limn/testing';
import { expect, test } from 'vitest';
import { loadGpt2, memoryFiles, ModelTokenizer, randomGpt2 } from '../src/index.js';
import { openFolder } from '../src/node.js';

/** pocket's shape, with weights large enough to be far from uniform. */
const POCKET = { layers: 3, heads: 4, width: 64, vocabulary: 388, maxPositions: 96, initializerRange: 0.2 };
const GPT2_VOCABULARY = 50_257;

/** Relative distance that f32 sums in another order may cause: √n·2⁻²⁴ for n = 10⁴ roundings in a row, as in the contract of models. */
const near = 1e-5;

interface RecordedCase {
  readonly model: string;
  readonly prompts: readonly (readonly number[])[];
  readonly newTokens: number;
  readonly penalty: number;
  readonly least: number;
  readonly eos: number | null;
  readonly rows: readonly { readonly tokens: readonly number[]; readonly logs: readonly number[] }[];
}

test("one batch of unequal prompts gives the tokens and log-probabilities of transformers' generate, prompt by prompt", async () => {
  const gpu = await testGpu();
  const { cases } = JSON.parse(readFileSync(new URL('golden/generation.json', import.meta.url), 'utf8')) as {
    readonly cases: readonly RecordedCase[];
  };
  for (const name of new Set(cases.map(({ model }) => model))) {
    const { model } = await loadGpt2(gpu, openFolder(new URL(`golden/${name}`, import.meta.url).pathname));
    for (const { prompts, newTokens, penalty, least, eos, rows } of cases.filter((each) => each.model === name)) {
      const made = await generate(model, prompts, {
        maxNewTokens: newTokens,
        minNewTokens: least,
        eosIds: eos === null ? [] : [eos],
        sampling: { kind: 'greedy', repetitionPenalty: penalty },
      });
      expect(made.rows.map((row) => row.newTokens.map(({ id }) => id))).toEqual(rows.map(({ tokens }) => tokens));
      for (const [r, { logs }] of rows.entries())
        for (const [n, log] of logs.entries())
          // f32 on both sides, of logits of size 10 at most, and recorded to six places.
          expect(Math.abs((made.rows[r]?.newTokens[n]?.logProbability as number) - log)).toBeLessThan(2e-5);
    }
    model.dispose();
  }
});

test("GPT-2's vocabulary: each token is float64's choice from the same logits, and its text the tokenizer's", async (context) => {
  const gpu = await testGpu();
  const model = await randomGpt2(gpu, { ...POCKET, layers: 1, width: 16, vocabulary: GPT2_VOCABULARY }, 4);
  const prompts = [[50_256, 11, 262], [1_000]];
  const sampling = {
    kind: 'sample',
    seed: 5,
    temperature: 0.6,
    topK: 2_000,
    topP: 0.9,
    repetitionPenalty: 1.2,
  } as const;
  const tokens = await generate(model, prompts, { maxNewTokens: 3, sampling });
  for (const [r, { newTokens }] of tokens.rows.entries()) {
    const whole = tokens.tokens[r] as number[];
    const step = gpu.step();
    const positions = newTokens.map(({ position }) => position - 1);
    const batch = tokenBatch([whole], model.info);
    const all = await readFloats(step, model.run(step, { tokens: batch }, { logits: positions }).logits);
    for (const [n, { id, position }] of newTokens.entries()) {
      const text = whole.slice(0, position);
      const logits = all.subarray(n * GPT2_VOCABULARY, (n + 1) * GPT2_VOCABULARY);
      const values = referenceSampling.adjusted(logits, { ...sampling, penalty: 1.2 }, new Set(text));
      const kept = referenceSampling.kept(values, sampling);
      const ends = referenceSampling.cumulative(referenceSampling.probabilities(values, kept));
      const u = randomUniform(5, r, position);
      // Sums of 50,257 terms, and logits of another kernel: see sampling.test.ts of tensor.
      expect(u).toBeGreaterThan((ends[id] as number) - 5e-4);
      expect(u).toBeLessThan((ends[id + 1] as number) + 5e-4);
    }
  }
  const folder = new URL('../../../../shared/gpt2-tokenizer/', import.meta.url);
  if (!existsSync(folder)) return context.skip("GPT-2's tokenizer is not there: its text was not compared");
  const names = ['vocab.json', 'merges.txt'];
  const files = memoryFiles(Object.fromEntries(names.map((name) => [name, readFileSync(new URL(name, folder))])));
  const tokenizer = (await ModelTokenizer.open(files, undefined)) as ModelTokenizer;
  const decode = (ids: readonly number[]): Uint8Array => tokenizer.decodeBytes(ids);
  const parts = ['', ''];
  const ids: number[][] = [[], []];
  const options = { maxNewTokens: 6, sampling: { kind: 'sample', seed: 1, temperature: 3 }, decode } as const;
  for await (const { row, id, text = '' } of generateStream(model, prompts, options)) {
    parts[row] += text;
    ids[row]?.push(id);
  }
  expect(parts).toEqual(ids.map((row) => new TextDecoder().decode(tokenizer.decodeBytes(row))));
  model.dispose();
});

test("GPT-2 small's shape: 64 tokens in, 32 out, as without a cache", { timeout: 1_800_000 }, async (context) => {
  if (process.env['LIMN_LONG'] !== '1') return context.skip("GPT-2 small's shape runs in test:long");
  const gpu = await testGpu();
  const small = { vocabulary: GPT2_VOCABULARY, maxPositions: 1024, width: 768, layers: 12, heads: 12 };
  const model = await randomGpt2(gpu, small, 6);
  const prompt = Array.from({ length: 64 }, (_, i) => (i * 769) % GPT2_VOCABULARY);
  const started = performance.now();
  let prefilled = 0;
  const text = [...prompt];
  let made = gpu.counters.snapshot();
  for await (const { id, position } of generateStream(model, [prompt], { maxNewTokens: 32, eosIds: [] })) {
    text.push(id);
    prefilled ||= performance.now();
    const { buffersCreated, bindGroupsCreated, pipelinesCreated, plansCreated } = gpu.counters.since(made);
    if (position > 65)
      expect([buffersCreated, bindGroupsCreated, pipelinesCreated, plansCreated]).toEqual([0, 0, 0, 0]);
    made = gpu.counters.snapshot();
  }
  const ended = performance.now();
  recordResult("GPT-2 small's shape, seconds", {
    prefill: (prefilled - started) / 1000,
    decode: (ended - prefilled) / 1000,
  });
  const V = GPT2_VOCABULARY;
  const step = gpu.step();
  const rows = Array.from({ length: 32 }, (_, i) => 63 + i);
  const tokens = tokenBatch([text.slice(0, -1)], model.info);
  const logits = await readFloats(step, model.run(step, { tokens }, { logits: rows }).logits);
  for (const i of rows.keys()) {
    const row = logits.subarray(i * V, (i + 1) * V);
    const size = Math.sqrt(row.reduce((sum, value) => sum + value * value, 0) / V);
    const best = row.reduce((top, value) => Math.max(top, value), -Infinity);
    expect(best - (row[text[64 + i] as number] as number)).toBeLessThan(20 * near * size);
  }
  model.dispose();
});
