// matmul on the tape: transposes, batches, epilogues, f16 weights and every gradient, against float64.
import { describe, expect, it } from 'vitest';
import { referenceMatmul, referenceRandom } from '@limn/testing';
import { matmul, type MatmulOptions } from '../../src/index.js';
import { checkOp, type OpInput } from '../check-op.js';

const random = referenceRandom(11);

async function check(
  sizes: { batch: number; m: number; n: number; k: number },
  options: MatmulOptions & { withBias?: boolean; withResidual?: boolean; sharedB?: boolean } = {},
  masks = false,
): Promise<void> {
  const { batch, m, n, k } = sizes;
  const { transposeA = false, transposeB = false, sharedB = false, gelu } = options;
  const shape = { ...sizes, transposeA, transposeB, sharedB };
  const lead = batch === 1 ? [] : [batch];
  const a = random.normals(batch * m * k);
  const b = random.normals((sharedB ? 1 : batch) * k * n);
  const bias = options.withBias ? random.normals(n) : undefined;
  const residual = options.withResidual ? random.normals(batch * m * n) : undefined;
  const inputs: OpInput[] = [
    { shape: [...lead, ...(transposeA ? [k, m] : [m, k])], values: a },
    { shape: [...(sharedB ? [] : lead), ...(transposeB ? [n, k] : [k, n])], values: b },
    ...(bias ? [{ shape: [n], values: bias }] : []),
    ...(residual ? [{ shape: [...lead, m, n], values: residual }] : []),
  ];
  const epilogue = { ...(bias ? { bias } : {}), ...(residual ? { residual } : {}), ...(gelu ? { gelu } : {}) };
  await checkOp({
    kernel: 'matmul',
    case: `${batch}×${m}×${n}×${k}${transposeA ? ' Aᵀ' : ''}${transposeB ? ' Bᵀ' : ''}${sharedB ? ' shared b' : ''}${bias ? ' bias' : ''}${gelu ? ` gelu ${gelu}` : ''}${residual ? ' residual' : ''}`,
    inputs,
    run: (step, tensors) => {
      const rest = tensors.slice(2);
      return matmul(step, tensors[0]!, tensors[1]!, {
        transposeA,
        transposeB,
        ...(bias ? { bias: rest[0]! } : {}),
        ...(residual ? { residual: rest.at(-1)! } : {}),
        ...(gelu ? { gelu } : {}),
      });
    },
    expected: referenceMatmul.matmulForward(a, b, shape, epilogue),
    n: k,
    vjp: (seed) => {
      const d = referenceMatmul.matmulVjp(a, b, shape, epilogue, seed);
      return [d.a, d.b, ...(bias ? [d.bias] : []), ...(residual ? [d.residual] : [])];
    },
    vjpN: [n, sharedB ? batch * m : m, batch * m, 1],
    masks,
  });
}

describe('matmul', () => {
  for (const [transposeA, transposeB] of [
    [false, false],
    [false, true],
    [true, false],
    [true, true],
  ] as const)
    it(`${transposeA ? 'Aᵀ' : 'A'} × ${transposeB ? 'Bᵀ' : 'B'}`, async () => {
      await check({ batch: 1, m: 5, n: 7, k: 3 }, { transposeA, transposeB });
      await check({ batch: 3, m: 16, n: 12, k: 20 }, { transposeA, transposeB });
      await check({ batch: 2, m: 9, n: 8, k: 8 }, { transposeA, transposeB, sharedB: true });
    });

  it('every epilogue under every wanted mask', async () => {
    for (const gelu of [undefined, 'tanh', 'erf'] as const) {
      const form = gelu ? { gelu } : {};
      await check({ batch: 1, m: 6, n: 5, k: 4 }, { ...form, withBias: true, withResidual: true }, true);
      await check({ batch: 2, m: 4, n: 8, k: 4 }, { ...form, sharedB: true, withResidual: true }, true);
    }
  });

  it('refuses shapes that do not fit, naming them', async () => {
    await expect(check({ batch: 1, m: 2, n: 3, k: 4 })).resolves.toBeUndefined();
    const { testGpu } = await import('@limn/testing');
    const { fromData } = await import('../../src/index.js');
    const gpu = await testGpu();
    using step = gpu.step();
    const a = fromData(step, new Float32Array(6), [2, 3]);
    expect(() => matmul(step, a, a)).toThrow(expect.objectContaining({ code: 'tensor/shape' }));
    expect(() => matmul(step, a, a)).toThrow(/inner lengths are 3 and 2/);
  });
});
