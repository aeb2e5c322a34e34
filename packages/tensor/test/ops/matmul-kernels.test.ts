// Every matmul kernel and variant by itself, at sizes around its tile, strided and split, against float64.
import { describe, it } from 'vitest';
import type { MatmulKernelName } from '../../src/index.js';
import { checkMatmul, type Epilogue } from './check-matmul.js';

const long = process.env['LIMN_LONG'] === '1';
/** Browsers show that they take each kernel's text and compute by it; every variant of it runs in Node. */
const inBrowser = 'window' in globalThis;
type Size = readonly [m: number, n: number, k: number];

/** Around a vec4 and a tile of 16 terms, with primes. */
const smallest: readonly Size[] = [
  [1, 1, 1],
  [3, 5, 4],
];

/** Variants of kernels that software adapters run slowly, for workgroup memory: every branch of the text once. LIMN_LONG=1 runs all. */
const two = ['A × B f32', 'A × Bᵀ f16'];
const three = [...two, 'Aᵀ × B f32'];

/** Sizes around the edges of each kernel's tile, and of half of it. */
const kernels: readonly { name: MatmulKernelName; sizes: readonly Size[]; only?: readonly string[] }[] = [
  { name: 'naive', sizes: [...smallest, [15, 31, 7], [61, 67, 53]] },
  { name: 'row', sizes: [...smallest, [1, 32, 16], [4, 67, 53], [9, 12, 20]] },
  {
    name: 'sharedRow',
    sizes: [
      [1, 1, 1],
      [1, 32, 260],
      [1, 33, 7],
      [9, 36, 131],
    ],
    only: three,
  },
  { name: 'register', sizes: [...smallest, [31, 32, 16], [33, 36, 7], [61, 67, 53]] },
  { name: 'subgroup16', sizes: [...smallest, [15, 31, 7], [16, 32, 16], [17, 33, 17], [61, 67, 53]] },
  { name: 'subgroup32', sizes: [...smallest, [31, 31, 7], [32, 32, 16], [33, 36, 17], [61, 67, 53]] },
  { name: 'subgroupPairs', sizes: [...smallest, [15, 16, 7], [16, 13, 16], [17, 9, 53], [48, 16, 48]] },
  { name: 'tiled', sizes: [...smallest, [65, 64, 20]], only: three },
  {
    name: 'block64',
    sizes: [
      [3, 5, 4],
      [33, 32, 7],
      [64, 64, 16],
      [65, 68, 20],
    ],
    only: three,
  },
  // The same text as block64: its own are only the numbers that follow from its lanes.
  {
    name: 'block128',
    sizes: [
      [61, 67, 53],
      [129, 132, 20],
    ],
    only: two,
  },
];
const more: readonly Size[] = [
  [63, 63, 63],
  [64, 64, 64],
  [128, 97, 211],
  [64, 768, 768],
  [33, 3072, 768],
];
const epilogues: readonly Epilogue[] = ['gelu', 'plain', 'bias', 'accumulate'];

for (const { name, sizes, ...kernel } of kernels) {
  const only = inBrowser ? two : kernel.only;
  describe(`matmul_${name}`, () => {
    for (const transposeA of [false, true])
      for (const transposeB of [false, true])
        // No op gives a transposed a with b in f16; software adapters take seconds to compile each variant.
        for (const elem of transposeA && !long ? (['f32'] as const) : (['f32', 'f16'] as const)) {
          const title = `${transposeA ? 'Aᵀ' : 'A'} × ${transposeB ? 'Bᵀ' : 'B'} ${elem}`;
          if (only && !long && !only.includes(title)) continue;
          it(title, async (context) => {
            let ran = 0;
            for (const [at, [m, n, k]] of [...sizes, ...(long ? more : [])].entries()) {
              // Epilogues and alignments of c in turn, from another start in each variant: pairs of them all, not every product.
              const turn = at + (transposeA ? 1 : 0) + (transposeB ? 2 : 0);
              const about = { m, n, k, transposeA, transposeB, elem, alignedC: at % 2 === 0 };
              if (await checkMatmul(name, { ...about, epilogue: epilogues[turn % 4]! })) ran += 1;
            }
            if (ran === 0) context.skip('this adapter has no subgroups of exactly 8');
          });
        }

    it('splits the sum over k and adds the parts in order', async (context) => {
      let ran = 0;
      for (const [transposeA, transposeB] of [
        [false, false],
        [true, false],
        [false, true],
      ] as const)
        for (const [m, n, k, splits] of [
          [5, 9, 100, 3],
          [17, 20, 16, 4],
          [4, 4, 129, 8],
        ] as const) {
          if (only && !long && (transposeA || transposeB)) continue;
          if (await checkMatmul(name, { m, n, k, transposeA, transposeB, splits })) ran += 1;
        }
      if (ran === 0) context.skip('this adapter has no subgroups of exactly 8');
    });
  });
}

describe('matmul_subgroupPairs', () => {
  it('makes the last item of an odd batch alone', async (context) => {
    const about = { m: 17, n: 13, k: 20, transposeA: false, transposeB: false, outerCount: 1 };
    if (!(await checkMatmul('subgroupPairs', about))) context.skip('this adapter has no subgroups of exactly 8');
  });
});
