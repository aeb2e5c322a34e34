// The kernels of shaders/src/matmul that compute a whole product, by name: grid, work, and the overrides that suit a shape.
import * as shaders from '@limn/shaders';
import { defineKernel, type Capabilities, type Grid, type Kernel, type UniformsOf, type Variant } from '@limn/gpu';
import { groupsOf } from '../grid.js';
import type { MatmulKernelName, MatmulShape } from './choose-matmul.js';

/** What every one of them is told. */
type MatmulUniforms = UniformsOf<typeof shaders.matmulNaive>;

/** A kernel of the family, whatever its overrides. */
export type MatmulKernel = Kernel<typeof shaders.matmulNaive>;

const work = (u: MatmulUniforms): number => 2 * u.batch * u.m * u.n * u.k;

/** Workgroups when each makes a tile of `row` × `columns` of one split of one batch item. */
function tiles({ batch, k, chunk, m, n }: MatmulUniforms, rows: number, columns: number): Grid {
  return groupsOf(batch * Math.ceil(k / chunk) * Math.ceil(m / rows) * Math.ceil(n / columns));
}

const naive = defineKernel(shaders.matmulNaive, {
  grid: ({ batch, k, chunk, m, n }, { WG }) => groupsOf(Math.ceil((batch * Math.ceil(k / chunk) * m * n) / WG)),
  work,
});
const rows = defineKernel(shaders.matmulRows, { grid: (u, { ROWS, FOURS }) => tiles(u, ROWS, 4 * FOURS), work });
const register = defineKernel(shaders.matmulRegister, { grid: (u) => tiles(u, 32, 32), work });
const subgroup = defineKernel(shaders.matmulSubgroup, { grid: (u, { ROWS }) => tiles(u, ROWS, 32), work });
const pairs = defineKernel(shaders.matmulSubgroupPairs, {
  grid: (u) => tiles({ ...u, batch: Math.ceil(u.batch / 2) }, 16, u.n),
  work,
});
const tiled = defineKernel(shaders.matmulTiled, { grid: (u) => tiles(u, 64, 64), work });
const matrix = defineKernel(shaders.matmulMatrix, { grid: (u) => tiles(u, 64, 64), work });
const block = defineKernel(shaders.matmulBlock, { grid: (u, { LANES }) => tiles(u, 8 * LANES, 8 * LANES), work });

const byName: { readonly [N in MatmulKernelName]: MatmulKernel } = {
  naive,
  row: rows as unknown as MatmulKernel,
  sharedRow: rows as unknown as MatmulKernel,
  register: register as unknown as MatmulKernel,
  subgroup16: subgroup as unknown as MatmulKernel,
  subgroup32: subgroup as unknown as MatmulKernel,
  subgroupPairs: pairs as unknown as MatmulKernel,
  tiled: tiled as unknown as MatmulKernel,
  block64: block as unknown as MatmulKernel,
  block128: block as unknown as MatmulKernel,
  matrix: matrix as unknown as MatmulKernel,
};

/** Whether a kernel can write c by whole vec4s. */
export function isBlock(name: MatmulKernelName): boolean {
  return name === 'block64' || name === 'block128';
}

/**
 * The subgroup matrices that a product can use: of f16 where a may be narrowed to what b is stored as, else of f32, which lose
 * nothing. Undefined where the device has none of a known shape, or subgroups of more than one size, whose matrices need lanes
 * that cannot be counted.
 */
export function matrixVariant(
  { subgroupMatrix, subgroupMin, subgroupMax, f16 }: Capabilities,
  { dtypeB, narrowA = false }: Pick<MatmulShape, 'dtypeB' | 'narrowA'>,
): NonNullable<Variant['matrix']> | undefined {
  if (subgroupMin !== subgroupMax) return undefined;
  const has = (side: number, type: string): boolean =>
    subgroupMatrix.some(
      ({ m, n, k, componentType, resultType }) =>
        m === side && n === side && k === side && componentType === type && resultType === 'f32',
    );
  if (narrowA && dtypeB === 'f16' && f16) {
    if (has(16, 'f16')) return 'f16x16';
    if (has(8, 'f16')) return 'f16x8';
  }
  return has(8, 'f32') ? 'f32x8' : undefined;
}

/** The kernel of this name, its overrides and its text for a product of this shape. */
export function settleMatmul(
  capabilities: Capabilities,
  name: MatmulKernelName,
  shape: Pick<MatmulShape, 'm' | 'transposeA' | 'transposeB' | 'dtypeB' | 'narrowA'>,
): {
  readonly kernel: MatmulKernel;
  readonly overrides: Readonly<Record<string, number>>;
  readonly variant: Variant;
} {
  const stored = { TA: shape.transposeA ? 1 : 0, TB: shape.transposeB ? 1 : 0 };
  const matrices = name === 'matrix' ? matrixVariant(capabilities, shape) : undefined;
  return {
    kernel: byName[name],
    overrides: { ...stored, ...sizes(capabilities, name, shape) },
    variant: { elem: shape.dtypeB ?? 'f32', ...(matrices ? { matrix: matrices } : {}) },
  };
}

function sizes(
  capabilities: Capabilities,
  name: MatmulKernelName,
  shape: Pick<MatmulShape, 'm' | 'transposeB'>,
): Readonly<Record<string, number>> {
  if (name === 'row' || name === 'sharedRow') return rowsSizes(capabilities, name, shape);
  if (name === 'subgroup16' || name === 'subgroup32') return { ROWS: name === 'subgroup16' ? 16 : 32 };
  if (name === 'matrix') return { LANES: 4 * capabilities.subgroupMax };
  if (name === 'block64' || name === 'block128') return { LANES: name === 'block64' ? 8 : 16 };
  return {};
}

/**
 * How many rows a lane of `row` or `sharedRow` makes, how many lanes stand side by side and how many share one sum. Alone: one
 * subgroup on software adapters, where more gain nothing. Shared: 64 lanes along one row of a b stored transposed, 1 KiB at a read;
 * else 8 lanes side by side, 128 B of a row, times 32 rows of b.
 */
export function rowsSizes(
  { adapter, subgroups, subgroupMin }: Capabilities,
  name: MatmulKernelName,
  { m, transposeB }: Pick<MatmulShape, 'm' | 'transposeB'>,
): { readonly ROWS: number; readonly FOURS: number; readonly SLICES: number } {
  const ROWS = m > 4 ? 8 : m > 2 ? 4 : m;
  if (name === 'row') return { ROWS, FOURS: !adapter.isFallback ? 64 : subgroups ? subgroupMin : 4, SLICES: 1 };
  return transposeB ? { ROWS, FOURS: 1, SLICES: 64 } : { ROWS, FOURS: 8, SLICES: 32 };
}
