// `finished` waits for what was written, and has nothing to wait for without a device.
import { testGpu } from '@limn/testing';
import { expect, test } from 'vitest';
import { dryGpu } from '../src/index.js';
import { openNodeGpu } from '../src/node.js';

test('after it a write has happened, and a second call is as good as the first', async () => {
  const gpu = await testGpu();
  const storage = gpu.persistent(16, { data: Float32Array.of(1, 2, 3, 4) });
  await gpu.finished();
  gpu.write(storage, Float32Array.of(9), 4);
  await Promise.all([gpu.finished(), gpu.finished()]);
  expect([...(await gpu.read(storage, 'f32'))]).toEqual([1, 9, 3, 4]);
  storage.dispose();
});

test('a dry Gpu is finished at once', async () => {
  await expect(dryGpu().finished()).resolves.toBeUndefined();
});

test('a Gpu that was disposed says so', async () => {
  const gpu = await openNodeGpu({ label: 'finished' });
  gpu.dispose();
  await expect(gpu.finished()).rejects.toMatchObject({ code: 'gpu/disposed' });
});
