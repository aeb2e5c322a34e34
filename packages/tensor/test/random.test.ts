// Random numbers: the published vectors of Philox, equal bits on CPU and GPU, and the shape of the normal.
import { describe, expect, it } from 'vitest';
import { expectSameBits, recordCase, testGpu, withCanaries } from '@limn/testing';
import {
  fillNormal,
  fillUniform,
  permutation,
  philox,
  randomNormal,
  randomNormalTensor,
  randomU32,
  randomU32Tensor,
  randomUniform,
  randomUniformTensor,
} from '../src/index.js';

const hex = (words: readonly number[]): string => words.map((word) => word.toString(16).padStart(8, '0')).join(' ');

describe('Philox 4×32-10', () => {
  it('gives the known answers of Random123', () => {
    const all = 0xffffffff;
    expect(hex(philox([0, 0], [0, 0, 0, 0]))).toBe('6627e8d5 e169c58d bc57ac4c 9b00dbd8');
    expect(hex(philox([all, all], [all, all, all, all]))).toBe('408f276d 41c83b0e a20bc7c6 6d5451fd');
    expect(hex(philox([0xa4093822, 0x299f31d0], [0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344]))).toBe(
      'd16cfe09 94fdcceb 5001e420 24126ea1',
    );
  });
});

describe('CPU and GPU', () => {
  it('have the same words, uniforms and normals', async () => {
    const gpu = await testGpu();
    const sources = [
      { seed: 0 },
      { seed: 1, stream: 7, start: 3 },
      { seed: 2 ** 53 - 1, stream: 2 ** 32 - 1, start: 2 ** 32 - 2000 },
      { seed: 123_456_789_012_345, stream: 42, start: 1_000_003 },
    ];
    for (const source of sources)
      for (const size of [1, 63, 64, 65, 1531]) {
        using step = gpu.step();
        const deviation = 0.02;
        const canaries = withCanaries(step);
        const [bits, uniforms, normals] = (await canaries.read([
          randomU32Tensor(step, [size], source),
          randomUniformTensor(step, [size], source),
          randomNormalTensor(step, [size], source, deviation),
        ])) as [Float32Array, Float32Array, Float32Array];
        const words = new Uint32Array(bits.buffer, bits.byteOffset, size);
        const { seed, stream = 0, start = 0 } = source;
        expectSameBits(
          words,
          Uint32Array.from({ length: size }, (_, i) => randomU32(seed, stream, start + i)),
          'words',
        );
        expectSameBits(uniforms, fillUniform(new Float32Array(size), source), 'uniforms');
        expectSameBits(normals, fillNormal(new Float32Array(size), source, deviation), 'normals');
        expect(uniforms[size - 1]).toBe(randomUniform(seed, stream, start + size - 1));
        expect(normals[size - 1]).toBe(randomNormal(seed, stream, start + size - 1, deviation));
        for (const kernel of ['random_u32', 'random_uniform', 'random_normal'])
          recordCase({ kernel, variant: '', case: `seed ${seed}, ${size}`, ratio: 0, elements: size });
      }
  });
});

describe('distributions', () => {
  const count = 200_000;
  /** Kolmogorov–Smirnov distance from a distribution function. */
  const distance = (values: Float32Array, cdf: (value: number) => number): number =>
    values
      .slice()
      .sort()
      .reduce((worst, value, i) => Math.max(worst, Math.abs(cdf(value) - (i + 0.5) / values.length)), 0);
  /** Φ by Abramowitz & Stegun 26.2.17, |error| < 7.5e-8. */
  const phi = (z: number): number => {
    const t = 1 / (1 + 0.2316419 * Math.abs(z));
    const tail =
      (Math.exp(-z * z * 0.5) / Math.sqrt(2 * Math.PI)) *
      t *
      (0.31938153 + t * (-0.356563782 + t * (1.781477937 + t * (-1.821255978 + t * 1.330274429))));
    return z > 0 ? 1 - tail : tail;
  };
  /** 1.95 / √n is passed with probability 0.999. */
  const allowed = 1.95 / Math.sqrt(count);

  it('uniforms are uniform and below 1', () => {
    const values = fillUniform(new Float32Array(count), { seed: 11 });
    expect(distance(values, (value) => value)).toBeLessThan(allowed);
    expect(values.every((value) => value >= 0 && value < 1)).toBe(true);
  });

  it('normals are normal, with tails', () => {
    const values = fillNormal(new Float32Array(count), { seed: 12, stream: 3 });
    // The transform itself is within 2e-4 of Φ.
    expect(distance(values, phi)).toBeLessThan(allowed + 2e-4);
    const moment = (power: number) => values.reduce((total, value) => total + value ** power, 0) / count;
    // Five standard errors of each moment.
    expect(Math.abs(moment(1))).toBeLessThan(5 / Math.sqrt(count));
    expect(Math.abs(moment(2) - 1)).toBeLessThan(5 * Math.sqrt(2 / count));
    expect(Math.abs(moment(3))).toBeLessThan(5 * Math.sqrt(15 / count));
    expect(Math.abs(moment(4) - 3)).toBeLessThan(5 * Math.sqrt(96 / count));
    const beyond = values.filter((value) => Math.abs(value) > 3).length;
    expect(Math.abs(beyond - 0.0026998 * count)).toBeLessThan(5 * Math.sqrt(0.0026998 * count));
  });

  it('streams and seeds are unrelated, indices are random access', () => {
    const correlation = (a: Float32Array, b: Float32Array): number =>
      a.reduce((total, value, i) => total + value * b[i]!, 0) / a.length;
    const base = fillNormal(new Float32Array(count), { seed: 5, stream: 1 });
    for (const other of [
      { seed: 6, stream: 1 },
      { seed: 5, stream: 2 },
      { seed: 5, stream: 1, start: 1 },
    ])
      expect(Math.abs(correlation(base, fillNormal(new Float32Array(count), other)))).toBeLessThan(
        5 / Math.sqrt(count),
      );
    const later = fillNormal(new Float32Array(10), { seed: 5, stream: 1, start: 100 });
    expect(later).toEqual(base.slice(100, 110));
  });

  it('permutations hold every number once and differ by seed', () => {
    const order = permutation(1000, { seed: 1 });
    expect([...order].sort((a, b) => a - b)).toEqual(Array.from({ length: 1000 }, (_, i) => i));
    expect([...permutation(1000, { seed: 1 })]).toEqual([...order]);
    expect([...permutation(1000, { seed: 2 })]).not.toEqual([...order]);
    // Every one of the 6 orders of 3 comes up about 1000 times in 6000.
    const counts = new Map<string, number>();
    for (let seed = 0; seed < 6000; seed += 1) {
      const name = permutation(3, { seed }).join('');
      counts.set(name, (counts.get(name) ?? 0) + 1);
    }
    expect(counts.size).toBe(6);
    for (const seen of counts.values()) expect(Math.abs(seen - 1000)).toBeLessThan(5 * Math.sqrt(1000 * (5 / 6)));
  });

  it('refuses seeds and indices that cannot be', () => {
    const code = expect.objectContaining({ code: 'tensor/random' });
    expect(() => randomU32(1.5, 0, 0)).toThrow(code);
    expect(() => randomU32(-1, 0, 0)).toThrow(code);
    expect(() => randomU32(1, 2 ** 32, 0)).toThrow(code);
    expect(() => fillNormal(new Float32Array(2), { seed: 1, start: 2 ** 32 - 1 })).toThrow(code);
  });
});
