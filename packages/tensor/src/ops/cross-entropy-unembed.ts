// loss_n = mask_n (log Σ_v exp(x_n · W_v) − x_n · W_target), in tiles of rows and vocabulary: never all logits at once.
// Backward recomputes each tile's logits: dl = mask_n dloss_n (softmax − onehot), dx += dl W_tile, dW_tile += dlᵀ x.
import * as shaders from '@limn/shaders';
import { defineKernel, type Step, type Storage } from '@limn/gpu';
import { defineOp } from '../define-op.js';
import { groupsOf, perRun, RUN } from '../grid.js';
import { expectShape } from '../shape.js';
import { allocate, expectDType, type Tensor } from '../tensor.js';
import { chooseLossKernel, lossRules } from './loss-rows.js';
import { multiply } from './multiply.js';
import { MAX_BINDING_BYTES, type RowBlocks } from './row-blocks.js';
import { checkTable } from './unembed.js';

/** Tokens in one tile of logits. */
const TILE_COLUMNS = 8192;
/** Bytes of one tile of logits: large enough to fill a device, small beside the 128 MiB that may be bound. */
const TILE_BYTES = 32 * 2 ** 20;

const scanWork = (u: { rows: number; cols: number }): number => 6 * u.rows * u.cols;
const rowScan = defineKernel(shaders.vocabularyScan, { ...lossRules.row, work: scanWork });
const laneScan = defineKernel(shaders.vocabularyScanLane, { ...lossRules.lane, work: scanWork });
const lossKernel = defineKernel(shaders.vocabularyLoss, {
  grid: (u, { WG }) => groupsOf(Math.ceil(u.rows / WG)),
  work: (u) => 4 * u.rows,
});
const backwardKernel = defineKernel(shaders.vocabularyBackward, { ...perRun, work: (u) => 6 * u.rows * u.width });

/** Sizes of tiles, for tests; a tile is never larger than 128 MiB. */
export interface TileOptions {
  readonly tileColumns?: number;
  readonly tileBytes?: number;
}

interface Settled {
  readonly rows: number;
  readonly width: number;
  readonly vocabulary: number;
  readonly rowsPerBlock: number;
  readonly masked: boolean;
  readonly tileColumns: number;
  readonly tileRows: number;
}

/** One tile: rows [row, row + rows) × columns [column, column + columns) of one block, whose first token is `first`. */
interface Tile {
  readonly row: number;
  readonly rows: number;
  readonly block: Tensor;
  readonly at: number;
  readonly column: number;
  readonly columns: number;
  readonly first: number;
  /** Row stride of the tile's logits, a multiple of four. */
  readonly stride: number;
}

/** Row chunks outermost, so that a row's running maximum meets the vocabulary in order. */
function tilesOf(blocks: readonly Tensor[], s: Settled): Tile[] {
  const tiles: Tile[] = [];
  for (let row = 0; row < s.rows; row += s.tileRows)
    for (const [at, block] of blocks.entries())
      for (let column = 0; column < (block.shape[0] as number); column += s.tileColumns) {
        const columns = Math.min(s.tileColumns, (block.shape[0] as number) - column);
        const rows = Math.min(s.tileRows, s.rows - row);
        const first = at * s.rowsPerBlock + column;
        tiles.push({ row, rows, block, at, column, columns, first, stride: 4 * Math.ceil(columns / 4) });
      }
  return tiles;
}

/** The tile's rows of W, as the second operand. */
function weightsOf({ block, column }: Tile, width: number) {
  return { storage: block.storage, offset: column * width, row: width, dtype: block.dtype as 'f32' | 'f16' };
}

/** Records x W_tileᵀ into a scratch of the tile's own. */
function tileLogits(step: Step, x: Tensor, tile: Tile, width: number): Storage {
  const logits = step.allocate(4 * tile.rows * tile.stride, 'tile of logits');
  multiply(step, {
    m: tile.rows,
    n: tile.columns,
    k: width,
    a: { storage: x.storage, offset: tile.row * width, row: width },
    b: { ...weightsOf(tile, width), transposed: true },
    c: { storage: logits, row: tile.stride },
    label: 'tile of logits',
  });
  return logits;
}

const crossEntropyOp = defineOp<readonly Tensor[], readonly [Tensor], Settled, { lse: Tensor }>({
  name: 'crossEntropyUnembed',
  forward(step, inputs, s) {
    const { x, targets, mask, blocks } = parts(inputs, s);
    const state = allocate(step, [s.rows, 3], 'loss state');
    for (const tile of tilesOf(blocks, s)) {
      const logits = tileLogits(step, x, tile, s.width);
      const bindings = { logits, targets: targets.storage, state: state.storage };
      const uniforms = {
        rows: tile.rows,
        cols: tile.columns,
        stride: tile.stride,
        first: tile.first,
        target_row: tile.row,
        start: tile.first === 0 ? 1 : 0,
      };
      const shape = { rows: tile.rows, width: tile.stride };
      if (chooseLossKernel(step.gpu.capabilities, shape) === 'row') step.dispatch(rowScan, bindings, uniforms);
      else step.dispatch(laneScan, bindings, uniforms);
    }
    const loss = allocate(step, targets.shape, 'loss');
    const lse = allocate(step, [s.rows], 'loss lse');
    step.dispatch(
      lossKernel,
      {
        state: state.storage,
        targets: targets.storage,
        mask: (mask ?? state).storage,
        loss: loss.storage,
        lse: lse.storage,
      },
      { rows: s.rows, vocabulary: s.vocabulary, masked: s.masked ? 1 : 0 },
    );
    return { outputs: [loss], saved: { lse } };
  },
  vjp(step, { inputs, saved: { lse }, options: s }, [dLoss], wanted) {
    const { x, targets, mask, blocks } = parts(inputs, s);
    const nothing: (Tensor | undefined)[] = inputs.map(() => undefined);
    const firstBlock = inputs.length - blocks.length;
    if (!dLoss || !wanted.some(Boolean)) return nothing;
    const dx = wanted[0] ? allocate(step, x.shape, 'd unembed x') : undefined;
    const dBlocks = blocks.map((block, at) =>
      wanted[firstBlock + at] ? allocate(step, block.shape, 'd unembed') : undefined,
    );
    const label = 'cross-entropy backward';
    for (const tile of tilesOf(blocks, s)) {
      const dBlock = dBlocks[tile.at];
      if (!dx && !dBlock) continue;
      const logits = tileLogits(step, x, tile, s.width);
      step.dispatch(
        backwardKernel,
        {
          targets: targets.storage,
          lse: lse.storage,
          d_loss: dLoss.storage,
          mask: (mask ?? lse).storage,
          logits,
        },
        {
          rows: tile.rows,
          cols: tile.columns,
          width: tile.stride,
          run: RUN,
          first: tile.first,
          vocabulary: s.vocabulary,
          target_row: tile.row,
          masked: s.masked ? 1 : 0,
        },
      );
      if (dx)
        multiply(step, {
          m: tile.rows,
          n: s.width,
          k: tile.columns,
          a: { storage: logits, row: tile.stride },
          b: weightsOf(tile, s.width),
          c: { storage: dx.storage, offset: tile.row * s.width, row: s.width },
          accumulate: tile.first > 0,
          label,
        });
      if (dBlock)
        multiply(step, {
          m: tile.columns,
          n: s.width,
          k: tile.rows,
          a: { storage: logits, row: tile.stride, transposed: true },
          b: { storage: x.storage, offset: tile.row * s.width, row: s.width },
          c: { storage: dBlock.storage, offset: tile.column * s.width, row: s.width },
          accumulate: tile.row > 0,
          label,
        });
    }
    nothing[0] = dx;
    dBlocks.forEach((dBlock, at) => (nothing[firstBlock + at] = dBlock));
    return nothing;
  },
});

/** The op's inputs by role: x, targets, mask if there is one, then the blocks. */
function parts(inputs: readonly Tensor[], s: Settled) {
  const [x, targets, ...rest] = inputs as readonly [Tensor, Tensor, ...Tensor[]];
  return { x, targets, mask: s.masked ? rest[0] : undefined, blocks: s.masked ? rest.slice(1) : rest };
}

/**
 * Loss per row in nats: x [..., C], table [V, C], targets u32 [...] → [...]; mask (f32, shaped as targets) multiplies each
 * row's loss and passes no gradient itself. A target of V or more (`IGNORED_TARGET`) gives loss 0 and no gradient.
 * Gradients for x and for every block of the table.
 * Holds one tile of at most 32 MiB of logits at a time, in forward and in backward.
 * @throws LimnError `tensor/dtype`, `tensor/row-blocks`, `tensor/shape`
 */
export function crossEntropyUnembed(
  step: Step,
  x: Tensor,
  table: RowBlocks,
  targets: Tensor,
  options: TileOptions & { readonly mask?: Tensor } = {},
): Tensor {
  const op = 'crossEntropyUnembed';
  const { rows, width } = checkTable(op, x, table);
  const { mask, tileColumns = TILE_COLUMNS, tileBytes = TILE_BYTES } = options;
  expectDType(op, targets, ['u32'], 'targets');
  expectShape(op, 'targets', targets.shape, x.shape.slice(0, -1));
  if (mask) {
    expectDType(op, mask, ['f32'], 'the mask');
    expectShape(op, 'the mask', mask.shape, targets.shape);
  }
  const columns = Math.min(tileColumns, table.rowsPerBlock);
  const tileRows = Math.max(
    1,
    Math.min(rows, Math.floor(Math.min(tileBytes, MAX_BINDING_BYTES) / (4 * (columns + 3)))),
  );
  const inputs = [x, targets, ...(mask ? [mask] : []), ...table.blocks];
  return crossEntropyOp(step, inputs, {
    rows,
    width,
    vocabulary: table.rows,
    rowsPerBlock: table.rowsPerBlock,
    masked: mask !== undefined,
    tileColumns: columns,
    tileRows,
  })[0];
}
