// Which matmul kernel runs a shape on an adapter: a pure function, its thresholds measured by bench/matmul.mts.
import type { Capabilities } from '@limn/gpu';
import { matrixVariant, rowsSizes } from './matmul-kernels.js';

/** The kernels of shaders/src/matmul that compute a whole product. */
export type MatmulKernelName =
  | 'naive'
  | 'row'
  | 'sharedRow'
  | 'register'
  | 'subgroup16'
  | 'subgroup32'
  | 'subgroupPairs'
  | 'tiled'
  | 'block64'
  | 'block128'
  | 'matrix';

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
  /** The items of a batch of a lie one behind the other without gaps, so that all of them can be copied as one matrix. */
  readonly gaplessA?: boolean;
  /** How b is stored; 'f32' if not given. */
  readonly dtypeB?: 'f32' | 'f16';
  /** a may be rounded to f16 where b is stored so: activations, on a device opened with `halfProducts`. */
  readonly narrowA?: boolean;
}

/** Which operands are copied to rows of whole vec4s first, for a kernel that reads them so. */
export interface MatmulPacking {
  readonly packA?: boolean;
  readonly packB?: boolean;
}

/** A kernel and how many parts the sum over k is cut into; parts are added in order by a second pass. */
export interface MatmulPlan extends MatmulPacking {
  readonly kernel: MatmulKernelName;
  readonly splits: number;
}

/** The kernels that can run a shape at all, whatever their speed, once operands are packed. */
export function possibleMatmuls(
  capabilities: Capabilities,
  shape: MatmulShape,
  { packA = false, packB = false }: MatmulPacking = {},
): MatmulKernelName[] {
  const wholeA = packA || shape.alignedA;
  // Vec4 reads along k: a's tail is masked, b's is not; a copy's tail is 0.
  const wholeB = packB || (shape.alignedB && (!shape.transposeB || shape.k % 4 === 0));
  const { subgroups, subgroupMin, subgroupMax } = capabilities;
  const eights = subgroups && subgroupMin === 8 && subgroupMax === 8;
  return [
    'naive',
    'tiled',
    ...(wholeB ? (['row', 'sharedRow'] as const) : []),
    ...(wholeB && wholeA ? (['register', 'block64', 'block128'] as const) : []),
    ...(wholeB && wholeA && matrixVariant(capabilities, shape) ? (['matrix'] as const) : []),
    ...(wholeB && wholeA && eights ? (['subgroup16', 'subgroup32'] as const) : []),
    ...(wholeB && wholeA && eights && isNarrowBatch(shape) ? (['subgroupPairs'] as const) : []),
  ];
}

/** Whether b is a batch of matrices that half a subgroup of eight covers: values of narrow heads. */
const isNarrowBatch = ({ n, batch }: MatmulShape): boolean => batch > 1 && n <= NARROW;

/** Rows and columns of the tiles that one workgroup makes. */
const tileSides: { readonly [N in MatmulKernelName]?: readonly [rows: number, columns: number] } = {
  register: [32, 32],
  subgroup16: [16, 32],
  subgroup32: [32, 32],
  subgroupPairs: [16, 32],
  tiled: [64, 64],
  block64: [64, 64],
  block128: [128, 128],
  matrix: [64, 64],
};

/** Columns of a half of a subgroup of eight lanes, four each. */
const NARROW = 16;
/** Products below this many terms are over before a tile is full. */
const SMALL_WORK = 4096;
/** Terms below which a part of a split sum is not worth its pass through memory. */
const SPLIT_TERMS = 256;
/** Tiles of 64 × 64 (a quarter as many of 128 × 128), or lanes of `row` and `sharedRow`, that keep a GPU busy. */
const BUSY_TILES = 128;
const BUSY_LANES = 32_768;
/** Rows of a up to which a kernel that reads b once for all of them can be the quickest. */
const FEW_ROWS = 8;
/** Rows beyond which a tile of sixteen, most of it empty, overtakes it: [4,768]·[768,3072] takes 0.9 of the time. */
const SUBGROUP_ROWS = 3;
/** Times that every element of an operand is used from which its copy is worth making: on software adapters, on GPUs, and of batches on software adapters. */
const PACK_USES = { software: 32, hardware: 256, batch: 16 };

/**
 * The kernel for a product of this shape; the same answer for the same capabilities and shape, so that bits repeat.
 *
 * Software adapters (isFallback): what a product costs there is loads, which go lane by lane, so the kernel that loads least per
 * multiplication is the quickest: `subgroup32` where lanes come in eights, `register` elsewhere; workgroup memory costs and gains
 * nothing. What is tiny takes `naive`, which compiles fastest, and few rows `row`, which reads b once for all of them.
 * Speed there against `naive` by bench/matmul.mts, CPU time, sides interleaved (the machine was busy, so ratios count):
 *
 *                                  naive  tiled  row  register  block64  subgroup16  subgroup32
 * lavapipe  [3072,64]·[64,192]       1     2.6   3.9    3.8       5.5        9.9        11.3
 *           512³                                                             1.00        1.17 of subgroup16
 *           [1,1024]·[1024,1024]     1           2 to 4                     0.65 of row
 *
 * Batches of at most 16 columns, of which a tile's other half would be empty, take `subgroupPairs`: 256 heads of [48,48]·[48,16] take two thirds
 * of the time of `subgroup32`.
 *
 * Sizes near 500 that are prime, copied, reach 73 % of the speed of aligned ones.
 * GPUs: `block128` where its tiles are many, else `block64`; `sharedRow` for few rows, whose columns alone would leave a GPU idle;
 * `matrix` where the device has subgroup matrices that may be used. That is thought, not measured: `tuneKernels` measures it.
 *
 * Operands that are not aligned are copied to aligned rows where they lie as one matrix and every element is used often enough
 * (gradients of logits of 50,257 tokens; sizes that are prime); what else is not aligned takes `tiled`, or `row` where only a is not.
 *
 * Splits are for GPUs alone: a long sum over few tiles (weight gradients, decoding) is cut until the grid is large enough.
 * Software adapters are busy with one tile per core.
 */
export function chooseMatmul(capabilities: Capabilities, shape: MatmulShape): MatmulPlan {
  const { m, n, k, batch } = shape;
  const software = capabilities.adapter.isFallback;
  if (software && m * n * k < SMALL_WORK) return { kernel: 'naive', splits: 1 };
  const packing = packingFor(capabilities, shape);
  const big = batch * Math.ceil(m / 128) * Math.ceil(n / 128) >= BUSY_TILES / 2;
  const order: readonly MatmulKernelName[] = software
    ? [
        ...(m > SUBGROUP_ROWS ? ['subgroupPairs' as const] : []),
        ...(m > SUBGROUP_ROWS ? [m <= 16 ? ('subgroup16' as const) : ('subgroup32' as const)] : []),
        ...(m > FEW_ROWS ? ['register' as const] : []),
        'row',
        'tiled',
      ]
    : m <= FEW_ROWS
      ? ['sharedRow', 'tiled']
      : ['matrix', big ? 'block128' : 'block64', 'tiled'];
  const possible = possibleMatmuls(capabilities, shape, packing);
  const kernel = order.find((name) => possible.includes(name)) ?? 'naive';
  return { kernel, splits: software ? 1 : splitsFor(capabilities, kernel, shape), ...packing };
}

/** The operands of one product that are not aligned and are used often enough to be copied. */
function packingFor({ adapter: { isFallback } }: Capabilities, shape: MatmulShape): MatmulPacking {
  const { m, n, k, batch, transposeB, alignedA, alignedB, dtypeB = 'f32' } = shape;
  const uses = isFallback ? PACK_USES.software : PACK_USES.hardware;
  const loose = !alignedB || (transposeB && k % 4 !== 0);
  if (m === 1) return {};
  // A head's pattern is used as often as a head is wide.
  if (batch > 1)
    return isFallback && shape.gaplessA && !alignedA && !loose && n >= PACK_USES.batch ? { packA: true } : {};
  const packA = !alignedA && n >= uses;
  const packB = loose && dtypeB === 'f32' && m >= uses;
  // One alone gains nothing while the other keeps the vec4 kernels away.
  if ((!packA && !alignedA) || (!packB && loose)) return {};
  return { ...(packA ? { packA } : {}), ...(packB ? { packB } : {}) };
}

/** Parts of the sum over k that fill a GPU with this kernel's workgroups; 1 where the sum is short or they are many. */
function splitsFor(capabilities: Capabilities, kernel: MatmulKernelName, shape: MatmulShape): number {
  const { m, n, k, batch } = shape;
  if (k < 2 * SPLIT_TERMS) return 1;
  const [rows, columns] = tileSides[kernel] ?? [64, 64];
  let share = (BUSY_TILES * 4096) / (batch * Math.ceil(m / rows) * Math.ceil(n / columns) * rows * columns);
  if (kernel === 'row' || kernel === 'sharedRow') {
    const { ROWS, FOURS, SLICES } = rowsSizes(capabilities, kernel, shape);
    share = BUSY_LANES / (batch * Math.ceil(m / ROWS) * Math.ceil(n / (4 * FOURS)) * FOURS * SLICES);
  }
  return Math.max(1, Math.min(Math.floor(k / SPLIT_TERMS), Math.floor(share)));
}

/**
 * The plans worth measuring for a product of this shape on this adapter, the one that chooseMatmul takes first; none twice.
 * Whoever measures runs each and keeps the quickest; all give the same sums up to rounding.
 */
export function matmulCandidates(capabilities: Capabilities, shape: MatmulShape): MatmulPlan[] {
  const chosen = chooseMatmul(capabilities, shape);
  const { m, n, k } = shape;
  if (m * n * k < SMALL_WORK) return [chosen];
  const software = capabilities.adapter.isFallback;
  const plans: MatmulPlan[] = [chosen];
  const packings = [{}, packingFor(capabilities, shape)];
  for (const packing of packings)
    for (const kernel of possibleMatmuls(capabilities, shape, packing)) {
      if (!isWorthMeasuring(kernel, shape, software)) continue;
      const most = software ? 1 : splitsFor(capabilities, kernel, shape);
      for (const splits of new Set([1, most])) plans.push({ kernel, splits, ...packing });
    }
  const seen = new Set<string>();
  return plans.filter(({ kernel, splits, packA = false, packB = false }) => {
    const name = `${kernel} ${splits} ${packA} ${packB}`;
    return !seen.has(name) && seen.add(name);
  });
}

/** Whether a kernel could be the quickest at all: tiles not nearly empty, and made for this kind of adapter. */
function isWorthMeasuring(kernel: MatmulKernelName, { m, n }: MatmulShape, software: boolean): boolean {
  if (kernel === 'naive') return false;
  if (kernel === 'row') return m <= 2 * FEW_ROWS;
  if (kernel === 'sharedRow') return !software && m <= 2 * FEW_ROWS;
  if (kernel === 'subgroup32' || kernel === 'block64') return m > FEW_ROWS;
  if (kernel === 'block128') return !software && m > 64 && n > 64;
  return true;
}
