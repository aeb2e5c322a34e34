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
}

/** A kernel and how many parts the sum over k is cut into; parts are added in order by a second pass. */
export interface MatmulPlan {
  readonly kernel: MatmulKernelName;
  readonly splits: number;
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

/**
 * The kernel for a product of this shape; the same answer for the same capabilities and shape, so that bits repeat.
 * Software adapters (isFallback) take `subgroup` where lanes come in eights and `register` elsewhere: workgroup memory costs
 * there and gains nothing. GPUs take `tiled`. Few rows take `row`.
 */
export function chooseMatmul(capabilities: Capabilities, shape: MatmulShape): MatmulPlan {
  const possible = possibleMatmuls(capabilities, shape);
  const cpu = capabilities.adapter.isFallback;
  const order: readonly MatmulKernelName[] =
    shape.m <= 4 ? ['row', 'tiled'] : cpu ? ['subgroup', 'register', 'tiled'] : ['tiled'];
  const kernel = order.find((name) => possible.includes(name)) ?? 'naive';
  return { kernel, splits: 1 };
}
