// ŷ[n] = Σ_e a_e W_dec[column of e] + b_dec over the entries of a row; backward by dot products at the entries and sums by feature.
import type { Step } from '@limn/gpu';
import { defineOp } from '../define-op.js';
import { expectShape } from '../shape.js';
import { expectDType, Tensor } from '../tensor.js';
import { checkCodes, featureRows, type SparseCodes } from './sparse-codes.js';
import { dotByEntry, sumByFeature, sumByRow } from './sparse-sums.js';
import { sumRun } from './sum-run.js';

/** Inputs: values, wDec, and bDec if there is one. */
const decodeOp = defineOp<readonly Tensor[], readonly [Tensor], SparseCodes, undefined>({
  name: 'sparseDecode',
  forward(step, inputs, codes) {
    const [values, wDec, bDec] = inputs as readonly [Tensor, Tensor, Tensor?];
    return { outputs: [sumByRow(step, codes, values, wDec, bDec)], saved: undefined };
  },
  vjp(step, { inputs, options: codes }, [dy], [wantValues, wantW, wantB]) {
    if (!dy) return inputs.map(() => undefined);
    const [values, wDec, bDec] = inputs as readonly [Tensor, Tensor, Tensor?];
    return [
      wantValues ? dotByEntry(step, codes, dy, wDec) : undefined,
      wantW ? sumByFeature(step, codes, values, dy).rows : undefined,
      ...(bDec ? [wantB ? new Tensor(sumRun(step, dy, 0, 1, 1).storage, bDec.shape) : undefined] : []),
    ];
  },
});

/**
 * Codes times a decoder wDec [F, O], plus bDec [O] → [N, O]. Gradients for the codes' values, wDec and bDec; that of wDec is dense, has zeros
 * for features without an entry, and is summed by rising row, so that it repeats bit for bit.
 * @throws LimnError `tensor/dtype`, `tensor/shape`
 */
export function sparseDecode(step: Step, codes: SparseCodes, wDec: Tensor, bDec?: Tensor): Tensor {
  const op = 'sparseDecode';
  checkCodes(op, codes);
  const width = featureRows(op, 'wDec', wDec, codes.features);
  if (bDec) {
    expectDType(op, bDec, ['f32'], 'bDec');
    expectShape(op, 'bDec', bDec.shape, [width]);
  }
  return decodeOp(step, [codes.values, wDec, ...(bDec ? [bDec] : [])], codes)[0];
}
