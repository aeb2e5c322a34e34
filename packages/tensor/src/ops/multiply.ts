// C = epilogue(alpha · op(A) op(B)) over strided, two-level batches: the one way that ops run a matmul kernel.
import * as shaders from '@limn/shaders';
import { defineKernel, type Step, type Storage } from '@limn/gpu';
import { groupsOf, perElement } from '../grid.js';
import type { MatmulPlan } from './choose-matmul.js';
import { matmulDecision } from './matmul-choice.js';
import { isBlock, settleMatmul } from './matmul-kernels.js';

/** GPT-2's gelu_new ('tanh') or the exact form ('erf'). */
export type GeluForm = 'tanh' | 'erf';

/** The form's number in prelude/gelu.wgsl. */
export const geluNumber = { tanh: 1, erf: 2 } as const;

/** Where a batch of matrices lies in a storage, in elements: matrix (outer, inner) starts at offset + outer · outer + inner · inner. */
export interface Placement {
  readonly storage: Storage;
  readonly offset?: number;
  /** Distance between outer batch items; 0 shares one matrix. */
  readonly outer?: number;
  /** Distance between inner batch items; 0 shares one matrix. */
  readonly inner?: number;
  /** Distance between stored rows. */
  readonly row: number;
}

/** An input matrix; `transposed` means that it is stored as its transpose. */
export interface Operand extends Placement {
  readonly transposed?: boolean;
}

/** One batched product. */
export interface Multiplication {
  readonly m: number;
  readonly n: number;
  readonly k: number;
  readonly outerCount?: number;
  readonly innerCount?: number;
  readonly a: Operand;
  /** The second operand, which may be packed f16. */
  readonly b: Operand & { readonly dtype?: 'f32' | 'f16' };
  readonly c: Placement;
  readonly alpha?: number;
  /** [n] at offset + inner · inner. */
  readonly bias?: { readonly storage: Storage; readonly offset?: number; readonly inner?: number };
  /** gelu after the bias; the sum before it goes to `pre`, laid out as c. */
  readonly gelu?: { readonly form: GeluForm; readonly pre: Storage };
  /** Added after gelu, laid out as c. */
  readonly residual?: Storage;
  /** c += instead of c =. */
  readonly accumulate?: boolean;
  /** a holds activations of a forward pass: a device opened with `halfProducts` may round them to f16 where b is f16. Never gradients, which f16 would lose. */
  readonly activations?: boolean;
  readonly label?: string;
  /** For tests and benches; by default what was chosen for the device decides, else chooseMatmul. */
  readonly plan?: MatmulPlan;
}

/** Terms per split: whole vec4s and whole tiles of the widest kernel. */
const CHUNK_UNIT = 16;

const combine = defineKernel(shaders.matmulCombine, {
  grid: (u, { WG }) => groupsOf(Math.ceil((u.batch * u.m * u.n) / WG)),
  work: (u) => u.batch * u.m * u.n * u.splits,
});

const pack = defineKernel(shaders.packRows, { grid: perElement });

/** Records the product. Shapes and placements are the caller's responsibility: ops check them. */
export function multiply(step: Step, call: Multiplication): void {
  const { m, n, k, a, b, c, bias, gelu, residual, alpha = 1, outerCount = 1, innerCount = 1, label = 'matmul' } = call;
  const batch = outerCount * innerCount;
  const transposeA = a.transposed === true;
  const transposeB = b.transposed === true;
  const shape = {
    m,
    n,
    k,
    batch,
    transposeA,
    transposeB,
    alignedA: isAligned(a),
    alignedB: isAligned(b),
    gaplessA: isGapless(a, transposeA ? k : m, outerCount, innerCount),
    dtypeB: b.dtype ?? 'f32',
    narrowA: call.activations === true && step.gpu.capabilities.halfProducts,
  };
  const plan = call.plan ?? matmulDecision.choose(step.gpu, shape);
  if (plan.packA || plan.packB) {
    const { packA, packB, ...rest } = plan;
    multiply(step, {
      ...call,
      a: packA ? packed(step, a, transposeA ? [k, m] : [m, k], outerCount, innerCount) : a,
      b: packB ? packed(step, b, transposeB ? [n, k] : [k, n]) : b,
      plan: rest,
    });
    return;
  }
  const chunk = plan.splits === 1 ? k : CHUNK_UNIT * Math.ceil(k / plan.splits / CHUNK_UNIT);
  const splits = Math.ceil(k / chunk);
  const flags = (bias ? 1 : 0) | (residual ? 2 : 0) | (call.accumulate ? 4 : 0);
  const unused = (): Storage => step.allocate(16, 'unused');
  const target = {
    c_offset: c.offset ?? 0,
    c_outer: c.outer ?? 0,
    c_inner: c.inner ?? 0,
    c_row: c.row,
    c_split: 0,
  };
  const epilogue = {
    bias_offset: bias?.offset ?? 0,
    bias_inner: bias?.inner ?? 0,
    alpha,
    flags,
    gelu: gelu ? geluNumber[gelu.form] : 0,
  };
  // Bindings without a role in this call get the first operand, which a kernel may read twice.
  const added = { bias: bias?.storage ?? a.storage, residual: residual ?? a.storage };
  const split = splits > 1;
  const size = batch * m * n;
  const product = split ? step.allocate(4 * splits * size, `${label} parts`) : c.storage;
  const partial = { c_offset: 0, c_outer: innerCount * m * n, c_inner: m * n, c_row: n, c_split: size };
  const plain = { bias_offset: 0, bias_inner: 0, alpha: 1, flags: 0, gelu: 0 };
  // Whole vec4s of c where all that lies as c does, and the bias, can be written and read so.
  const wide = n % 4 === 0 && (split || (isAligned(c) && isAligned({ ...bias, row: 0 })));
  const { kernel, overrides, variant } = settleMatmul(step.gpu.capabilities, plan.kernel, shape);
  step.dispatch(
    kernel,
    {
      a: a.storage,
      b: b.storage,
      ...(split ? { bias: a.storage, residual: a.storage } : added),
      c: product,
      pre: (!split && gelu?.pre) || unused(),
    },
    {
      m,
      n,
      k,
      batch,
      inner_count: innerCount,
      chunk,
      a_offset: a.offset ?? 0,
      a_outer: a.outer ?? 0,
      a_inner: a.inner ?? 0,
      a_row: a.row,
      b_offset: b.offset ?? 0,
      b_outer: b.outer ?? 0,
      b_inner: b.inner ?? 0,
      b_row: b.row,
      ...(split ? { ...partial, ...plain } : { ...target, ...epilogue }),
    },
    { overrides, variant: { ...variant, out: wide && isBlock(plan.kernel) ? 'vec4' : 'f32' }, label },
  );
  if (!split) return;
  step.dispatch(
    combine,
    {
      partial: product,
      bias: bias?.storage ?? product,
      residual: residual ?? product,
      c: c.storage,
      pre: gelu?.pre ?? unused(),
    },
    { m, n, batch, inner_count: innerCount, splits, ...target, ...epilogue },
    { label: `${label} sum` },
  );
}

/** Matrices of rows × columns as they are stored, one or a batch without gaps, in rows of whole vec4s. */
function packed(
  step: Step,
  { storage, offset = 0, row, transposed = false }: Operand,
  [rows, columns]: [number, number],
  outerCount = 1,
  innerCount = 1,
): Operand {
  const stride = 4 * Math.ceil(columns / 4);
  const size = outerCount * innerCount * rows * stride;
  const y = step.allocate(4 * size, 'packed rows');
  step.dispatch(pack, { x: storage, y }, { size, offset, row, columns, stride });
  return { storage: y, outer: innerCount * rows * stride, inner: rows * stride, row: stride, transposed };
}

/** Whether the items of a batch are one tall matrix. */
function isGapless(
  { outer = 0, inner = 0, row }: Operand,
  rows: number,
  outerCount: number,
  innerCount: number,
): boolean {
  const item = rows * row;
  return (innerCount === 1 || inner === item) && (outerCount === 1 || outer === innerCount * item);
}

/** Whether a kernel may read the operand as vec4. */
function isAligned({ offset = 0, outer = 0, inner = 0, row }: Omit<Placement, 'storage'>): boolean {
  return [offset, outer, inner, row].every((distance) => distance % 4 === 0);
}
