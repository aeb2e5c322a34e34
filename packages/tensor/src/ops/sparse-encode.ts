// h = x·W_encᵀ + b_enc and its largest positive, a tile of rows at a time: h is never whole, and gradients meet only what was selected.
import type { Step } from '@limn/gpu';
import { defineOp } from '../define-op.js';
import { expectRank, expectShape } from '../shape.js';
import { expectDType, type Tensor } from '../tensor.js';
import { multiply } from './multiply.js';
import { MAX_BINDING_BYTES } from './row-blocks.js';
import { selectByBatch } from './sparse-batch.js';
import {
  checkAllowed,
  checkSelection,
  codesOf,
  featureRows,
  tensorsOf,
  type CodeTensors,
  type SparseCodes,
  type SparseSelection,
} from './sparse-codes.js';
import { selectByRow, type SelectionKernel, type Selector } from './sparse-select.js';
import { sumByFeature, sumByRow } from './sparse-sums.js';

/** Bytes of one tile of h: enough rows to fill a device, small beside the 128 MiB that may be bound. */
const TILE_BYTES = 32 * 2 ** 20;
/** Tiles hold whole tiles of the product's kernels. */
const TILE_ROWS = 64;

/** What `encodeTopK` selects. */
export interface EncodeTopKOptions extends SparseSelection {
  /** u32 [F]: features with 0 here are not selected. */
  readonly allowed?: Tensor;
  /** Which tiles and which kernel, for tests and benches. */
  readonly tileBytes?: number;
  readonly kernel?: SelectionKernel;
}

interface Settled extends EncodeTopKOptions {
  readonly rows: number;
  readonly features: number;
  readonly width: number;
}

/** Rows of a tile of h under a limit of bytes. */
export function tileRowsOf(rows: number, stride: number, tileBytes = TILE_BYTES): number {
  const fit = Math.max(1, Math.floor(Math.min(tileBytes, MAX_BINDING_BYTES) / (4 * stride)));
  return Math.min(rows, fit > TILE_ROWS ? fit - (fit % TILE_ROWS) : fit);
}

const encodeOp = defineOp<readonly [Tensor, Tensor, Tensor], CodeTensors, Settled, undefined>({
  name: 'encodeTopK',
  forward(step, [x, wEnc, bEnc], { rows, features, width, k, over, allowed, tileBytes, kernel }) {
    const form = { rows, features, k, allowed };
    const selector: Selector = over === 'batch' ? selectByBatch(step, form) : selectByRow(step, form, kernel);
    const stride = 4 * Math.ceil(features / 4);
    const tile = tileRowsOf(rows, stride, tileBytes);
    for (let first = 0; first < rows; first += tile) {
      const tileRows = Math.min(tile, rows - first);
      const h = step.allocate(4 * tileRows * stride, 'tile of pre-activations');
      multiply(step, {
        m: tileRows,
        n: features,
        k: width,
        a: { storage: x.storage, offset: first * width, row: width },
        b: { storage: wEnc.storage, row: width, transposed: true },
        c: { storage: h, row: stride },
        bias: { storage: bEnc.storage },
        label: 'pre-activations',
      });
      selector.take({ h, first, rows: tileRows, stride });
    }
    return { outputs: tensorsOf(selector.finish()), saved: undefined };
  },
  vjp(step, { inputs: [x, wEnc], outputs, options: { rows, features } }, [dValues], [wantX, wantW, wantB]) {
    if (!dValues) return [undefined, undefined, undefined];
    const codes = codesOf(outputs, rows, features);
    const sums = wantW || wantB ? sumByFeature(step, codes, dValues, x) : undefined;
    return [wantX ? sumByRow(step, codes, dValues, wEnc) : undefined, sums?.rows, sums?.totals];
  },
});

/**
 * Sparse codes of x [N, I] under an encoder wEnc [F, I], bEnc [F]: of h = x·W_encᵀ + b_enc the k largest positive of each row, equal ones
 * by the lower feature, or with `over: 'batch'` the k · N largest positive of all rows, equal ones by the lower row, then the lower
 * feature; NaN never; from the features that `allowed` does not bar. Holds one tile of at most 32 MiB of h at a time. Gradients of the values reach x, wEnc and bEnc through the
 * selected entries alone.
 * @throws LimnError `tensor/dtype`, `tensor/range`, `tensor/shape`
 */
export function encodeTopK(step: Step, x: Tensor, wEnc: Tensor, bEnc: Tensor, options: EncodeTopKOptions): SparseCodes {
  const op = 'encodeTopK';
  expectDType(op, x, ['f32'], 'x');
  expectRank(op, 'x', x.shape, 2);
  const [rows, width] = x.shape as readonly [number, number];
  const features = wEnc.shape[0] ?? 0;
  featureRows(op, 'wEnc', wEnc, features);
  expectShape(op, 'wEnc', wEnc.shape, [features, width]);
  expectDType(op, bEnc, ['f32'], 'bEnc');
  expectShape(op, 'bEnc', bEnc.shape, [features]);
  checkSelection(op, rows, features, options.k);
  checkAllowed(op, options.allowed, features);
  return codesOf(encodeOp(step, [x, wEnc, bEnc], { ...options, rows, features, width }), rows, features);
}
