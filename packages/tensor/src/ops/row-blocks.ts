// RowBlocks: a matrix [rows, width] too tall for one binding, as blocks of rows of at most 64 MiB each.
import { LimnError, type Gpu } from '@limn/gpu';
import { packF16 } from '../f16.js';
import { byteLengthOf, persistent, type DType, type Tensor } from '../tensor.js';

/** Largest block by default: half of what every WebGPU device can bind. */
export const BLOCK_BYTES = 64 * 2 ** 20;

/**
 * Largest binding of anything as tall or wide as the vocabulary: blocks, their gradients, logits. It is what every WebGPU
 * device can bind; where a device could bind more, plans stay the same.
 */
export const MAX_BINDING_BYTES = 128 * 2 ** 20;

/** A vocabulary-sized matrix; row r is row r − b · rowsPerBlock of block b = floor(r / rowsPerBlock). */
export interface RowBlocks {
  readonly rows: number;
  readonly width: number;
  readonly dtype: 'f32' | 'f16';
  /** [rowsPerBlock, width] each; the last may be shorter. */
  readonly blocks: readonly Tensor[];
  readonly rowsPerBlock: number;
}

/** How a matrix is cut. */
export interface RowBlocksOptions {
  readonly dtype?: 'f32' | 'f16';
  /** At most this many bytes per block, and at most 128 MiB of gradient (f32, also of f16 blocks). */
  readonly maxBytes?: number;
  readonly label?: string;
}

/** All values, row-major, or a function that gives rows [start, start + count) when they are needed. */
export type RowSource = Float32Array | ((start: number, count: number) => Float32Array);

/**
 * Rows per block under a byte limit: even, so that every block starts on a whole word of packed f16.
 * @throws LimnError `tensor/row-blocks`
 */
export function rowsPerBlock(rows: number, width: number, dtype: DType, maxBytes = BLOCK_BYTES): number {
  const fit = Math.floor(
    Math.min(maxBytes / (dtype === 'f16' ? 2 * width : 4 * width), MAX_BINDING_BYTES / (4 * width)),
  );
  if (fit < 1)
    throw new LimnError(
      'tensor/row-blocks',
      `a row of ${width} ${dtype} values does not fit a block of ${maxBytes} bytes (${MAX_BINDING_BYTES} bytes of f32 at most). Allow larger blocks.`,
      {
        details: { width, dtype, maxBytes },
      },
    );
  return Math.min(rows, fit > 1 ? fit - (fit % 2) : fit);
}

/**
 * Uploads a matrix [rows, width] as persistent blocks; without data they are zero. f16 rounds to nearest even.
 * @throws LimnError `tensor/dtype`, `tensor/shape`, `tensor/row-blocks`, `gpu/…`
 */
export function rowBlocks(
  gpu: Gpu,
  rows: number,
  width: number,
  data?: RowSource,
  options: RowBlocksOptions = {},
): RowBlocks {
  const { dtype = 'f32', label = 'rows', maxBytes = BLOCK_BYTES } = options;
  const perBlock = rowsPerBlock(rows, width, dtype, maxBytes);
  if (data instanceof Float32Array && data.length !== rows * width)
    throw new LimnError(
      'tensor/row-blocks',
      `'${label}': ${data.length} values were given for ${rows} rows of ${width}. Give rows · width values.`,
      {
        details: { label, given: data.length, rows, width },
      },
    );
  const blocks: Tensor[] = [];
  try {
    for (let start = 0; start < rows; start += perBlock) {
      const count = Math.min(perBlock, rows - start);
      const values =
        data instanceof Float32Array ? data.subarray(start * width, (start + count) * width) : data?.(start, count);
      if (values && values.length !== count * width)
        throw new LimnError(
          'tensor/row-blocks',
          `'${label}': ${values.length} values came for rows ${start} to ${start + count - 1}, expected ${count * width}.`,
          {
            details: { label, start, count, width, given: values.length },
          },
        );
      const name = rows > perBlock ? `${label}[${start}…${start + count - 1}]` : label;
      const words = dtype === 'f16' && values ? packF16(values) : values;
      blocks.push(persistent(gpu, [count, width], words, { dtype, label: name }));
    }
  } catch (error) {
    for (const block of blocks) block.dispose();
    throw error;
  }
  return Object.freeze({ rows, width, dtype, blocks: Object.freeze(blocks), rowsPerBlock: perBlock });
}

/**
 * A matrix that is already one tensor [rows, width], as RowBlocks of one block.
 * @throws LimnError `tensor/row-blocks`
 */
export function asRowBlocks(tensor: Tensor): RowBlocks {
  const [rows, width] = tensor.shape;
  if (tensor.shape.length !== 2 || tensor.dtype === 'u32' || rows === undefined || width === undefined)
    throw new LimnError(
      'tensor/row-blocks',
      `a tensor of shape [${tensor.shape.join(', ')}] and type ${tensor.dtype} is not a table of rows. Give [rows, width] in f32 or f16.`,
      {
        details: { shape: tensor.shape, dtype: tensor.dtype },
      },
    );
  const table = { rows, width, dtype: tensor.dtype, blocks: Object.freeze([tensor]), rowsPerBlock: rows };
  expectBindable('asRowBlocks', table);
  return Object.freeze(table);
}

/** Every block, and its gradient in f32, can be bound on every device. */
export function expectBindable(op: string, { blocks }: RowBlocks): void {
  for (const block of blocks) {
    const bytes = byteLengthOf(block.size, 'f32');
    if (bytes > MAX_BINDING_BYTES)
      throw new LimnError(
        'tensor/row-blocks',
        `${op}: a block of shape [${block.shape.join(', ')}] has ${bytes} bytes of gradient; a block may have ${MAX_BINDING_BYTES}. Cut the table with rowBlocks().`,
        { details: { op, shape: block.shape, bytes, limit: MAX_BINDING_BYTES } },
      );
  }
}

/** Bytes of all blocks. */
export function byteLengthOfRows(table: RowBlocks): number {
  return table.blocks.reduce((sum, block) => sum + byteLengthOf(block.size, block.dtype), 0);
}
