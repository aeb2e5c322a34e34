// f16 storage: the packing kernel has the bits of the CPU's, and both round to nearest even; unpacking is exact.
import { describe, expect, it } from 'vitest';
import { recordCase, referenceRandom, testGpu, withCanaries } from '@limn/testing';
import {
  fromData,
  gradients,
  halfBits,
  halfValue,
  packF16,
  persistent,
  read,
  toF16,
  toF32,
  unpackF16,
} from '../../src/index.js';
import { around, withWorkgroup, WORKGROUPS } from '../workgroups.js';

const random = referenceRandom(28);

describe('f16', () => {
  it('every finite f16 survives a round trip, and rounding goes to the nearest, ties to even', () => {
    const wrong: number[] = [];
    for (let bits = 0; bits < 0x10000; bits += 1) {
      const value = halfValue(bits);
      if (!Number.isNaN(value) && halfBits(value) !== bits) wrong.push(bits);
    }
    for (let bits = 0; bits < 0x7bff; bits += 1) {
      const low = halfValue(bits);
      const high = halfValue(bits + 1);
      const middle = (low + high) / 2;
      // Gaps of f16 are at least 2⁻²⁴ wide, so an eighth of one is visible in f32.
      const sound =
        halfBits(middle) === (bits % 2 === 0 ? bits : bits + 1) &&
        halfBits(middle - (high - low) / 8) === bits &&
        halfBits(middle + (high - low) / 8) === bits + 1;
      if (!sound) wrong.push(bits);
    }
    expect(wrong).toEqual([]);
    expect(halfBits(65519.99)).toBe(0x7bff);
    expect(halfBits(65520)).toBe(0x7c00);
    expect(halfBits(Number.NaN) & 0x7fff).toBe(0x7e00);
    expect(halfBits(2 ** -26)).toBe(0);
  });

  it('kernel and CPU agree on every bit', async () => {
    const gpu = await testGpu();
    const special = [
      0,
      -0,
      1e-8,
      6e-8,
      -3e-6,
      6.1e-5,
      65504,
      65519,
      65520,
      -1e9,
      Number.POSITIVE_INFINITY,
      1.0009765625,
      2049,
    ];
    for (const workgroup of WORKGROUPS)
      for (const size of [...around(2 * workgroup), 1537]) {
        const values = Float32Array.from(
          random.normals(size),
          (value, i) => special[i] ?? value * 10 ** ((i % 13) - 6),
        );
        using step = gpu.step();
        const canaries = withCanaries(step);
        const packed = toF16(withWorkgroup(step, workgroup), fromData(step, values, [size]));
        const back = toF32(step, packed);
        const words = Math.ceil(size / 2);
        const [bits, floats] = await canaries.read([{ storage: packed.storage, size: words }, back]);
        const expected = packF16(values);
        expect([...new Uint32Array(bits!.buffer, 0, words)]).toEqual([...expected]);
        const wide = unpackF16(expected, size);
        // WGSL may flush f16 subnormals to zero when unpacking.
        floats!.forEach((value, i) =>
          expect(Math.abs(wide[i]!) < 2 ** -14 ? 0 : value).toBe(Math.abs(wide[i]!) < 2 ** -14 ? 0 : wide[i]),
        );
        recordCase({ kernel: 'pack_f16', variant: '', case: `${size}, WG ${workgroup}`, ratio: 0, elements: size });
      }
  });

  it('persistent f16 tensors take floats or words, and read back as floats', async () => {
    const gpu = await testGpu();
    const values = Float32Array.of(1, -2.5, 0.1);
    const a = persistent(gpu, [3], values, { dtype: 'f16' });
    const b = persistent(gpu, [3], packF16(values), { dtype: 'f16' });
    using step = gpu.step();
    const [first, second] = await Promise.all([read(step, a), read(step, b)]);
    expect([...first]).toEqual([1, -2.5, halfValue(halfBits(0.1))]);
    expect([...second]).toEqual([...first]);
    a.dispose();
    b.dispose();
  });

  it('gradients pass straight through', async () => {
    const gpu = await testGpu();
    using step = gpu.step();
    const x = fromData(step, [1, 2, 3], [3]);
    const [dx] = gradients(step, toF32(step, toF16(step, x)), fromData(step, [5, 6, 7], [3]), [x]);
    expect([...(await read(step, dx!))]).toEqual([5, 6, 7]);
  });
});
