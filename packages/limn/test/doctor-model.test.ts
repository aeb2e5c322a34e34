// `limn doctor --model`: what a model takes, planned before it runs and measured while it reads a prompt and continues it.
import { rmSync, mkdtempSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { randomGpt2, saveGpt2 } from '@limn/gpt2';
import { openFolder } from '@limn/gpt2/node';
import { recordResult, refusal, testGpu } from '@limn/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ModelExamination } from '../src/model-examination.js';
import { EXIT, exitCodeOf } from '../src/exit-code.js';
import { allowedPeak, expectWithinBound, PEAK_BOUND } from '../src/model-memory.js';
import { runLimn } from './run-limn.js';

const sizes = { vocabulary: 50, maxPositions: 24, width: 64, layers: 2, heads: 4 };
let folder: string;
beforeAll(async () => {
  folder = mkdtempSync(path.join(os.tmpdir(), 'limn-doctor-'));
  const model = await randomGpt2(await testGpu(), sizes, 1);
  await saveGpt2(model, openFolder(folder));
  model.dispose();
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function examined(...words: string[]): Promise<ModelExamination> {
  const outcome = await runLimn(['doctor', '--json', ...words]);
  expect(outcome.exitCode, outcome.stderr).toBe(0);
  return outcome.json()['model'] as ModelExamination;
}

/** Bytes of `namedSizes`-like weights in f32, and of the matrices among them that f16 halves. */
function weightBytes({ vocabulary: V, maxPositions, width: C, layers }: typeof sizes): [all: number, halved: number] {
  const matrices = V * C + layers * 12 * C * C;
  return [4 * (matrices + maxPositions * C + layers * 13 * C + 2 * C), 2 * matrices];
}

describe('doctor --model', () => {
  it('plans weights, cache and the values of each step, and measures a peak within the bound', async () => {
    const found = await examined('--model', folder, '--prompt-tokens', '10', '--new-tokens', '5');
    const [all] = weightBytes(sizes);
    expect(found).toMatchObject({
      name: folder,
      random: false,
      parameters: all / 4,
      processing: 'none',
      promptTokens: 10,
      newTokens: 5,
      bound: PEAK_BOUND,
    });
    // The last new token is never read, so 14 positions of keys and values; a cache has room for a multiple of 16.
    const cache = 2 * sizes.layers * 16 * sizes.width * 4;
    expect(found.planned).toMatchObject({ weights: all, cache });
    // Reading the prompt needs at least its c_fc output, a token the logits.
    expect(found.planned.prefill).toBeGreaterThan(10 * 4 * sizes.width * 4);
    expect(found.planned.decode).toBeGreaterThan(4 * sizes.vocabulary);
    expect(found.planned.decode).toBeLessThan(found.planned.prefill);
    expect(found.planned.peak).toBe(all + cache + found.planned.prefill);
    expect(found.measured.peak).toBeGreaterThan(all + cache);
    expect(found.measured.ratio).toBeCloseTo(found.measured.peak / found.planned.peak, 12);
  });

  it('takes half the bytes for matrices in f16', async () => {
    const found = await examined('--model', folder, '--weights', 'f16');
    const [all, halved] = weightBytes(sizes);
    expect(found.planned.weights).toBe(all - halved);
    expect(found.processing).toBe('f16');
    // Two thirds of 24 positions, and the rest.
    expect([found.promptTokens, found.newTokens]).toEqual([16, 9]);
  });

  it('says so in words: pocket stays within the bound', async () => {
    const { stdout, exitCode } = await runLimn(['doctor', '--model', 'pocket']);
    expect(exitCode).toBe(0);
    expect(stdout).toMatch(/^model +pocket: 181,312 parameters, f32, unprocessed$/m);
    expect(stdout).toMatch(/^planned +weights 708 KiB; a prompt of \d+ tokens and \d+ more: .* peak \d+ KiB$/m);
    expect(stdout).toMatch(/^measured +peak \d+ KiB, 1\.\d{3} of the planned: within 1\.3$/m);
    expect(stdout).toMatch(/tokens a second$/m);
  });

  it('allows the smallest models what buffers take beside their values, and not a byte more', async () => {
    const tiny = path.join(folder, 'tiny');
    const sides = { vocabulary: 97, maxPositions: 16, width: 16, layers: 2, heads: 2 };
    const model = await randomGpt2(await testGpu(), sides, 1);
    await saveGpt2(model, openFolder(tiny));
    model.dispose();
    const { exitCode, stdout } = await runLimn(['doctor', '--model', tiny]);
    expect(exitCode).toBe(0);
    expect(stdout).toMatch(/^measured .* of the planned: within 1\.3 of it and [\d.]+ KiB that buffers take beside/m);
    const { planned, measured } = await examined('--model', tiny);
    // The uniforms' 64 KiB are more than the whole model.
    expect(measured.ratio).toBeGreaterThan(PEAK_BOUND);
    expect(measured.peak).toBeLessThanOrEqual(PEAK_BOUND * planned.peak + planned.overhead);
    expect(planned.overhead).toBeLessThan(2 * 65536);
    const allowed = allowedPeak(planned);
    expectWithinBound({ ...measured, peak: allowed }, planned);
    const error = await refusal(() => expectWithinBound({ ...measured, peak: allowed + 1 }, planned));
    expect(error.code).toBe('gpu/memory-bound');
    expect(exitCodeOf(error)).toBe(EXIT.failure);
  });

  it('refuses what the model has no room for, and a type that there is not', async () => {
    const long = await runLimn(['doctor', '--json', '--model', folder, '--prompt-tokens', '30']);
    expect([long.exitCode, long.json().error?.code]).toEqual([4, 'tokens/too-long']);
    const type = await runLimn(['doctor', '--json', '--model', folder, '--weights', 'f8']);
    expect([type.exitCode, type.json().error?.code]).toEqual([2, 'usage/unknown-type']);
  });

  const long = { timeout: 1_200_000 };
  it.for(['f32', 'f16'])("GPT-2 small's shape in %s at default limits", long, async (weights, context) => {
    if (process.env['LIMN_LONG'] !== '1') context.skip("GPT-2 small's shape runs in test:long");
    const found = await examined('--model', 'gpt2', '--weights', weights);
    expect(found).toMatchObject({ random: true, parameters: 124_439_808, promptTokens: 64, newTokens: 32 });
    const { planned, measured } = found;
    recordResult(`limn doctor --model gpt2, ${weights}`, {
      'planned peak': planned.peak,
      'measured peak': measured.peak,
      ratio: measured.ratio,
      'seconds to the first token': measured.prefillSeconds,
      'seconds for 31 more': measured.decodeSeconds,
    });
    expect(measured.ratio).toBeLessThanOrEqual(PEAK_BOUND);
  });
});
