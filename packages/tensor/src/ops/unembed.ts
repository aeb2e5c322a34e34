// logits = x Wᵀ over the blocks of a vocabulary-sized W [V, C]; dx = Σ_blocks dlogits W, dW = dlogitsᵀ x block by block.
import { LimnError, type Step } from '@limn/gpu';
import { defineOp } from '../define-op.js';
import { rowForm, shapeError, showShape } from '../shape.js';
import { allocate, expectDType, type Tensor } from '../tensor.js';
import { multiply } from './multiply.js';
import { expectBindable, MAX_BINDING_BYTES, type RowBlocks } from './row-blocks.js';

interface TablePlan {
  readonly vocabulary: number;
  readonly width: number;
  readonly rowsPerBlock: number;
}

const unembedOp = defineOp<readonly Tensor[], readonly [Tensor], TablePlan, undefined>({
  name: 'unembed',
  forward(step, inputs, { vocabulary, width, rowsPerBlock }) {
    const [x, ...blocks] = inputs as readonly [Tensor, ...Tensor[]];
    const { rows } = rowForm('unembed', x.shape);
    const logits = allocate(step, [...x.shape.slice(0, -1), vocabulary], 'logits');
    blocks.forEach((block, at) =>
      multiply(step, {
        m: rows,
        n: block.shape[0] as number,
        k: width,
        a: { storage: x.storage, row: width },
        b: { storage: block.storage, row: width, transposed: true, dtype: block.dtype as 'f32' | 'f16' },
        c: { storage: logits.storage, offset: at * rowsPerBlock, row: vocabulary },
        label: 'unembed',
      }),
    );
    return { outputs: [logits], saved: undefined };
  },
  vjp(step, { inputs, options: { vocabulary, width, rowsPerBlock } }, [dLogits], wanted) {
    const [x, ...blocks] = inputs as readonly [Tensor, ...Tensor[]];
    if (!dLogits) return inputs.map(() => undefined);
    const { rows } = rowForm('unembed', x.shape);
    const label = 'unembed backward';
    const dx = wanted[0] ? allocate(step, x.shape, 'd unembed x') : undefined;
    const dBlocks = blocks.map((block, at) => {
      const count = block.shape[0] as number;
      const part = { storage: dLogits.storage, offset: at * rowsPerBlock, row: vocabulary };
      if (dx)
        multiply(step, {
          m: rows,
          n: width,
          k: count,
          a: part,
          b: { storage: block.storage, row: width, dtype: block.dtype as 'f32' | 'f16' },
          c: { storage: dx.storage, row: width },
          accumulate: at > 0,
          label,
        });
      if (!wanted[at + 1]) return undefined;
      const dBlock = allocate(step, block.shape, 'd unembed');
      multiply(step, {
        m: count,
        n: width,
        k: rows,
        a: { ...part, transposed: true },
        b: { storage: x.storage, row: width },
        c: { storage: dBlock.storage, row: width },
        label,
      });
      return dBlock;
    });
    return [dx, ...dBlocks];
  },
});

/** Checks x [..., C] against a table [V, C]. */
export function checkTable(op: string, x: Tensor, table: RowBlocks): { rows: number; width: number } {
  expectDType(op, x, ['f32'], 'x');
  expectBindable(op, table);
  const form = rowForm(op, x.shape);
  if (form.width !== table.width)
    throw shapeError(
      op,
      `x ${showShape(x.shape)} ends in ${form.width}, but the table's rows have ${table.width} values`,
      `Give x as [..., ${table.width}].`,
      { x: x.shape, width: table.width },
    );
  return form;
}

/**
 * x [..., C] → logits [..., V], all of them in one tensor, tile by tile over the table's blocks. Gradients for x and for
 * every block. Throws 'tensor/logits-too-large' when the logits pass 128 MiB, what every device can bind: take fewer rows, or
 * use crossEntropyUnembed, which never holds them all.
 * @throws LimnError `tensor/dtype`, `tensor/logits-too-large`, `tensor/row-blocks`, `tensor/shape`
 */
export function unembed(step: Step, x: Tensor, table: RowBlocks): Tensor {
  const { rows, width } = checkTable('unembed', x, table);
  const bytes = 4 * rows * table.rows;
  if (bytes > MAX_BINDING_BYTES) {
    const fit = Math.floor(MAX_BINDING_BYTES / (4 * table.rows));
    throw new LimnError(
      'tensor/logits-too-large',
      `unembed: logits of ${rows} rows × ${table.rows} tokens take ${bytes} bytes; one tensor of logits may have ${MAX_BINDING_BYTES}, what every device can bind. Take at most ${fit} rows, or use crossEntropyUnembed.`,
      { details: { rows, vocabulary: table.rows, bytes, limit: MAX_BINDING_BYTES, fit } },
    );
  }
  const plan = { vocabulary: table.rows, width, rowsPerBlock: table.rowsPerBlock };
  return unembedOp(step, [x, ...table.blocks], plan)[0];
}
