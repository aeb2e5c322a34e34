// Repositories as they are found: every storage, form and attention scaling gives the logits that transformers reads out of the same files.
import { readdirSync } from 'node:fs';
import path from 'node:path';
import { tokenBatch } from '@limn/hooks';
import { readFloats } from '@limn/tensor';
import { testGpu } from '@limn/testing';
import { expect, test } from 'vitest';
import { loadGpt2, readSafetensorsHeader, type LoadPlan, type ModelFiles } from '../src/index.js';
import { openModel } from '../src/node.js';

const home = path.join(import.meta.dirname, 'golden/variants');
const norm = (x: ArrayLike<number>): number => Math.hypot(...Array.from(x));
const difference = (a: ArrayLike<number>, b: ArrayLike<number>): number =>
  norm(Array.from(a, (value, i) => value - (b[i] as number)));

async function numbers(files: ModelFiles, name: string): Promise<Float64Array> {
  const entry = (await readSafetensorsHeader(files, 'golden.safetensors')).tensors.get(name);
  if (!entry) throw new Error(`the golden file has no ${name}`);
  const { buffer } = (await files.read(entry.file, entry.begin, entry.end)).slice();
  return entry.dtype === 'F64' ? new Float64Array(buffer) : Float64Array.from(new Float32Array(buffer));
}

const cases: Record<string, { dtype: string; tied: boolean; shards: number }> = {
  'bf16-shards': { dtype: 'BF16', tied: true, shards: 2 },
  'f16-one-file': { dtype: 'F16', tied: true, shards: 0 },
  'f32-no-prefix-masks': { dtype: 'F32', tied: true, shards: 0 },
  'f32-head-equal': { dtype: 'F32', tied: true, shards: 0 },
  'f16-untied-shards': { dtype: 'F16', tied: false, shards: 3 },
};

test.each(Object.entries(cases))('%s', async (name, { dtype, tied, shards }) => {
  const folder = path.join(home, name);
  expect(readdirSync(folder).filter((file) => file.startsWith('model-')).length).toBe(shards);
  const files = await openModel(folder);
  const gpu = await testGpu();
  let plan: LoadPlan | undefined;
  const { model } = await loadGpt2(gpu, files, { onPlan: (found) => void (plan = found) });
  expect(new Set(plan?.weights.map((weight) => weight.dtype))).toEqual(new Set([dtype]));
  expect(model.tied).toBe(tied);
  const ids = Array.from(await numbers(files, 'tokens'));
  const T = model.info.maxPositions;
  const step = gpu.step();
  const run = model.run(step, { tokens: tokenBatch([ids.slice(0, T), ids.slice(T)], model.info) });
  const mine = await readFloats(step, run.logits);
  const exact = await numbers(files, 'f64.logits');
  expect(norm(exact)).toBeGreaterThan(1);
  // f32 round-off: eight times what torch makes of it in f32, and 2e-6 of the whole.
  const allowed = 8 * difference(await numbers(files, 'f32.logits'), exact) + 2e-6 * norm(exact);
  expect(difference(mine, exact)).toBeLessThanOrEqual(allowed);
  model.dispose();
});
