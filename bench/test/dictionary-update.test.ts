// The command that measures a training update runs its whole path at a tiny size; its losses are float64's, and PyTorch's where it is at hand.
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { testGpu } from '@limn/testing';
import { afterAll, afterEach, describe, expect, test, vi } from 'vitest';
import { lossInFloat64 } from '../dictionary-update/float64.mjs';
import { limnUpdate } from '../dictionary-update/limn-update.mjs';
import { updateMarkdown } from '../dictionary-update/markdown.mjs';
import type { UpdateRecord } from '../dictionary-update/record.mjs';
import { FORMS, updateSpec } from '../dictionary-update/spec.mjs';
import { openPytorch } from '../peers/pytorch.mjs';

const sizes = { tokens: 24, width: 16, features: 96, k: 5 };
const out = mkdtempSync(path.join(tmpdir(), 'limn-update-'));
const { argv } = process;

afterEach(() => {
  process.argv = argv;
  process.exitCode = undefined;
  vi.restoreAllMocks();
  vi.unstubAllEnvs();
});
afterAll(() => rmSync(out, { recursive: true, force: true }));

describe.each(FORMS)('%s', (form) => {
  test('the first loss is that of float64, and further updates lower it', async () => {
    const spec = updateSpec(form, sizes);
    const update = limnUpdate(await testGpu(), { ...spec, rate: 0.003 });
    const losses: number[] = [];
    for (let i = 0; i < 3; i++) losses.push((await update.result())[0]!);
    await update.dispose();
    const expected = lossInFloat64(spec);
    // Sums of a few hundred float32 terms.
    expect(Math.abs(losses[0]! - expected) / expected).toBeLessThan(2e-6);
    expect(losses[1]).toBeLessThan(losses[0]!);
    expect(losses[2]).toBeLessThan(losses[1]!);
  });

  test('PyTorch makes the same updates', async (context) => {
    context.skip(process.env['LIMN_LONG'] !== '1', 'a Python that loads PyTorch takes seconds: LIMN_LONG=1');
    const pytorch = await openPytorch()();
    if ('missing' in pytorch) return context.skip(pytorch.missing);
    const spec = { ...updateSpec(form, sizes), rate: 0.003 };
    const [ours, theirs] = [limnUpdate(await testGpu(), spec), await pytorch.prepare(spec)];
    for (let i = 0; i < 4; i++) {
      const [mine, other] = [await ours.result(), await theirs.result()];
      // Loss and FVU; Adam divides by slopes that are nearly 0, whose round-off it does not see as small.
      for (const at of [0, 1]) expect(Math.abs(mine[at]! - other[at]!) / other[at]!).toBeLessThan(1e-5);
      expect(mine[2]).toBeCloseTo(other[2]!, 4);
    }
    await ours.dispose();
    await theirs.dispose();
    await pytorch.close();
  });
});

test('losses of float64 by hand: one feature fires, another is dead', () => {
  const spec = {
    ...updateSpec('top-k', { tokens: 2, width: 2, features: 3, k: 1 }),
    x: Float32Array.of(1, 0, 0, 1),
    y: Float32Array.of(1, 0, 0, 1),
    wEnc: Float32Array.of(2, 0, 1, 0, 0, 3),
    bEnc: Float32Array.of(0, 0, 0),
    // Of lengths 2, 1 and 1: directions (1, 0), (0, 1) and (0, 1).
    wDec: Float32Array.of(2, 0, 0, 1, 0, 1),
    bDec: Float32Array.of(0, 0),
    sinceFired: Uint32Array.of(0, 10_000_000, 0),
  };
  // Row 0: ŷ = 2 (1, 0), y − ŷ = (−1, 0); the dead feature adds ê = 1 (0, 1), so ‖ê − e‖² = 2. Row 1: ŷ = 3 (0, 1), e = (0, −2), nothing
  // dead is positive: 4. Σ‖y − ȳ‖² = 1; k_aux = 1 is filled.
  expect(lossInFloat64(spec)).toBeCloseTo(1 + 4 + (2 + 4) / 32, 12);
});

test('the command: default limits, bytes, counts of the steady state, times; without PyTorch it says what is missing', async () => {
  vi.stubEnv('PYTHON', 'limn-no-such-python');
  const printed: string[] = [];
  vi.spyOn(console, 'log').mockImplementation((text = '') => void printed.push(String(text)));
  const words = Object.entries({ ...sizes, rounds: 2, out }).flatMap(([name, value]) => [`--${name}`, String(value)]);
  process.argv = [process.execPath, 'bench/dictionary-update.mts', ...words];
  await import('../dictionary-update.mjs');
  expect(process.exitCode).toBe(0);
  expect(printed.join('\n')).toMatch(/every limit at WebGPU's default[^]*not measured: PyTorch is not at hand/);
  const [file = '', ...others] = readdirSync(out);
  expect([file, others]).toEqual([expect.stringMatching(/^dictionary-update-other-top-k-.*\.json$/), []]);
  const found = JSON.parse(readFileSync(path.join(out, file), 'utf8')) as UpdateRecord;
  expect(found).toMatchObject({ limits: 'default', form: 'top-k', sizes, missing: expect.any(String) });
  expect(found.made).toEqual({ buffers: 0, bindGroups: 0, pipelines: 0 });
  const { weights, state, rows, step, stepBound, planned, allocated } = found.bytes;
  const matrices = 4 * (2 * 96 * 16 + 96 + 16);
  expect([weights, state, rows]).toEqual([matrices, 2 * matrices + 4 * 96, 2 * 4 * 24 * 16]);
  expect(planned).toBe(weights + state + rows + step);
  expect(step).toBeGreaterThanOrEqual(stepBound);
  // At least both gradients.
  expect(stepBound).toBeGreaterThan(2 * 4 * 96 * 16);
  expect(allocated).toBeGreaterThan(planned);
  const [ours, ...peers] = found.by;
  expect(peers).toEqual([]);
  expect(ours?.tokensPerSecond.wall).toBeCloseTo(24e3 / ours!.wall.median, 6);
  // All 24 tokens of this size are checked in float64.
  expect(found.float64).toMatchObject({ tokens: 24, loss: ours?.losses[0] });
});

test('the page of performance: what each took, and the ratio to whoever made the same updates', () => {
  const time = (median: number) => ({ median, low: median, high: median, least: median });
  const mebibyte = 2 ** 20;
  const record: UpdateRecord = {
    adapter: 'an adapter',
    source: 'system',
    limits: 'default',
    form: 'top-k',
    sizes: { tokens: 1024, width: 768, features: 24_576, k: 32 },
    rounds: 3,
    bytes: {
      weights: 144 * mebibyte,
      state: 288 * mebibyte,
      rows: 6 * mebibyte,
      step: 500 * mebibyte,
      stepBound: 450 * mebibyte,
      planned: 938 * mebibyte,
      allocated: 940 * mebibyte,
    },
    flops: 4e10,
    dispatches: 90,
    submits: 5,
    made: { buffers: 0, bindGroups: 0, pipelines: 0 },
    float64: { tokens: 64, loss: 2.5, expected: 2.5 },
    by: [
      { name: 'limn', losses: [2.5], wall: time(8000), cpu: time(6000), tokensPerSecond: { wall: 128, cpu: 170 } },
      {
        name: 'pytorch',
        losses: [2.5],
        wall: time(4000),
        cpu: time(3000),
        tokensPerSecond: { wall: 256, cpu: 341 },
        ratio: { wall: time(0.5), cpu: time(0.48) },
      },
    ],
    profile: [
      { label: 'pre-activations', count: 4, milliseconds: 3000 },
      { label: 'adamw4', count: 4, milliseconds: 1000 },
    ],
  };
  const page = updateMarkdown([record]);
  const name = 'TopK with AuxK, 768 → 24,576 → 768, k = 32';
  expect(page).toContain(`| ${name} | limn | 1,024 | 8.00 s | 6.00 s | 128 |  |  |`);
  expect(page).toContain(`| ${name} | pytorch | 1,024 | 4.00 s | 3.00 s | 256 | 0.50× | 0.48× |`);
  expect(page).toContain(`| ${name} | 144 | 288 | 6.00 | 500 | 450 | 938 | 940 | 90 | 0 |`);
  expect(page).toContain(`- ${name}: pre-activations 75 %, adamw4 25 %`);
});
