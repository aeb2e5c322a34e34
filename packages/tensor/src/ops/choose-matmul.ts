// Which matmul kernel runs a shape on an adapter: a pure function, its thresholds measured by bench/matmul.mts.
import type { Capabilities } from '@limn/gpu';

/** The kernels of shaders/src/matmul that compute a whole product. */
export type MatmulKernelName = 'naive' | 'row' | 'register' | 'subgroup' | 'tiled';

/** What the choice depends on; all in elements. */
export interface MatmulShape {
  readonly m: number;
  readonly n: number;
  readonly k: number;
  readonly batch: number;
  readonly transposeA: boolean;
  readonly transposeB: boolean;
  /** Offset, rows and batch distances of the operand are multiples of 4. */
  readonly alignedA: boolean;
  readonly alignedB: boolean;
  /** How b is stored; 'f32' if not given. */
  readonly dtypeB?: 'f32' | 'f16';
}

/** A kernel and how many parts the sum over k is cut into; parts are added in order by a second pass. */
export interface MatmulPlan {
  readonly kernel: MatmulKernelName;
  readonly splits: number;
  /** The rows of a are copied to whole vec4s first, for a kernel that reads it so. */
  readonly packA?: boolean;
}

/** The kernels that can run a shape at all, whatever their speed. */
export function possibleMatmuls(capabilities: Capabilities, shape: MatmulShape): MatmulKernelName[] {
  const { k, transposeB, alignedA, alignedB } = shape;
  // Vec4 reads along k: a's tail is masked, b's is not.
  const wholeB = alignedB && (!transposeB || k % 4 === 0);
  const { subgroups, subgroupMin, subgroupMax } = capabilities;
  const eights = subgroups && subgroupMin === 8 && subgroupMax === 8;
  return [
    'naive',
    'tiled',
    ...(wholeB ? (['row'] as const) : []),
    ...(wholeB && alignedA ? (['register'] as const) : []),
    ...(wholeB && alignedA && eights ? (['subgroup'] as const) : []),
  ];
}

/** Products below this many terms are over before a tile is full. */
const SMALL_WORK = 4096;
/** Terms below which a part of a split sum is not worth its pass through memory. */
const SPLIT_TERMS = 256;
/** Parts of the grid (64 × 64 tiles, or lanes of four columns in `row`) that keep a GPU busy. */
const BUSY_TILES = 128;
const BUSY_LANES = 16_384;
/** Rows of a up to which a kernel that reads b once per row can be the quickest. */
const FEW_ROWS = 8;
/** Columns of c from which an unaligned a is worth a copy: each of its elements is used as often. */
const PACK_COLUMNS = 32;

/**
 * The kernel for a product of this shape; the same answer for the same capabilities and shape, so that bits repeat.
 *
 * Software adapters (isFallback) take `subgroup` where lanes come in eights and `register` elsewhere: workgroup memory costs
 * there and gains nothing. An unaligned a, such as gradients of logits of 50,257 tokens, is copied to aligned rows where it is one
 * matrix: [50,16752]·[16752,768] takes a tenth of the time of `row`. What else is not aligned takes `row`, and what is tiny `naive`, which
 * compiles fastest.
 * Measured by bench/matmul.mts in GFLOP/s per core (on a machine busy with other work, so the ratios count):
 *
 *                                      naive  tiled   row  register  subgroup
 * lavapipe     [3072,64]·[64,192]        0.5    1.3   1.0       2.6       9.0
 *              its weight gradient       0.6    1.5   1.4       3.0      12.9
 * SwiftShader  [3072,64]·[64,192]        0.1    0.2   0.2       0.6         –
 *              its weight gradient       0.1    0.6   0.3       1.0         –
 *
 * GPUs take `tiled`. One row takes `row`, on GPUs up to four do: it reads b once per row and nothing twice.
 *
 * Splits are for GPUs alone: a long sum over few tiles (weight gradients, decoding) is cut until the grid is large enough.
 * Software adapters are busy with one tile per core.
 */
export function chooseMatmul(capabilities: Capabilities, shape: MatmulShape): MatmulPlan {
  const { m, n, k, batch } = shape;
  const software = capabilities.adapter.isFallback;
  if (software && !shape.alignedA && batch === 1 && m > 1 && n >= PACK_COLUMNS && m * n * k >= SMALL_WORK) {
    const packed = chooseMatmul(capabilities, { ...shape, alignedA: true });
    if (packed.kernel === 'subgroup' || packed.kernel === 'register') return { ...packed, packA: true };
  }
  const possible = possibleMatmuls(capabilities, shape);
  const order: readonly MatmulKernelName[] =
    software && m * n * k < SMALL_WORK
      ? ['naive']
      : m <= (software ? 1 : 4)
        ? ['row', 'tiled']
        : software
          ? ['subgroup', 'register', 'row', 'tiled']
          : ['tiled'];
  const kernel = order.find((name) => possible.includes(name)) ?? 'naive';
  return { kernel, splits: software ? 1 : splitsFor(kernel, shape) };
}

/** Parts of the sum over k that fill a GPU with this kernel's tiles; 1 where the sum is short or the tiles are many. */
function splitsFor(kernel: MatmulKernelName, { m, n, k, batch }: MatmulShape): number {
  if (k < 2 * SPLIT_TERMS) return 1;
  const share =
    kernel === 'row'
      ? BUSY_LANES / (batch * m * Math.ceil(n / 4))
      : BUSY_TILES / (batch * Math.ceil(m / 64) * Math.ceil(n / 64));
  return Math.max(1, Math.min(Math.floor(k / SPLIT_TERMS), Math.floor(share)));
}

/**
 * The plans worth measuring for a product of this shape on this adapter, the one that chooseMatmul takes first; none twice.
 * Whoever measures runs each and keeps the quickest; all give the same sums up to rounding.
 */
export function matmulCandidates(capabilities: Capabilities, shape: MatmulShape): MatmulPlan[] {
  const chosen = chooseMatmul(capabilities, shape);
  const { m, n, k, batch } = shape;
  if (m * n * k < SMALL_WORK) return [chosen];
  const software = capabilities.adapter.isFallback;
  const plans: MatmulPlan[] = [chosen];
  const add = (runs: MatmulShape, packing: Pick<MatmulPlan, 'packA'>): void => {
    for (const kernel of possibleMatmuls(capabilities, runs)) {
      if (kernel === 'naive' || (kernel === 'row' && m > FEW_ROWS)) continue;
      const most = software ? 1 : splitsFor(kernel, shape);
      for (const splits of new Set([1, most])) plans.push({ kernel, splits, ...packing });
    }
  };
  add(shape, {});
  if (!shape.alignedA && batch === 1 && m > 1 && n >= PACK_COLUMNS && k > 1)
    add({ ...shape, alignedA: true }, { packA: true });
  const seen = new Set<string>();
  return plans.filter(({ kernel, splits, packA = false }) => {
    const name = `${kernel} ${splits} ${packA}`;
    return !seen.has(name) && seen.add(name);
  });
}
