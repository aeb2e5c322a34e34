// What is made of many buffers gives back those it has when the next cannot be made.
import { Gpu } from '@limn/gpu';
import { FaultyDevice, testGpu } from '@limn/testing';
import { expect, test } from 'vitest';
import { adamw, persistent, rowBlocks } from '../src/index.js';

test.each([
  ['the blocks of a table', 5, (gpu: Gpu) => void rowBlocks(gpu, 10, 4, undefined, { maxBytes: 32 })],
  [
    'the moments of an optimiser',
    // One buffer of no clipping, and two moments of each of three parameters.
    7,
    (gpu: Gpu) => {
      const params = ['a', 'b', 'c'].map((name) => ({ name, tensor: persistent(gpu, [300]) }));
      try {
        adamw(gpu, [{ params, rate: 0.1 }]);
      } finally {
        for (const { tensor } of params) tensor.dispose();
      }
    },
  ],
])('%s', async (_what, buffers, make) => {
  const base = await testGpu();
  const healthy = new FaultyDevice(base.device);
  const whole = new Gpu(healthy.device, base.capabilities, 1e9);
  make(whole);
  const count = healthy.counter.calls.filter((name) => name === 'createBuffer').length;
  expect(count).toBeGreaterThanOrEqual(buffers);
  whole.dispose();
  for (let call = 1; call <= count; call++) {
    const faulty = new FaultyDevice(base.device, { call, how: 'throw', of: ['createBuffer'] });
    const gpu = new Gpu(faulty.device, base.capabilities, 1e9);
    // Parameters that cannot be made are the caller's to give back; they come first.
    if (call > count - buffers) {
      expect(() => make(gpu)).toThrow('cannot make a GPU buffer');
      gpu.trim();
      await gpu.finished();
      expect([gpu.counters.snapshot().bytesLive, faulty.liveBuffers.size], `buffer ${call}`).toEqual([0, 0]);
    }
    gpu.dispose();
  }
});
