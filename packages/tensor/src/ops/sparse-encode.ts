// h = x·W_encᵀ + b_enc and its largest positive, for one selection or several, a tile of rows at a time: h is never whole, and gradients meet only what was selected.
import type { Step } from '@limn/gpu';
import { defineOp } from '../define-op.js';
import { expectRank, expectShape } from '../shape.js';
import { expectDType, type Tensor } from '../tensor.js';
import { addTensors } from '../untaped.js';
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
import { selectByRow, type SelectionKernel } from './sparse-select.js';
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

/** One of several selections: as `encodeTopK` takes them. */
export type EncodeSelection = Pick<EncodeTopKOptions, 'k' | 'over' | 'allowed' | 'kernel'>;

interface Settled {
  readonly selections: readonly EncodeSelection[];
  readonly tileBytes: number | undefined;
  readonly rows: number;
  readonly features: number;
  readonly width: number;
}

/** Rows of a tile of h under a limit of bytes. */
function tileRowsOf(rows: number, stride: number, tileBytes = TILE_BYTES): number {
  const fit = Math.max(1, Math.floor(Math.min(tileBytes, MAX_BINDING_BYTES) / (4 * stride)));
  return Math.min(rows, fit > TILE_ROWS ? fit - (fit % TILE_ROWS) : fit);
}

/** Tensors that make one selection's codes. */
const OUTPUTS = 4;
const outputsOf = <T>(all: readonly T[], i: number): readonly T[] => all.slice(OUTPUTS * i, OUTPUTS * (i + 1));

const encodeOp = defineOp<readonly [Tensor, Tensor, Tensor], readonly Tensor[], Settled, undefined>({
  name: 'encodeTopK',
  forward(step, [x, wEnc, bEnc], { selections, tileBytes, rows, features, width }) {
    const selectors = selections.map(({ k, over, allowed, kernel }) => {
      const form = { rows, features, k, allowed };
      return over === 'batch' ? selectByBatch(step, form) : selectByRow(step, form, kernel);
    });
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
      for (const selector of selectors) selector.take({ h, first, rows: tileRows, stride });
    }
    return { outputs: selectors.flatMap((selector) => tensorsOf(selector.finish())), saved: undefined };
  },
  vjp(step, { inputs: [x, wEnc], outputs, options: { selections, rows, features } }, slopes, [wantX, wantW, wantB]) {
    const added = (a: Tensor | undefined, b: Tensor | undefined): Tensor | undefined =>
      a && b ? addTensors(step, a, b) : (a ?? b);
    return selections.reduce<readonly [Tensor | undefined, Tensor | undefined, Tensor | undefined]>(
      (sum, _, i) => {
        const [dValues] = outputsOf(slopes, i);
        if (!dValues) return sum;
        const codes = codesOf(outputsOf(outputs, i) as unknown as CodeTensors, rows, features);
        const sums = wantW || wantB ? sumByFeature(step, codes, dValues, x) : undefined;
        const dx = wantX ? sumByRow(step, codes, dValues, wEnc) : undefined;
        return [added(sum[0], dx), added(sum[1], sums?.rows), added(sum[2], sums?.totals)];
      },
      [undefined, undefined, undefined],
    );
  },
});

/** Checks what `op` was given and records it. */
function encode(
  op: string,
  step: Step,
  x: Tensor,
  wEnc: Tensor,
  bEnc: Tensor,
  selections: readonly EncodeSelection[],
  tileBytes: number | undefined,
): readonly SparseCodes[] {
  expectDType(op, x, ['f32'], 'x');
  expectRank(op, 'x', x.shape, 2);
  const [rows, width] = x.shape as readonly [number, number];
  const features = wEnc.shape[0] ?? 0;
  featureRows(op, 'wEnc', wEnc, features);
  expectShape(op, 'wEnc', wEnc.shape, [features, width]);
  expectDType(op, bEnc, ['f32'], 'bEnc');
  expectShape(op, 'bEnc', bEnc.shape, [features]);
  for (const { k, allowed } of selections) {
    checkSelection(op, rows, features, k);
    checkAllowed(op, allowed, features);
  }
  const made = encodeOp(step, [x, wEnc, bEnc], { selections, tileBytes, rows, features, width });
  return selections.map((_, i) => codesOf(outputsOf(made, i) as unknown as CodeTensors, rows, features));
}

/**
 * Sparse codes of x [N, I] under an encoder wEnc [F, I], bEnc [F]: of h = x·W_encᵀ + b_enc the k largest positive of each row, equal ones
 * by the lower feature, or with `over: 'batch'` the k · N largest positive of all rows, equal ones by the lower row, then the lower
 * feature; NaN never; from the features that `allowed` does not bar. Holds one tile of at most 32 MiB of h at a time. Gradients of the values reach x, wEnc and bEnc through the
 * selected entries alone.
 * @throws LimnError `tensor/dtype`, `tensor/range`, `tensor/shape`
 */
export function encodeTopK(step: Step, x: Tensor, wEnc: Tensor, bEnc: Tensor, options: EncodeTopKOptions): SparseCodes {
  return encode('encodeTopK', step, x, wEnc, bEnc, [options], options.tileBytes)[0] as SparseCodes;
}

/**
 * What `encodeTopK` gives for each of several selections, from pre-activations h = x·W_encᵀ + b_enc that are made once: sparse codes of
 * x [N, I] under wEnc [F, I], bEnc [F], in the order of the selections. Holds one tile of at most 32 MiB of h at a time (`tileBytes`, for tests).
 * Gradients of all values reach x, wEnc and bEnc through the selected entries alone.
 * @throws LimnError `tensor/dtype`, `tensor/range`, `tensor/shape`
 */
export function encodeTopKEach(
  step: Step,
  x: Tensor,
  wEnc: Tensor,
  bEnc: Tensor,
  selections: readonly EncodeSelection[],
  { tileBytes }: Pick<EncodeTopKOptions, 'tileBytes'> = {},
): readonly SparseCodes[] {
  return encode('encodeTopKEach', step, x, wEnc, bEnc, selections, tileBytes);
}
