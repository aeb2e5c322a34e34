// Ten updates of a 3-layer model against torch's AdamW, and pocket's logits against transformers': golden files with their script.
import { fileURLToPath } from 'node:url';
import { tokenBatch } from '@limn/hooks';
import { readFloats } from '@limn/tensor';
import { testGpu } from '@limn/testing';
import { expect, test } from 'vitest';
import { openFolder } from '../src/node.js';
import { loadGpt2, trainGpt2, type TrainingRecipe } from '../src/index.js';
import pocketGolden from './golden/pocket/logits.json' with { type: 'json' };
import golden from './golden/training/golden.json' with { type: 'json' };

const folder = (name: string): string => fileURLToPath(new URL(name, import.meta.url));

test('ten training losses are torch’s to 1e-5: clip, decay on matrices, warm-up and cosine', async () => {
  const gpu = await testGpu();
  const { model } = await loadGpt2(gpu, openFolder(folder('golden/training')));
  const { losses } = await trainGpt2(model, {
    batch: (step) => golden.rows[step]!,
    steps: golden.f64.length,
    recipe: golden.recipe as unknown as TrainingRecipe,
    every: 1,
  });
  expect(losses.map(({ loss }) => loss)).toHaveLength(10);
  losses.forEach(({ loss }, i) => {
    expect(Math.abs(loss / golden.f64[i]! - 1), `update ${i}: ${loss} against ${golden.f64[i]}`).toBeLessThan(1e-5);
  });
  // torch's own f32 is as far away: the bound is no gift.
  expect(Math.max(...golden.f32.map((loss, i) => Math.abs(loss / golden.f64[i]! - 1)))).toBeLessThan(1e-5);
  model.dispose();
});

test('pocket’s logits are transformers’, in float64, to f32 round-off', async () => {
  const gpu = await testGpu();
  const { model } = await loadGpt2(gpu, openFolder(folder('../../pocket/model')));
  using step = gpu.step();
  const run = model.run(step, { tokens: tokenBatch(pocketGolden.prompts, model.info) }, { logits: 'last' });
  const logits = await readFloats(step, run.logits);
  const want = pocketGolden.logits.flat();
  // Sums of 64 and 256 terms in 3 layers: about a hundred roundings in a row, relative to the largest logit of a prompt.
  pocketGolden.logits.forEach((row, b) => {
    const largest = Math.max(...row.map(Math.abs));
    row.forEach((_, v) => {
      const i = b * row.length + v;
      expect(Math.abs(logits[i]! - want[i]!), `prompt ${b}, id ${v}`).toBeLessThan(100 * 2 ** -24 * largest);
    });
  });
  model.dispose();
});
