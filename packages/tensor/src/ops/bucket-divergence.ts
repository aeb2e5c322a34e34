// How far a distribution moved besides the answers: a KL divergence in which answers may trade mass freely, or the mass that left them.
import * as shaders from '@limn/shaders';
import { defineKernel, type Step } from '@limn/gpu';
import { defineOp } from '../define-op.js';
import { perRow, perRun, RUN } from '../grid.js';
import { expectRank, shapeError, showShape } from '../shape.js';
import { allocate, expectDType, type Tensor } from '../tensor.js';

const forwardKernel = defineKernel(shaders.bucketDivergenceForward, {
  ...perRow,
  work: (u) => (24 + 3 * u.picks) * u.rows * u.width,
});
const backwardKernel = defineKernel(shaders.bucketDivergenceBackward, {
  ...perRun,
  work: (u) => (12 + u.picks) * u.rows * u.width,
});

/**
 * What is measured, with P the reference, Q = softmax(logits), B the answers, p and q their sums over B:
 * 'bucket': KL with B as one outcome, Σ_{v∉B} P_v log(P_v / Q_v) + p log(p / q);
 * 'rest': KL of both renormalised outside B, which does not see mass that moves into or out of B;
 * 'mass': |p − q|.
 */
export type BucketForm = 'bucket' | 'rest' | 'mass';

const formNumber: Readonly<Record<BucketForm, number>> = { bucket: 0, rest: 1, mass: 2 };

type Inputs = readonly [reference: Tensor, logits: Tensor, ids: Tensor];

const bucketDivergenceOp = defineOp({
  name: 'bucketDivergence',
  forward(step, [reference, x, ids]: Inputs, { form }: { form: BucketForm }) {
    const [rows, width] = x.shape as [number, number];
    const value = allocate(step, [rows], 'bucketDivergence');
    const slopes = allocate(step, [rows, 5], 'bucketDivergence: slopes');
    step.dispatch(
      forwardKernel,
      {
        logp: reference.storage,
        x: x.storage,
        ids: ids.storage,
        value: value.storage,
        slopes: slopes.storage,
      },
      { rows, refs: reference.shape[0] as number, width, picks: ids.shape[1] as number },
      { overrides: { FORM: formNumber[form] } },
    );
    return { outputs: [value], saved: slopes };
  },
  vjp(step, { inputs: [reference, x, ids], saved: slopes }, [dy], [, wantX]) {
    if (!dy || !wantX) return [undefined, undefined, undefined];
    const dx = allocate(step, x.shape, 'bucketDivergence (backward)');
    step.dispatch(
      backwardKernel,
      {
        logp: reference.storage,
        x: x.storage,
        ids: ids.storage,
        slopes: slopes.storage,
        dy: dy.storage,
        dx: dx.storage,
      },
      {
        rows: x.shape[0] as number,
        width: x.shape[1] as number,
        run: RUN,
        refs: reference.shape[0] as number,
        picks: ids.shape[1] as number,
      },
    );
    return [undefined, dx, undefined];
  },
});

/**
 * The divergence per row in nats (for 'mass' a probability): reference log-probabilities [M, V], normalised, logits [N, V] with N a
 * multiple of M (row n is compared with row n mod M), answers u32 [N, A] → [N]. The gradient at the logits of a row sums to 0. The
 * reference is a constant: no gradient flows to it. Ids may repeat; check on the host that they are below V.
 * @throws LimnError `tensor/dtype`, `tensor/shape`
 */
export function bucketDivergence(
  step: Step,
  reference: Tensor,
  logits: Tensor,
  ids: Tensor,
  form: BucketForm = 'bucket',
): Tensor {
  const op = 'bucketDivergence';
  expectDType(op, reference, ['f32'], 'the reference');
  expectDType(op, logits, ['f32'], 'logits');
  expectDType(op, ids, ['u32'], 'ids');
  for (const [what, { shape }] of [
    ['the reference', reference],
    ['logits', logits],
    ['ids', ids],
  ] as const)
    expectRank(op, what, shape, 2);
  const [M, width] = reference.shape as [number, number];
  const [N, V] = logits.shape as [number, number];
  if (width !== V || N % M !== 0 || ids.shape[0] !== N || (ids.shape[1] as number) >= V)
    throw shapeError(
      op,
      `reference ${showShape(reference.shape)}, logits ${showShape(logits.shape)} and ids ${showShape(ids.shape)} do not belong together`,
      'Give references [M, V], logits [N, V] with N a multiple of M, and ids [N, A] with A below V.',
      { reference: reference.shape, logits: logits.shape, ids: ids.shape },
    );
  return bucketDivergenceOp(step, [reference, logits, ids], { form })[0];
}
