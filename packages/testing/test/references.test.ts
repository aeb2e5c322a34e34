// The float64 references of the kernels that multiply, normalise and attend, against finite differences.
import { describe, expect, it } from 'vitest';
import { checkVjp } from '../src/finite-difference.js';
import { referenceRandom } from '../src/reference-rng.js';
import * as attention from '../src/reference/attention.js';
import { embedForward, embedVjp } from '../src/reference/embed.js';
import { erf, geluForward, geluVjp } from '../src/reference/gelu.js';
import * as norm from '../src/reference/layernorm.js';
import { matmulForward, matmulVjp } from '../src/reference/matmul.js';
import {
  crossEntropyUnembedForward,
  crossEntropyUnembedVjp,
  unembedForward,
  unembedVjp,
} from '../src/reference/unembed.js';

const random = referenceRandom(7);

describe('float64 references against finite differences', () => {
  it('catches a wrong vjp', () => {
    const wrong = {
      name: 'square with slope x',
      forward: ([x]: readonly Float64Array[]) => [x!.map((v) => v * v)],
      vjp: ([x]: readonly Float64Array[], [dy]: readonly Float64Array[]) => [x!.map((v, i) => v * dy![i]!)],
    };
    expect(() => checkVjp(wrong, [random.normals(5)])).toThrow(/finite differences/);
  });

  for (const transposeA of [false, true]) {
    for (const transposeB of [false, true]) {
      for (const form of [undefined, 'tanh', 'erf'] as const) {
        it(`matmul ${transposeA ? 'Aᵀ' : 'A'} ${transposeB ? 'Bᵀ' : 'B'} ${form ?? 'plain'}`, () => {
          const shape = { batch: 2, m: 3, n: 5, k: 4, transposeA, transposeB, sharedB: transposeA };
          const epilogue = (inputs: readonly Float64Array[]) => ({
            bias: inputs[2]!,
            residual: inputs[3]!,
            ...(form ? { gelu: form } : {}),
          });
          checkVjp(
            {
              name: 'matmul',
              forward: (inputs) => [matmulForward(inputs[0]!, inputs[1]!, shape, epilogue(inputs)).values],
              vjp: (inputs, [dc]) => {
                const d = matmulVjp(inputs[0]!, inputs[1]!, shape, epilogue(inputs), dc!);
                return [d.a.values, d.b.values, d.bias.values, d.residual.values];
              },
            },
            [24, shape.sharedB ? 20 : 40, 5, 30].map((count) => random.normals(count)),
          );
        });
      }
    }
  }

  it('erf at known points', () => {
    // erf(0.5), erf(1), erf(2), erf(3.5): Abramowitz & Stegun table 7.1 and its continuation.
    for (const [x, y] of [
      [0.5, 0.5204998778130465],
      [1, 0.8427007929497149],
      [2, 0.9953222650189527],
      [3.5, 0.9999992569016276],
    ] as const) {
      expect(Math.abs(erf(x) - y)).toBeLessThan(1e-15);
      expect(erf(-x)).toBe(-erf(x));
    }
    expect(Math.abs(erf(3 - 1e-9) - erf(3 + 1e-9))).toBeLessThan(1e-12);
  });

  for (const form of ['tanh', 'erf'] as const) {
    it(`gelu ${form}`, () => {
      checkVjp(
        {
          name: `gelu ${form}`,
          forward: ([x]) => [geluForward(x!, form).values],
          vjp: ([x], [dy]) => [geluVjp(x!, form, dy!).values],
        },
        [random.normals(17, 2)],
      );
    });
  }

  it('layernorm', () => {
    checkVjp(
      {
        name: 'layernorm',
        forward: ([x, gamma, beta]) => [norm.layernormForward(x!, gamma!, beta!, 1e-5).values],
        vjp: ([x, gamma], [dy]) => {
          const d = norm.layernormVjp(x!, gamma!, 1e-5, dy!);
          return [d.x.values, d.gamma.values, d.beta.values];
        },
      },
      [random.normals(21), random.normals(7), random.normals(7)],
    );
  });

  it('layernorm in parts', () => {
    checkVjp(
      {
        name: 'layernormScale',
        forward: ([x]) => [norm.layernormScale(x!, 7, 1e-5).values],
        vjp: ([x], [ds]) => [norm.layernormScaleVjp(x!, 7, 1e-5, ds!).values],
      },
      [random.normals(21)],
    );
    const scale = random.normals(3).map((value) => 1 + Math.abs(value));
    checkVjp(
      {
        name: 'normalize',
        forward: ([x, s]) => [norm.normalizeForward(x!, s!).values],
        vjp: ([x, s], [dHat]) => {
          const d = norm.normalizeVjp(x!, s!, dHat!);
          return [d.x.values, d.scale.values];
        },
      },
      [random.normals(21), scale],
    );
    checkVjp(
      {
        name: 'affine',
        forward: ([hat, gamma, beta]) => [norm.affineForward(hat!, gamma!, beta!).values],
        vjp: ([hat, gamma], [dy]) => {
          const d = norm.affineVjp(hat!, gamma!, dy!);
          return [d.hat.values, d.gamma.values, d.beta.values];
        },
      },
      [random.normals(21), random.normals(7), random.normals(7)],
    );
    // The parts make the whole.
    const x = random.normals(21);
    const gamma = random.normals(7);
    const beta = random.normals(7);
    const hat = norm.normalizeForward(x, norm.layernormScale(x, 7, 1e-5).values).values;
    const whole = norm.layernormForward(x, gamma, beta, 1e-5).values;
    norm.affineForward(hat, gamma, beta).values.forEach((value, i) => expect(value).toBeCloseTo(whole[i]!, 12));
  });

  for (const [name, extra] of [
    ['plain', {}],
    ['padded', { lengths: [2, 4] }],
    ['after a past', { queries: 2, keys: 5, past: 3 }],
  ] as const) {
    it(`attention ${name}`, () => {
      const shape = { batch: 2, heads: 2, width: 3, queries: 4, keys: 4, scale: 0.6, ...extra };
      const q = random.normals(2 * shape.queries * 6);
      const k = random.normals(2 * shape.keys * 6);
      const v = random.normals(2 * shape.keys * 6);
      checkVjp(
        {
          name: 'attention',
          forward: (x) => [attention.attentionForward(x[0]!, x[1]!, x[2]!, shape).values],
          vjp: (x, [dz]) => {
            const d = attention.attentionVjp(x[0]!, x[1]!, x[2]!, shape, dz!);
            return [d.q.values, d.k.values, d.v.values];
          },
        },
        [q, k, v],
      );
      checkVjp(
        {
          name: 'causal softmax',
          forward: ([scores]) => [attention.causalSoftmaxForward(scores!, shape).values],
          vjp: ([scores], [dp]) => [
            attention.causalSoftmaxVjp(attention.causalSoftmaxForward(scores!, shape).values, shape.keys, dp!).values,
          ],
        },
        [random.normals(4 * shape.queries * shape.keys)],
      );
    });
  }

  it('embedding, unembedding and their cross-entropy', () => {
    const ids = Uint32Array.of(2, 0, 2, 4);
    checkVjp(
      {
        name: 'embed',
        forward: ([table]) => [embedForward(ids, table!, 3).values],
        vjp: (_, [dOut]) => [embedVjp(ids, 5, 3, dOut!).values],
      },
      [random.normals(15)],
    );
    checkVjp(
      {
        name: 'unembed',
        forward: ([x, table]) => [unembedForward(x!, table!, 3).values],
        vjp: ([x, table], [d]) => {
          const both = unembedVjp(x!, table!, 3, d!);
          return [both.x.values, both.table.values];
        },
      },
      [random.normals(12), random.normals(15)],
    );
    const mask = Float64Array.of(1, 0, 1, 0.5);
    checkVjp(
      {
        name: 'crossEntropyUnembed',
        forward: ([x, table]) => [crossEntropyUnembedForward(x!, table!, 3, ids, mask).values],
        vjp: ([x, table], [d]) => {
          const both = crossEntropyUnembedVjp(x!, table!, 3, ids, mask, d!);
          return [both.x.values, both.table.values];
        },
      },
      [random.normals(12), random.normals(15)],
    );
  });
});
