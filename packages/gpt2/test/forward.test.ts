// The forward pass and its gradients against torch (golden files) and the float64 reference, at sizes that fit nothing evenly.
import { readFileSync } from 'node:fs';
import { tokenBatch, type HookName } from '@limn/hooks';
import { crossEntropy, fromData, gradients, readFloats, scale, sumAll, type Tensor } from '@limn/tensor';
import { testGpu } from '@limn/testing';
import { describe, expect, test } from 'vitest';
import { openFolder } from '../src/node.js';
import { loadGpt2, memoryFiles, readSafetensorsHeader, tensorsOf } from '../src/index.js';

const folder = (name: string) => new URL(`golden/${name}`, import.meta.url).pathname;

/** Golden tensors as float64, by name. */
async function golden(name: string): Promise<(key: string) => { shape: readonly number[]; data: Float64Array }> {
  const bytes = readFileSync(`${folder(name)}/golden.safetensors`);
  const { tensors } = await readSafetensorsHeader(memoryFiles({ g: bytes }), 'g');
  return (key) => {
    const entry = tensors.get(key);
    if (!entry) throw new Error(`the golden file has no ${key}`);
    const part = Uint8Array.from(bytes.subarray(entry.begin, entry.end)).buffer;
    return {
      shape: entry.shape,
      data: entry.dtype === 'F64' ? new Float64Array(part) : Float64Array.from(new Float32Array(part)),
    };
  };
}

const norm = (x: ArrayLike<number>): number => Math.sqrt(Array.from(x).reduce((sum, value) => sum + value * value, 0));
const difference = (a: ArrayLike<number>, b: ArrayLike<number>): number =>
  norm(Array.from(a, (value, i) => value - (b[i] as number)));

describe.each(['tied-tanh', 'untied-erf'])('%s', (name) => {
  test('logits, hidden states, loss and the gradient of every weight are torch’s, to f32 round-off', async () => {
    const gpu = await testGpu();
    const want = await golden(name);
    const { model } = await loadGpt2(gpu, openFolder(folder(name)));
    const { data, shape } = want('tokens');
    const [B, T] = shape as [number, number];
    const rows = Array.from({ length: B }, (_, b) => Array.from(data.subarray(b * T, (b + 1) * T)));
    const tokens = tokenBatch(rows, model.info);
    const step = gpu.step();
    // What transformers calls hidden states: the input of each block, and the final normalisation.
    const inputs = Array.from({ length: model.info.layers }, (_, l): HookName => `blocks.${l}.hook_resid_pre`);
    const hidden: readonly HookName[] = [...inputs, 'ln_final.hook_normalized'];
    const run = model.run(step, { tokens }, { capture: hidden });
    const targets = Uint32Array.from({ length: B * T }, (_, i) =>
      i % T === T - 1 ? 0xffffffff : (rows[Math.floor(i / T)]?.[(i % T) + 1] as number),
    );
    const loss = scale(
      step,
      sumAll(step, crossEntropy(step, run.logits, fromData(step, targets, [B * T]))),
      1 / (B * (T - 1)),
    );
    const names = [...model.parameters().keys()];
    const parameters = names.map((each) => tensorsOf(model.parameters().get(each) as Tensor)[0] as Tensor);
    const slopes = gradients(step, loss, 'ones', parameters);
    const got = new Map<string, Promise<Float32Array>>([
      ['logits', readFloats(step, run.logits)],
      ['loss', readFloats(step, loss)],
    ]);
    hidden.forEach((site, i) => got.set(`hidden.${i}`, readFloats(step, run.at(site))));
    names.forEach((each, i) =>
      got.set(
        `grad.${each === 'lm_head.weight' ? each : `transformer.${each}`}`,
        readFloats(step, slopes[i] as Tensor),
      ),
    );
    for (const [key, values] of got) {
      const exact = want(`f64.${key}`).data;
      const mine = await values;
      const allowed = 8 * difference(want(`f32.${key}`).data, exact) + 2e-6 * norm(exact);
      expect(difference(mine, exact), key).toBeLessThanOrEqual(allowed);
      if (!key.endsWith('c_attn.bias')) continue;
      // The key bias has gradient zero in theory: it adds the same to every score of a row.
      const C = exact.length / 3;
      expect(norm(mine.subarray(C, 2 * C)), `${key}, key part`).toBeLessThan(1e-5);
    }
    model.dispose();
  });
});
