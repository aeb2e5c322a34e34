// topK is exact: order, ties, signed zeros, infinities and NaN, at sizes around the workgroup and at GPT-2's vocabulary.
import { describe, expect, it } from 'vitest';
import { recordCase, referenceGather, referenceRandom, testGpu, withCanaries } from '@limn/testing';
import { fromData, topK } from '../../src/index.js';
import { around, withWorkgroup, WORKGROUPS } from '../workgroups.js';

const random = referenceRandom(27);

async function check(rows: number, width: number, k: number, values: Float32Array, workgroup: number): Promise<void> {
  const gpu = await testGpu();
  const runs: Float32Array[][] = [];
  for (let run = 0; run < 2; run += 1) {
    using step = gpu.step();
    const canaries = withCanaries(step);
    const y = topK(withWorkgroup(step, workgroup), fromData(step, values, [rows, width]), k);
    runs.push(await canaries.read([y.values, y.indices]));
  }
  const [top, places] = runs[0] as [Float32Array, Float32Array];
  const expected = referenceGather.topKForward(values, width, k);
  const indices = new Uint32Array(places.buffer, places.byteOffset, places.length);
  expect([...indices]).toEqual(expected.indices);
  expect([...top]).toEqual(expected.values);
  expect(runs[1]).toEqual(runs[0]);
  recordCase({
    kernel: 'topK',
    variant: '',
    case: `${rows}×${width}, k ${k}, WG ${workgroup}`,
    ratio: 0,
    elements: 2 * top.length,
  });
}

describe('topK', () => {
  it('around every workgroup', async () => {
    for (const workgroup of WORKGROUPS)
      for (const width of around(workgroup)) {
        const values = Float32Array.from(random.normals(3 * width));
        for (const k of new Set([1, Math.min(workgroup === 256 ? 3 : 64, width)]))
          await check(3, width, k, values, workgroup);
      }
    await check(2, 50_257, 10, Float32Array.from(random.normals(2 * 50_257)), 64);
  });

  it('ties go to the lower index, NaN below everything', async () => {
    const few = Float32Array.from(random.integers(4 * 333, 5), (value) => value - 2);
    await check(4, 333, 64, few, 64);
    const odd = Float32Array.of(
      0,
      -0,
      Number.NaN,
      Number.NEGATIVE_INFINITY,
      3,
      Number.POSITIVE_INFINITY,
      3,
      -1e-45,
      Number.NaN,
    );
    await check(1, 9, 9, odd, 64);
    await check(1, 100, 64, new Float32Array(100).fill(Number.NaN), 32);
  });

  it('refuses a k that cannot be', async () => {
    const gpu = await testGpu();
    using step = gpu.step();
    const x = fromData(step, new Float32Array(100), [1, 100]);
    for (const k of [0, 65, 1.5])
      expect(() => topK(step, x, k)).toThrow(expect.objectContaining({ code: 'tensor/range' }));
  });
});
