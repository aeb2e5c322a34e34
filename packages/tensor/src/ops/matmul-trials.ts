// How the candidates of a matrix product are run against one another: random matrices, made on the device.
import type { Gpu, Step } from '@limn/gpu';
import { randomUniformTensor } from '../random.js';
import { allocate, keep, type Tensor } from '../tensor.js';
import type { Decision } from '../tuning/decision.js';
import { tunable, type OpenTrial, type TrialRules, type TunableDecision } from '../tuning/trial.js';
import type { MatmulPlan, MatmulShape } from './choose-matmul.js';
import { toF16 } from './half.js';
import { matmulDecision } from './matmul-choice.js';
import { multiply } from './multiply.js';

/** Rows of whole vec4s, or one element more where the matrix is not to be aligned. */
const strideOf = (columns: number, aligned: boolean): number => 4 * Math.ceil(columns / 4) + (aligned ? 0 : 1);

/** Stored rows and their distance. */
function storedAs(shape: MatmulShape): {
  readonly a: readonly [number, number];
  readonly b: readonly [number, number];
} {
  const { m, n, k, transposeA, transposeB, alignedA, alignedB } = shape;
  return {
    a: transposeA ? [k, strideOf(m, alignedA)] : [m, strideOf(k, alignedA)],
    b: transposeB ? [n, strideOf(k, alignedB)] : [k, strideOf(n, alignedB)],
  };
}

async function open(gpu: Gpu, shape: MatmulShape): Promise<OpenTrial<MatmulPlan>> {
  const { m, n, k, batch, transposeA, transposeB, dtypeB = 'f32' } = shape;
  const stored = storedAs(shape);
  using step = gpu.step({ label: 'matrices' });
  const random = ([rows, stride]: readonly [number, number], stream: number): Tensor =>
    randomUniformTensor(step, [batch, rows, stride], { seed: 1, stream });
  const [a, whole] = [keep(step, random(stored.a, 0)), random(stored.b, 1)];
  const b = keep(step, dtypeB === 'f16' ? toF16(step, whole) : whole);
  await step.submit();
  const placed = (tensor: Tensor, transposed: boolean) => {
    const [, rows, row] = tensor.shape as readonly [number, number, number];
    return { storage: tensor.storage, inner: batch > 1 ? rows * row : 0, row, transposed };
  };
  return {
    record(into: Step, plan: MatmulPlan): Tensor {
      const c = allocate(into, [batch, m, n], 'product');
      multiply(into, {
        m,
        n,
        k,
        innerCount: batch,
        plan,
        a: placed(a, transposeA),
        b: { ...placed(b, transposeB), dtype: dtypeB },
        c: { storage: c.storage, inner: m * n, row: n },
      });
      return c;
    },
    dispose() {
      a.dispose();
      b.dispose();
    },
  };
}

const rules: TrialRules<MatmulShape, MatmulPlan> = {
  work: ({ batch, m, n, k }) => 2 * batch * m * n * k,
  bytes(shape) {
    const { a, b } = storedAs(shape);
    const { batch, m, n } = shape;
    const each = [a[0] * a[1], b[0] * b[1], m * n].map((size) => 4 * batch * size);
    return { largest: Math.max(...each), all: each.reduce((sum, bytes) => sum + bytes, 0) };
  },
  // k terms of mean 1 / 4: their roundings add up like √k, with 8 for the largest of many elements and other orders. Where both factors
  // may be f16, those of the factors do, each 2⁻¹¹ of a term at most.
  tolerance: ({ k, dtypeB }, { halfProducts }) =>
    8 * Math.sqrt(k) * (2 ** -24 * (k / 4) + (halfProducts && dtypeB === 'f16' ? 2 ** -11 / 3 : 0)),
  open,
};

/** The plan of a matrix product can be measured; also of other shapes than limn's models run. */
export const tunableMatmul = (decision: Decision<MatmulShape, MatmulPlan> = matmulDecision): TunableDecision =>
  tunable(decision, rules);
