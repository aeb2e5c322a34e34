// Low-rank terms by task: y = base + s_n · (x A_nᵀ) B_nᵀ for the rows of task n, hundreds of LoRAs (arXiv 2106.09685) in one pass, never as a dense change.
import { LimnError, type Step } from '@limn/gpu';
import { defineOp } from '../define-op.js';
import { expectRank, expectShape, shapeError, showShape } from '../shape.js';
import { expectDType, type Tensor } from '../tensor.js';
import { scale } from './arithmetic.js';
import { downPlace, intoRank, outOfRank, sumsByTask, upPlace } from './low-rank-kernels.js';
import { matmul } from './matmul.js';
import { MAX_BINDING_BYTES } from './row-blocks.js';
import { TASK_RUN, type TaskRows } from './task-rows.js';

/** What `lowRankUp` takes besides codes and factors. */
export interface LowRankUpOptions {
  /** f32 [N], alpha / r of each task: a constant. Default: 1. */
  readonly scales?: Tensor;
  /** [..., columns] of R rows, to which the term is added. */
  readonly base?: Tensor;
  /** The columns of B that take part, such as those of a query in a map onto query, key and value. Default: all. */
  readonly columns?: { readonly start: number; readonly count: number };
}

const downOp = defineOp({
  name: 'lowRankDown',
  forward(step, [x, a]: readonly [x: Tensor, a: Tensor], { rows }: { rows: TaskRows }) {
    return { outputs: [intoRank(step, x, downPlace(a), rows, undefined)], saved: undefined };
  },
  vjp(step, { inputs: [x, a], options: { rows } }, [du], [wantX, wantA]) {
    if (!du) return [undefined, undefined];
    return [
      wantX ? outOfRank(step, du, downPlace(a), rows, { shape: x.shape }) : undefined,
      wantA ? sumsByTask(step, du, x, downPlace(a), rows, undefined) : undefined,
    ];
  },
});

interface Up {
  readonly rows: TaskRows;
  readonly scales: Tensor | undefined;
  readonly first: number;
  readonly count: number;
}

/** Inputs: u, b, and base if there is one. */
const upOp = defineOp<readonly Tensor[], readonly [Tensor], Up, undefined>({
  name: 'lowRankUp',
  forward(step, inputs, { rows, scales, first, count }) {
    const [u, b, base] = inputs as readonly [Tensor, Tensor, Tensor?];
    const shape = base?.shape ?? [...u.shape.slice(0, -1), count];
    return { outputs: [outOfRank(step, u, upPlace(b, first), rows, { shape, base, scales })], saved: undefined };
  },
  vjp(step, { inputs, options: { rows, scales, first } }, [dy], [wantU, wantB, wantBase]) {
    const [u, b, base] = inputs as readonly [Tensor, Tensor, Tensor?];
    if (!dy) return inputs.map(() => undefined);
    const place = upPlace(b, first);
    return [
      wantU ? intoRank(step, dy, place, rows, scales) : undefined,
      wantB ? sumsByTask(step, u, dy, place, rows, scales) : undefined,
      ...(base ? [wantBase ? dy : undefined] : []),
    ];
  },
});

/** Refuses a stack of factors of another form or number of tasks, or of more bytes than every device can bind. */
function checkStack(op: string, name: 'A' | 'B', stack: Tensor, rows: TaskRows): void {
  expectDType(op, stack, ['f32'], name);
  expectRank(op, name, stack.shape, 3);
  const [tasks] = stack.shape as [number];
  if (tasks !== rows.count)
    throw shapeError(
      op,
      `${name} ${showShape(stack.shape)} holds ${tasks} tasks, but rows are of ${rows.count}`,
      `Give ${name} as [${rows.count}, …].`,
      { shape: stack.shape, count: rows.count },
    );
  expectFits(op, `${name} ${showShape(stack.shape)}`, 4 * stack.size, tasks);
}

/** 'tensor/too-many-tasks' for what could not be bound on every device. */
function expectFits(op: string, what: string, bytes: number, tasks: number): void {
  if (bytes <= MAX_BINDING_BYTES) return;
  const fit = Math.floor((tasks * MAX_BINDING_BYTES) / bytes);
  const hint =
    fit > 0
      ? `Cut the tasks into groups of at most ${fit}: their results are the same, bit for bit.`
      : 'Take a smaller rank, or fewer rows at a time.';
  throw new LimnError(
    'tensor/too-many-tasks',
    `${op}: ${what} takes ${bytes} bytes; one tensor may have ${MAX_BINDING_BYTES}, what every device can bind. ${hint}`,
    { details: { op, bytes, limit: MAX_BINDING_BYTES, tasks, fit }, hint },
  );
}

/** Sums of runs are a tensor of their own. */
function expectRunsFit(op: string, rows: TaskRows, perTask: number): void {
  const parts = rows.runs?.list.shape[0] ?? 0;
  expectFits(op, `sums of ${parts} runs of ${TASK_RUN} rows`, 4 * parts * perTask, rows.count);
}

/** x as R rows of equal width. */
function widthOf(op: string, what: string, x: Tensor, rows: TaskRows): number {
  expectDType(op, x, ['f32'], what);
  const width = x.size / rows.rows;
  if (Number.isInteger(width)) return width;
  throw shapeError(
    op,
    `${what} ${showShape(x.shape)} is not of ${rows.rows} rows`,
    'Give the tensor whose rows were listed, leading axes joined or not.',
    { shape: x.shape, rows: rows.rows },
  );
}

/**
 * The first half of a low-rank term: u [R, r] = x A_nᵀ for the rows of task n, 0 in rows without a task. x is [..., in] of R rows, A [N, r, in].
 * Gradients for x and A, each only if asked for.
 * @throws LimnError `tensor/dtype`, `tensor/shape`, `tensor/too-many-tasks`
 */
export function lowRankDown(step: Step, x: Tensor, a: Tensor, rows: TaskRows): Tensor {
  const op = 'lowRankDown';
  checkStack(op, 'A', a, rows);
  const width = widthOf(op, 'x', x, rows);
  expectShape(op, 'A', a.shape, [rows.count, a.shape[1] as number, width]);
  expectRunsFit(op, rows, (a.shape[1] as number) * width);
  return downOp(step, [x, a], { rows })[0];
}

/**
 * The second half: y = base + s_n · u B_nᵀ over some columns of B [N, out, r] for the rows of task n; rows without a task are base, bit for bit.
 * Gradients for u, B (0 outside the columns) and base, each only if asked for.
 * @throws LimnError `tensor/dtype`, `tensor/shape`, `tensor/too-many-tasks`
 */
export function lowRankUp(step: Step, u: Tensor, b: Tensor, rows: TaskRows, options: LowRankUpOptions = {}): Tensor {
  const op = 'lowRankUp';
  const { scales, base } = options;
  checkStack(op, 'B', b, rows);
  const rank = widthOf(op, 'u', u, rows);
  expectShape(op, 'B', b.shape, [rows.count, b.shape[1] as number, rank]);
  const out = b.shape[1] as number;
  const { start, count } = options.columns ?? { start: 0, count: out };
  if (!Number.isInteger(start) || !Number.isInteger(count) || start < 0 || count < 1 || start + count > out)
    throw shapeError(
      op,
      `columns [${start}, ${start + count}) do not lie in B ${showShape(b.shape)}`,
      `Give 0 ≤ start, 1 ≤ count, start + count ≤ ${out}.`,
      { start, count, shape: b.shape },
    );
  if (scales) {
    expectDType(op, scales, ['f32'], 'scales');
    expectShape(op, 'scales', scales.shape, [rows.count]);
  }
  if (base && widthOf(op, 'the base', base, rows) !== count)
    throw shapeError(
      op,
      `the base ${showShape(base.shape)} has rows of ${base.size / rows.rows}, the term of ${count}`,
      'Give a base as wide as the columns.',
      { shape: base.shape, count },
    );
  expectRunsFit(op, rows, count * rank);
  return upOp(step, base ? [u, b, base] : [u, b], { rows, scales, first: start, count })[0];
}

/**
 * y = base + s_n · (x A_nᵀ) B_nᵀ for the rows of task n: two narrow products, never a dense change. x [..., in] of R rows, A [N, r, in],
 * B [N, out, r], base [..., out]; without one y is the term alone, [R, out]. Rows without a task are base, bit for bit. Gradients for x, A, B and base, each only if asked for.
 *
 * A task's results depend on its own rows alone, in their order: they have the same bits whichever tasks are beside it, wherever its rows lie. Tasks
 * of lower rank are padded with zeros in both factors: what is padded has gradient 0 and stays 0 under AdamW.
 * @throws LimnError `tensor/dtype`, `tensor/shape`, `tensor/too-many-tasks`
 */
export function lowRankByTask(
  step: Step,
  x: Tensor,
  a: Tensor,
  b: Tensor,
  rows: TaskRows,
  options: LowRankUpOptions = {},
): Tensor {
  return lowRankUp(step, lowRankDown(step, x, a, rows), b, rows, options);
}

/**
 * y = base + scale · (x Aᵀ) Bᵀ with one pair of factors for all rows, A [r, in] and B [out, r]; x [..., in], base [..., out] or none. Two products of
 * matrices, which for one task of many rows or a high rank are the quicker way; sums over rows are cut by their number. Gradients for x, A, B and base.
 * @throws LimnError `tensor/dtype`, `tensor/shape`
 */
export function lowRank(
  step: Step,
  x: Tensor,
  a: Tensor,
  b: Tensor,
  options: { readonly scale?: number; readonly base?: Tensor } = {},
): Tensor {
  const { scale: factor = 1, base } = options;
  for (const [name, tensor] of [
    ['A', a],
    ['B', b],
  ] as const)
    expectRank('lowRank', name, tensor.shape, 2);
  const codes = matmul(step, x, a, { transposeB: true, label: 'low-rank codes' });
  const scaled = factor === 1 ? codes : scale(step, codes, factor);
  return matmul(step, scaled, b, { transposeB: true, label: 'low-rank term', ...(base ? { residual: base } : {}) });
}
