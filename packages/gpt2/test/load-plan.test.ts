// What loading takes is counted before anything is allocated, kept to while loading, and refused with numbers when it does not fit.
import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { testGpu, refusal } from '@limn/testing';
import { afterAll, expect, test } from 'vitest';
import {
  describePlan,
  loadGpt2,
  memoryFiles,
  newConfig,
  planLoad,
  randomGpt2,
  saveGpt2,
  weightShapes,
  type LoadPlan,
} from '../src/index.js';
import { openFolder } from '../src/node.js';
import { fileOf } from './hostile/bytes.js';

const MiB = 2 ** 20;
const home = mkdtempSync(path.join(os.tmpdir(), 'limn-plan-'));
afterAll(() => rmSync(home, { recursive: true, force: true }));

/** A folder in memory whose weights are all stored as `dtype`, with values that f16 and bf16 hold exactly. */
function stored(dtype: 'F32' | 'F16' | 'BF16' | 'F64') {
  const config = newConfig({ vocabulary: 5, maxPositions: 4, width: 4, layers: 1, heads: 2 });
  const entries: string[] = [];
  const bytes: number[] = [];
  for (const [name, shape] of weightShapes(config, true)) {
    const begin = bytes.length;
    for (let i = shape.reduce((a, b) => a * b, 1); i-- > 0;) {
      const values = { F32: new Float32Array([i]), F64: new Float64Array([i]), F16: half(i), BF16: upperHalf(i) };
      bytes.push(...new Uint8Array(values[dtype].buffer));
    }
    entries.push(
      `"${name}":{"dtype":"${dtype}","shape":[${shape.join(',')}],"data_offsets":[${begin},${bytes.length}]}`,
    );
  }
  const json = { model_type: 'gpt2', vocab_size: 5, n_positions: 4, n_embd: 4, n_layer: 1, n_head: 2 };
  return memoryFiles({
    'config.json': JSON.stringify(json),
    'model.safetensors': fileOf(`{${entries.join(',')}}`, Uint8Array.from(bytes)),
  });
}
/** binary16 of a whole number up to 2,048. */
function half(value: number): Uint16Array {
  const exponent = value === 0 ? -15 : Math.floor(Math.log2(value));
  return Uint16Array.of(value === 0 ? 0 : ((exponent + 15) << 10) | ((value / 2 ** exponent - 1) * 1024));
}
const upperHalf = (value: number): Uint16Array => new Uint16Array(new Float32Array([value]).buffer).slice(1);

test('F32, F16, BF16 and F64 folders give the same model, and the plan says what each takes', async () => {
  const gpu = await testGpu();
  const prints = new Set<string>();
  for (const dtype of ['F32', 'F16', 'BF16', 'F64'] as const) {
    const plans: LoadPlan[] = [];
    gpu.trim();
    const live = gpu.counters.snapshot().bytesLive;
    const { model } = await loadGpt2(gpu, stored(dtype), {
      onPlan: (plan) => {
        expect(gpu.counters.snapshot().bytesLive, 'nothing is allocated before the plan').toBe(live);
        plans.push(plan);
      },
    });
    const [plan] = plans as [LoadPlan];
    prints.add(model.info.fingerprint);
    const taken = gpu.counters.snapshot().bytesLive - live;
    // A buffer is a multiple of 256 bytes.
    expect(taken - plan.gpuBytes).toBeGreaterThanOrEqual(0);
    expect(taken - plan.gpuBytes).toBeLessThan(256 * plan.weights.length);
    expect(plan.gpuBytes).toBe(4 * plan.parameters);
    expect(plan.fileBytes / plan.parameters).toBe({ F32: 4, F16: 2, BF16: 2, F64: 8 }[dtype]);
    expect(plan).toEqual(await planLoad(stored(dtype)));
    expect(describePlan(plan)).toBe(
      `memory: 288 parameters in 16 tensors (${dtype}), 1.13 KiB on the GPU, ` +
        `${{ F32: '1.13 KiB', F16: '576 B', BF16: '576 B', F64: '2.25 KiB' }[dtype]} to read, ` +
        `at most ${{ F32: '256 B', F16: '384 B', BF16: '384 B', F64: '768 B' }[dtype]} of them in host memory`,
    );
    model.dispose();
  }
  expect(prints.size).toBe(1);
});

test('a budget that does not fit is refused with the numbers before anything is read or allocated', async () => {
  const gpu = await testGpu();
  const files = stored('F16');
  const live = gpu.counters.snapshot();
  let read = 0;
  const watched: typeof files = {
    ...files,
    read: async (name, begin, end) => {
      const bytes = await files.read(name, begin, end);
      read += bytes.length;
      return bytes;
    },
  };
  const error = await refusal(loadGpt2(gpu, watched, { budgetBytes: 1151 }));
  expect([error.code, error.details]).toEqual([
    'load/over-budget',
    { needed: 1152, budget: 1151, parameters: 288, source: 'memory' },
  ]);
  expect(error.message).toContain('1.13 KiB on the GPU');
  expect(read).toBe(
    (await files.size('config.json')) +
      8 +
      new DataView((await files.read('model.safetensors', 0, 8)).slice().buffer).getUint32(0, true),
  );
  expect(gpu.counters.snapshot().bytesLive).toBe(live.bytesLive);
  const none = await refusal(loadGpt2(gpu, files, { budgetBytes: Number.NaN }));
  expect([none.code, none.message.endsWith('the budget is NaN, which is no number of bytes')]).toEqual([
    'load/over-budget',
    true,
  ]);
  (await loadGpt2(gpu, files, { budgetBytes: 1152 })).model.dispose();
  await expect(
    loadGpt2(gpu, files, {
      onPlan: () => {
        throw new Error('too large for me');
      },
    }),
  ).rejects.toThrow('too large for me');
});

test('a matrix beyond the limit of the device is refused before anything is allocated; the vocabulary is not held against it', async () => {
  const gpu = await testGpu();
  // 2^27 bytes is the least that every device binds; c_fc of width 4,096 and 4 · 4,096 columns takes twice as much.
  const limit = Math.min(gpu.capabilities.limits.maxBufferSize, gpu.capabilities.limits.maxStorageBufferBindingSize);
  const width = 2 ** Math.ceil(Math.log2(Math.sqrt(limit / 16)) + 0.5);
  const sizes = { vocabulary: 2 ** 16, maxPositions: 1, width, layers: 1, heads: 1 };
  let end = 0;
  const entries = [...weightShapes(newConfig(sizes), true)].map(([name, shape]) => {
    const begin = end;
    end += 4 * shape.reduce((a, b) => a * b, 1);
    return `"${name}":{"dtype":"F32","shape":[${shape.join(',')}],"data_offsets":[${begin},${end}]}`;
  });
  const header = fileOf(`{${entries.join(',')}}`);
  const config = { model_type: 'gpt2', vocab_size: 2 ** 16, n_positions: 1, n_embd: width, n_layer: 1, n_head: 1 };
  const held = memoryFiles({ 'config.json': JSON.stringify(config), 'model.safetensors': header });
  const files = { ...held, size: async (name: string) => (await held.size(name)) + (name === 'config.json' ? 0 : end) };
  const error = await refusal(loadGpt2(gpu, files));
  expect([error.code, error.details['limit']]).toEqual(['load/over-limit', limit]);
  expect(error.details['name']).not.toBe('wte.weight');
});

test('while a model is loaded, host memory holds its largest tensor and little more', async () => {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  const gpu = await testGpu();
  // 8 MiB of embedding, and 2 layers of 3 MiB.
  const sizes = { vocabulary: 8_192, maxPositions: 8, width: 256, layers: 2, heads: 4 };
  const folder = openFolder(path.join(home, 'large'));
  const made = await randomGpt2(gpu, sizes, 1);
  await saveGpt2(made, folder);
  made.dispose();
  await gpu.device.queue.onSubmittedWorkDone();
  const plan = await planLoad(folder);
  expect([plan.hostBytes / MiB, Math.round(plan.gpuBytes / MiB)]).toEqual([8, 14]);
  const reads: number[] = [];
  let most = 0;
  // What was saved above is given back some time after it was collected.
  let before = Infinity;
  for (let same = 0, rounds = 0; same < 3 && rounds < 50; rounds++) {
    collect();
    await new Promise((done) => setTimeout(done, 20));
    const now = process.memoryUsage().arrayBuffers;
    same = now === before ? same + 1 : 0;
    before = now;
  }
  const look = (): void => {
    collect();
    most = Math.max(most, process.memoryUsage().arrayBuffers - before);
  };
  const watched: typeof folder = {
    ...folder,
    read: async (name, begin, end) => {
      const bytes = await folder.read(name, begin, end);
      reads.push(bytes.length);
      // What came before may still be held here: this is the most there ever is.
      if (bytes.length > MiB / 8) look();
      return bytes;
    },
  };
  const { model } = await loadGpt2(gpu, watched);
  expect(Math.max(...reads)).toBe(plan.hostBytes);
  expect(most).toBeGreaterThanOrEqual(plan.hostBytes);
  // A header, a config, and what the test runner itself makes meanwhile.
  expect(most).toBeLessThan(plan.hostBytes + MiB);
  model.dispose();
});
