// The subgroup-matrix product: when it is taken, and that Dawn's null backend, which computes nothing, accepts every text of it.
import { afterAll, describe, expect, it } from 'vitest';
import type { Gpu, SubgroupMatrixConfig } from '@limn/gpu';
import { nullGpu } from '@limn/testing/node';
import { allocate, chooseMatmul, fromData, multiply, possibleMatmuls, type MatmulShape } from '../../src/index.js';

interface Reported {
  readonly M: number;
  readonly N: number;
  readonly K: number;
  readonly componentType: string;
  readonly resultComponentType: string;
}
const square = (side: number, componentType: string, resultComponentType = 'f32'): Reported => ({
  M: side,
  N: side,
  K: side,
  componentType,
  resultComponentType,
});

const opened: Gpu[] = [];
afterAll(() => opened.forEach((gpu) => gpu.dispose()));

/** A device whose adapter says what a GPU's would: subgroups of 32 and these matrices. */
async function matrixGpu(subgroupMatrixConfigs: readonly Reported[], halfProducts: boolean): Promise<Gpu> {
  const account = { subgroupMinSize: 32, subgroupMaxSize: 32, subgroupMatrixConfigs };
  const gpu = await nullGpu(account, { halfProducts });
  opened.push(gpu);
  return gpu;
}

const shapeOf = (about: Partial<MatmulShape> = {}): MatmulShape => ({
  m: 256,
  n: 768,
  k: 768,
  batch: 1,
  transposeA: false,
  transposeB: false,
  alignedA: true,
  alignedB: true,
  dtypeB: 'f16',
  narrowA: true,
  ...about,
});

/** Runs A [8, 16] · B [16, 8] as `multiply` would, and gives back when Dawn has accepted and run it. */
async function run(gpu: Gpu, transposeA: boolean, transposeB: boolean, dtype: 'f32' | 'f16'): Promise<void> {
  const step = gpu.step();
  const c = allocate(step, [8, 8], 'c');
  multiply(step, {
    m: 8,
    n: 8,
    k: 16,
    a: {
      storage: fromData(step, new Float32Array(128), [128]).storage,
      row: transposeA ? 8 : 16,
      transposed: transposeA,
    },
    b: {
      storage: fromData(step, new Float32Array(128), [128]).storage,
      row: transposeB ? 16 : 8,
      transposed: transposeB,
      dtype,
    },
    c: { storage: c.storage, row: 8 },
    activations: true,
    plan: { kernel: 'matrix', splits: 1 },
  });
  await step.read(c.storage);
  step.dispose();
}

describe('matmul_matrix', () => {
  it.each([
    ['f16 by 16', square(16, 'f16'), 'f16'],
    ['f16 by 8', square(8, 'f16'), 'f16'],
    ['f32 by 8', square(8, 'f32'), 'f32'],
    ['f32 by 8 with f16 weights', square(8, 'f32'), 'f16'],
  ] as const)('is valid WGSL that makes a pipeline, in every orientation: %s', async (_, config, dtype) => {
    const gpu = await matrixGpu([config], true);
    const { M, N, K, componentType, resultComponentType } = config;
    const known: SubgroupMatrixConfig = { m: M, n: N, k: K, componentType, resultType: resultComponentType };
    expect(gpu.capabilities.subgroupMatrix).toEqual([known]);
    for (const transposeA of [false, true])
      for (const transposeB of [false, true]) await run(gpu, transposeA, transposeB, dtype);
    expect(gpu.counters.pipelinesCreated).toBe(4);
  });

  it('rounds activations only beside f16 weights and on a device that was opened for it', async () => {
    const asked = (await matrixGpu([square(16, 'f16')], true)).capabilities;
    const unasked = (await matrixGpu([square(16, 'f16')], false)).capabilities;
    expect(unasked.halfProducts).toBe(false);
    expect(chooseMatmul(asked, shapeOf()).kernel).toBe('matrix');
    // Gradients and f32 weights; few rows gain nothing; sums in f16 are no sums.
    for (const other of [{ narrowA: false }, { dtypeB: 'f32' as const }, { alignedA: false, n: 64 }])
      expect(possibleMatmuls(asked, shapeOf(other))).not.toContain('matrix');
    expect(chooseMatmul(asked, shapeOf({ m: 4 })).kernel).not.toBe('matrix');
    const halfSums = { ...asked, subgroupMatrix: [{ m: 16, n: 16, k: 16, componentType: 'f16', resultType: 'f16' }] };
    expect(possibleMatmuls(halfSums, shapeOf())).not.toContain('matrix');
    // What multiply asks of a device that was not opened for it.
    expect(possibleMatmuls(unasked, shapeOf({ narrowA: unasked.halfProducts }))).not.toContain('matrix');
  });

  it('takes matrices of f32 wherever there are any: they lose nothing', async () => {
    const { capabilities } = await matrixGpu([square(8, 'f32')], false);
    for (const about of [{ narrowA: false }, { narrowA: false, dtypeB: 'f32' as const }])
      expect(chooseMatmul(capabilities, shapeOf(about)).kernel).toBe('matrix');
    // Lanes of four subgroups cannot be counted where their size is not known.
    expect(possibleMatmuls({ ...capabilities, subgroupMin: 16 }, shapeOf())).not.toContain('matrix');
  });

  it('is refused by name on a device without subgroup matrices', async () => {
    const gpu = await matrixGpu([], true);
    await expect(run(gpu, false, false, 'f16')).rejects.toMatchObject({ code: 'gpu/variant' });
  });
});
