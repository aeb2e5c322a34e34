// out[n] = table[ids[n]] over the blocks of a vocabulary-sized table; backward is a scatter without atomics, in a fixed order.
import * as shaders from '@limn/shaders';
import { defineKernel, type Step } from '@limn/gpu';
import { defineOp } from '../define-op.js';
import { groupsOf } from '../grid.js';
import { allocate, expectDType, type Tensor } from '../tensor.js';
import { expectBindable, type RowBlocks } from './row-blocks.js';

const forwardKernel = defineKernel(shaders.embedForward, {
  grid: (u, { WG }) => groupsOf(Math.ceil((u.count * u.width) / WG)),
  work: (u) => u.count * u.width,
});
const linksKernel = defineKernel(shaders.embedLinks, {
  grid: (u, { WG }) => groupsOf(Math.ceil(u.count / WG)),
  work: (u) => u.count * u.count,
});
const backwardKernel = defineKernel(shaders.embedBackward, {
  grid: (u, { WG }) => groupsOf(Math.ceil((u.count * u.width) / WG)),
  work: (u) => u.count * u.width,
});

interface TablePlan {
  readonly width: number;
  readonly rowsPerBlock: number;
}

/** Inputs: ids, then the blocks of the table in order, `rowsPerBlock` rows each. */
export const embedOp = defineOp<readonly Tensor[], readonly [Tensor], TablePlan, undefined>({
  name: 'embed',
  forward(step, inputs, { width, rowsPerBlock }) {
    const [ids, ...blocks] = inputs as readonly [Tensor, ...Tensor[]];
    const out = allocate(step, [...ids.shape, width], 'rows by id');
    blocks.forEach((block, at) =>
      step.dispatch(
        forwardKernel,
        { ids: ids.storage, table: block.storage, out: out.storage },
        {
          count: ids.size,
          width,
          first: at * rowsPerBlock,
          block_rows: block.shape[0] as number,
          start: at === 0 ? 1 : 0,
        },
        { variant: { elem: block.dtype as 'f32' | 'f16' } },
      ),
    );
    return { outputs: [out], saved: undefined };
  },
  vjp(step, { inputs, options: { width, rowsPerBlock } }, [dOut], wanted) {
    const [ids, ...blocks] = inputs as readonly [Tensor, ...Tensor[]];
    if (!dOut || !wanted.some((want, i) => want && i > 0)) return inputs.map(() => undefined);
    const links = allocate(step, [ids.size], 'places by id', 'u32');
    step.dispatch(linksKernel, { ids: ids.storage, links: links.storage }, { count: ids.size });
    const dBlocks = blocks.map((block, at) => {
      if (!wanted[at + 1]) return undefined;
      const dBlock = allocate(step, block.shape, 'd rows by id');
      step.clear(dBlock.storage);
      step.dispatch(
        backwardKernel,
        { ids: ids.storage, links: links.storage, d_out: dOut.storage, d_table: dBlock.storage },
        { count: ids.size, width, first: at * rowsPerBlock, block_rows: block.shape[0] as number },
      );
      return dBlock;
    });
    return [undefined, ...dBlocks];
  },
});

/**
 * Rows of a table by id: ids u32 [...] → [..., C]. An id beyond the table gives a row of zeros (check ids on the host).
 * Each block of the table is a target of its own for gradients: dense, f32, summed in the order of the ids.
 * @throws LimnError `tensor/dtype`, `tensor/row-blocks`
 */
export function embed(step: Step, ids: Tensor, table: RowBlocks): Tensor {
  expectDType('embed', ids, ['u32'], 'ids');
  expectBindable('embed', table);
  return embedOp(step, [ids, ...table.blocks], { width: table.width, rowsPerBlock: table.rowsPerBlock })[0];
}
