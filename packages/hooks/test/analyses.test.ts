// Attributions, lens and patterns as calls: refusals before any work, abort, and nothing left on the GPU. What they compute is in the contract.
import { AbortedError } from '@limn/gpu';
import { refusal } from '@limn/testing';
import { describe, expect, test } from 'vitest';
import {
  attentionPatterns,
  decomposeResid,
  directLogitAttribution,
  logitLens,
  runWithCache,
  scale,
  stackHeadResults,
} from '../src/index.js';
import { apart, toy } from './toy.js';

const prompts = [
  [1, 4, 7, 2],
  [3, 3, 9],
];

test('attention patterns of chosen layers: probabilities of what each position may see', async () => {
  const model = await toy();
  const all = await attentionPatterns(model, prompts);
  expect(all.shape).toEqual([2, 2, 3, 4, 4]);
  const second = await attentionPatterns(model, prompts, { layers: [1] });
  expect(second.shape).toEqual([1, 2, 3, 4, 4]);
  expect(second.data).toEqual(all.data.subarray(96));
  for (let row = 0; row < 48; row++) {
    const seen = all.data.subarray(4 * row, 4 * row + 4);
    expect(seen.reduce((sum, value) => sum + value, 0)).toBeCloseTo(1, 5);
    expect(seen.subarray((row % 4) + 1).every((value) => value === 0)).toBe(true);
  }
  const edited = await attentionPatterns(model, prompts, {
    layers: [1],
    interventions: [scale('blocks.0.hook_mlp_out', 3)],
  });
  expect(apart(edited.data, second.data)).toBeGreaterThan(1e-3);
});

test('interventions are seen by attributions and lens', async () => {
  const model = await toy();
  const off = [scale('blocks.1.hook_mlp_out', 0)];
  const { labels, values } = await directLogitAttribution(model, prompts, {
    correct: 1,
    incorrect: 2,
    interventions: off,
  });
  const at = 2 * labels.indexOf('1_mlp_out');
  expect(Array.from(values.data.subarray(at, at + 2))).toEqual([0, 0]);
  const [plain, edited] = [await logitLens(model, prompts), await logitLens(model, prompts, { interventions: off })];
  const last = 2 * 2 * 13;
  expect(plain.labels).toEqual(['0_pre', '1_pre', 'final_post']);
  expect(edited.logits.data.subarray(0, last)).toEqual(plain.logits.data.subarray(0, last));
  expect(apart(edited.logits.data.subarray(last), plain.logits.data.subarray(last))).toBeGreaterThan(1e-3);
});

describe('refusals', () => {
  test.each<readonly [string, Partial<Parameters<typeof directLogitAttribution>[2]>, string]>([
    ['an id beyond the vocabulary', { correct: 13 }, 'tokens/not-in-vocabulary'],
    ['an incorrect id below it', { incorrect: [0, -1] }, 'tokens/not-in-vocabulary'],
    ['ids for another number of prompts', { correct: [1, 2, 3] }, 'hooks/bad-rows'],
    ['a position that one prompt lacks', { position: 3 }, 'hooks/bad-extent'],
    ['a position from the end', { position: -1 }, 'hooks/bad-extent'],
  ])('%s', async (_, changes, code) => {
    const model = await toy();
    const before = model.gpu.counters.snapshot();
    const error = await refusal(() => directLogitAttribution(model, prompts, { correct: 1, ...changes }));
    expect(error.code).toBe(code);
    expect(model.gpu.counters.since(before).submits).toBe(0);
  });

  test('a layer that is not there, and what the cache lacks', async () => {
    const model = await toy();
    const { cache } = await runWithCache(model, prompts, { names: ['embed', 'pos_embed'] });
    const step = model.gpu.step();
    expect((await refusal(() => decomposeResid(step, cache, { layer: 3 }))).code).toBe('hooks/bad-layer');
    expect((await refusal(() => stackHeadResults(step, cache, { layer: 0 }))).code).toBe('hooks/bad-layer');
    const missing = await refusal(() => decomposeResid(step, cache));
    expect(missing.code).toBe('hooks/not-captured');
    expect(missing.message).toContain('blocks.0.hook_attn_out');
    expect((await refusal(() => logitLens(model, prompts, { inclMid: true }))).code).toBe('hooks/unknown-site');
    step.dispose();
    cache.dispose();
  });

  test('an aborted signal', async () => {
    const model = await toy();
    const signal = AbortSignal.abort('enough');
    for (const call of [
      () => directLogitAttribution(model, prompts, { correct: 1, signal }),
      () => logitLens(model, prompts, { signal }),
      () => attentionPatterns(model, prompts, { signal }),
    ]) {
      const error = await refusal(call);
      expect(error).toBeInstanceOf(AbortedError);
      expect(error.cause).toBe('enough');
    }
  });
});

test('nothing stays on the GPU', async () => {
  const model = await toy();
  const use = async (): Promise<void> => {
    await directLogitAttribution(model, prompts, { correct: 1, incorrect: 2, by: 'head' });
    await logitLens(model, prompts, { position: 'all' });
    await attentionPatterns(model, prompts);
  };
  for (let i = 0; i < 2; i++) await use();
  const settled = model.gpu.counters.bytesLive;
  for (let i = 0; i < 4; i++) await use();
  expect(model.gpu.counters.bytesLive).toBe(settled);
});
