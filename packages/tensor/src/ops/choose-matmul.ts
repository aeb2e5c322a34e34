// Which matmul kernel runs a shape on an adapter: a pure function, its thresholds measured by bench/matmul.mts.
import type { Capabilities } from '@limn/gpu';

/** The kernels of shaders/src/matmul that compute a whole product. */
export type MatmulKernelName = 'naive';

/** What the choice depends on; all in elements. */
export interface MatmulShape {
  readonly m: number;
  readonly n: number;
  readonly k: number;
  readonly batch: number;
  readonly transposeA: boolean;
  readonly transposeB: boolean;
}

/** A kernel and how many parts the sum over k is cut into; parts are added in order by a second pass. */
export interface MatmulPlan {
  readonly kernel: MatmulKernelName;
  readonly splits: number;
}

/** The kernel for a product of this shape. */
export function chooseMatmul(_capabilities: Capabilities, _shape: MatmulShape): MatmulPlan {
  return { kernel: 'naive', splits: 1 };
}
