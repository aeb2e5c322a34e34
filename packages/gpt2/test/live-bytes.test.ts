// Nothing stays behind: after many models that were made, run, generated with and disposed, the GPU holds what it held after ten.
import { generate, runWithCache } from '@limn/hooks';
import { recordResult, testGpu } from '@limn/testing';
import { expect, test } from 'vitest';
import { randomGpt2 } from '../src/index.js';

const rounds = process.env['LIMN_LONG'] === '1' ? 1000 : 20;

test(`${rounds} models, each with a run, a cache and a generation`, async () => {
  const gpu = await testGpu();
  const once = async (n: number): Promise<void> => {
    const model = await randomGpt2(gpu, { vocabulary: 29, maxPositions: 16, width: 12, layers: 2, heads: 3 }, n);
    const prompts = [[1 + (n % 7), 2, 3], [4]];
    const { cache } = await runWithCache(model, prompts, { names: 'pattern' });
    const { tokens } = await generate(model, prompts, { maxNewTokens: 2, sampling: { kind: 'sample', seed: n } });
    expect(tokens).toHaveLength(2);
    cache.dispose();
    model.dispose();
  };
  for (let n = 0; n < 10; n++) await once(n);
  const { bytesLive, buffersLive } = gpu.counters.snapshot();
  for (let n = 10; n < rounds; n++) await once(n);
  const after = gpu.counters.snapshot();
  expect([after.bytesLive, after.buffersLive]).toEqual([bytesLive, buffersLive]);
  recordResult('nothing stays: models made, run and disposed', { rounds, 'bytes held': after.bytesLive });
});
