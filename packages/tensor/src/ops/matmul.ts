// C = op(A) op(B) [+ bias] [→ gelu] [+ residual], batched; dA = dC op(B)ᵀ, dB = op(A)ᵀ dC, dbias = Σ_rows dC.
import { LimnError, type Step } from '@limn/gpu';
import { defineOp } from '../define-op.js';
import { countOf, expectShape, sameShape, shapeError, showShape } from '../shape.js';
import { allocate, expectDType, Tensor } from '../tensor.js';
import { geluBackward } from './gelu.js';
import { multiply, type GeluForm } from './multiply.js';
import { sumRun } from './sum-run.js';

/** What a product may do besides multiplying. */
export interface MatmulOptions {
  /** a is stored [..., k, m]. */
  readonly transposeA?: boolean;
  /** b is stored [..., n, k]. */
  readonly transposeB?: boolean;
  /** [n], added to every row. */
  readonly bias?: Tensor;
  /** gelu after the bias, in the same kernel. */
  readonly gelu?: GeluForm;
  /** Shaped as the result, added last. */
  readonly residual?: Tensor;
  readonly label?: string;
}

/** Sizes after checking; `shared`: b has no batch axes. Then, unless a is transposed, the batch of a is part of m. */
interface Form {
  readonly m: number;
  readonly n: number;
  readonly k: number;
  readonly batch: number;
  readonly shared: boolean;
  readonly shape: readonly number[];
}

interface Settled {
  readonly transposeA: boolean;
  readonly transposeB: boolean;
  readonly bias: boolean;
  readonly residual: boolean;
  readonly gelu: GeluForm | undefined;
  readonly label: string;
}

function formOf(a: Tensor, b: Tensor, { transposeA, transposeB }: Settled): Form {
  const fail = (problem: string, hint: string): Error =>
    shapeError(
      'matmul',
      `a ${showShape(a.shape)}${transposeA ? 'ᵀ' : ''} × b ${showShape(b.shape)}${transposeB ? 'ᵀ' : ''}: ${problem}`,
      hint,
      {
        a: a.shape,
        b: b.shape,
        transposeA,
        transposeB,
      },
    );
  if (a.shape.length < 2 || b.shape.length < 2)
    throw fail('both need at least two axes', 'Reshape a vector to [1, size] or [size, 1].');
  const lead = a.shape.slice(0, -2);
  const shared = b.shape.length === 2;
  if (!shared && !sameShape(b.shape.slice(0, -2), lead))
    throw fail('the leading axes differ', 'Give b the leading axes of a, or none.');
  const [a0, a1] = a.shape.slice(-2) as [number, number];
  const [b0, b1] = b.shape.slice(-2) as [number, number];
  const [m, k] = transposeA ? [a1, a0] : [a0, a1];
  const [kb, n] = transposeB ? [b1, b0] : [b0, b1];
  if (k !== kb)
    throw fail(`the inner lengths are ${k} and ${kb}`, 'Transpose an operand, or check which weights these are.');
  const batch = countOf(lead);
  // Rows of every batch item meet the same b: they are rows of one tall matrix.
  const flat = shared && !transposeA;
  return { m: flat ? batch * m : m, n, k, batch: flat ? 1 : batch, shared, shape: [...lead, m, n] };
}

const matmulOp = defineOp<readonly Tensor[], readonly [Tensor], Settled, { form: Form; pre: Tensor | undefined }>({
  name: 'matmul',
  forward(step, inputs, settled) {
    const [a, b] = inputs as readonly [Tensor, Tensor, ...Tensor[]];
    const { transposeA, transposeB, label } = settled;
    expectDType('matmul', a, ['f32'], 'a');
    expectDType('matmul', b, ['f32', 'f16'], 'b');
    if (b.dtype === 'f16' && transposeA)
      throw new LimnError('tensor/dtype', 'matmul: b in f16 with a transposed is not available. Widen b with toF32.', {
        details: { op: 'matmul' },
        hint: 'Widen b with toF32.',
      });
    const form = formOf(a, b, settled);
    const { m, n, k, batch, shared, shape } = form;
    const bias = settled.bias ? inputs[2] : undefined;
    const residual = settled.residual ? inputs.at(-1) : undefined;
    if (bias) expectShape('matmul', 'the bias', bias.shape, [n]);
    if (residual) expectShape('matmul', 'the residual', residual.shape, shape);
    const c = allocate(step, shape, label);
    const pre = settled.gelu ? allocate(step, shape, `${label} before gelu`) : undefined;
    multiply(step, {
      m,
      n,
      k,
      outerCount: batch,
      a: { storage: a.storage, outer: m * k, row: transposeA ? m : k, transposed: transposeA },
      b: {
        storage: b.storage,
        outer: shared ? 0 : n * k,
        row: transposeB ? k : n,
        transposed: transposeB,
        dtype: b.dtype as 'f32' | 'f16',
      },
      c: { storage: c.storage, outer: m * n, row: n },
      activations: true,
      label,
      ...(bias ? { bias: { storage: bias.storage } } : {}),
      ...(settled.gelu && pre ? { gelu: { form: settled.gelu, pre: pre.storage } } : {}),
      ...(residual ? { residual: residual.storage } : {}),
    });
    return { outputs: [c], saved: { form, pre } };
  },
  vjp(step, { inputs, saved: { form, pre }, options: settled }, [dc], wanted) {
    if (!dc) return inputs.map(() => undefined);
    const [a, b] = inputs as readonly [Tensor, Tensor, ...Tensor[]];
    const residualAt = settled.residual ? inputs.length - 1 : -1;
    const products = wanted.some((want, i) => want && i !== residualAt);
    const g = settled.gelu && pre && products ? geluBackward(step, pre, dc, settled.gelu) : dc;
    return inputs.map((input, i) => {
      if (!wanted[i]) return undefined;
      if (i === 0) return gradientOfA(step, a, b, g, form, settled);
      if (i === 1) return gradientOfB(step, a, b, g, form, settled);
      if (i === residualAt) return dc;
      return sumOfRows(step, g, input);
    });
  },
});

/** Σ over all rows of g [..., n], shaped as the bias it belongs to. */
function sumOfRows(step: Step, g: Tensor, like: Tensor): Tensor {
  const rows = new Tensor(g.storage, [g.size / like.size, like.size]);
  return new Tensor(sumRun(step, rows, 0, 1, 1).storage, like.shape);
}

/** dA [m, k] = dC op(B)ᵀ, or where a is stored transposed [k, m] = op(B) dCᵀ. */
function gradientOfA(step: Step, a: Tensor, b: Tensor, g: Tensor, form: Form, settled: Settled): Tensor {
  const { m, n, k, batch, shared } = form;
  const da = allocate(step, a.shape, `d ${settled.label} a`);
  const gSide = { storage: g.storage, outer: m * n, row: n };
  const bSide = { storage: b.storage, outer: shared ? 0 : n * k, row: settled.transposeB ? k : n };
  const common = { outerCount: batch, label: `${settled.label} backward a` };
  if (settled.transposeA)
    multiply(step, {
      ...common,
      m: k,
      n: m,
      k: n,
      a: { ...bSide, transposed: settled.transposeB },
      b: { ...gSide, transposed: true },
      c: { storage: da.storage, outer: k * m, row: m },
    });
  else
    multiply(step, {
      ...common,
      m,
      n: k,
      k: n,
      a: gSide,
      b: { ...bSide, transposed: !settled.transposeB, dtype: b.dtype as 'f32' | 'f16' },
      c: { storage: da.storage, outer: m * k, row: k },
    });
  return da;
}

/** dB [k, n] = op(A)ᵀ dC, or where b is stored transposed [n, k] = dCᵀ op(A); a shared b sums over the batch, in order. */
function gradientOfB(step: Step, a: Tensor, b: Tensor, g: Tensor, form: Form, settled: Settled): Tensor {
  const { m, n, k, batch, shared } = form;
  const db = allocate(step, b.shape, `d ${settled.label} b`);
  const items = shared ? batch : 1;
  for (let item = 0; item < items; item += 1) {
    const aSide = { storage: a.storage, offset: item * m * k, outer: m * k, row: settled.transposeA ? m : k };
    const gSide = { storage: g.storage, offset: item * m * n, outer: m * n, row: n };
    const common = {
      outerCount: shared ? 1 : batch,
      accumulate: item > 0,
      label: `${settled.label} backward b`,
      k: m,
    };
    if (settled.transposeB)
      multiply(step, {
        ...common,
        m: n,
        n: k,
        a: { ...gSide, transposed: true },
        b: { ...aSide, transposed: settled.transposeA },
        c: { storage: db.storage, outer: n * k, row: k },
      });
    else
      multiply(step, {
        ...common,
        m: k,
        n,
        a: { ...aSide, transposed: !settled.transposeA },
        b: gSide,
        c: { storage: db.storage, outer: n * k, row: n },
      });
  }
  return db;
}

/**
 * a [..., m, k] × b [..., k, n] → [..., m, n]. Both batched by equal leading axes, or b [k, n] shared by all; either may be
 * stored transposed; b may be f16. With `bias`, `gelu`, `residual`: gelu(a b + bias) + residual in the same kernel.
 * Gradients for a, b, bias and residual, in f32.
 * @throws LimnError `tensor/dtype`, `tensor/shape`
 */
export function matmul(step: Step, a: Tensor, b: Tensor, options: MatmulOptions = {}): Tensor {
  const { bias, residual, gelu, transposeA = false, transposeB = false, label = 'matmul' } = options;
  const inputs = [a, b, ...(bias ? [bias] : []), ...(residual ? [residual] : [])];
  const settled = { transposeA, transposeB, bias: !!bias, residual: !!residual, gelu, label };
  return matmulOp(step, inputs, settled)[0];
}
