// Plans over a vocabulary of 50,257 × 768 on a device that could bind 2 GiB: nothing passes the 128 MiB that every device has.
import { defaultLimits, dryGpu, type Gpu, type Step } from '@limn/gpu';
import { describe, expect, it } from 'vitest';
import {
  asRowBlocks,
  byteLengthOfRows,
  crossEntropyUnembed,
  embed,
  fill,
  fromData,
  gradients,
  MAX_BINDING_BYTES,
  persistent,
  rowBlocks,
  rowsPerBlock,
  unembed,
  type RowBlocks,
} from '../../src/index.js';

const vocabulary = 50_257;
const width = 768;
const MIB = 2 ** 20;

/** Plans only, so that gibibytes cost nothing. A GPU: split sums are planned too. */
function generousGpu(): Gpu {
  return dryGpu({ limits: { ...defaultLimits, maxStorageBufferBindingSize: 2 ** 31, maxBufferSize: 2 ** 32 } });
}

/** The largest storage that a kernel of the step binds, from here on. */
function largestBinding(step: Step): { bytes: number } {
  const largest = { bytes: 0 };
  const dispatch = step.dispatch.bind(step);
  step.dispatch = (kernel, bindings, uniforms, options) => {
    for (const storage of Object.values<{ byteLength: number }>(bindings))
      largest.bytes = Math.max(largest.bytes, storage.byteLength);
    dispatch(kernel, bindings, uniforms, options);
  };
  return largest;
}

/** Loss and gradients of every block, of `rows` positions. */
function train(gpu: Gpu, table: RowBlocks, rows: number, tileBytes?: number): number {
  using step = gpu.step();
  const largest = largestBinding(step);
  const ids = fromData(step, new Uint32Array(rows), [rows]);
  const loss = crossEntropyUnembed(step, embed(step, ids, table), table, ids, tileBytes ? { tileBytes } : {});
  gradients(step, loss, 'ones', table.blocks);
  expect(step.plan().dispatches).toBeGreaterThan(0);
  return largest.bytes;
}

describe('on a device that could bind 2 GiB', () => {
  it.each(['f32', 'f16'] as const)('embedding, loss and gradients of a table in %s', (dtype) => {
    const gpu = generousGpu();
    const table = rowBlocks(gpu, vocabulary, width, undefined, { dtype });
    expect(byteLengthOfRows(table)).toBe(vocabulary * width * (dtype === 'f16' ? 2 : 4));
    const bytes = train(gpu, table, 16_384);
    expect(bytes).toBeLessThanOrEqual(MAX_BINDING_BYTES);
    // Not a plan of nothing: a block of the table, or its gradient, is the largest that is bound.
    expect(bytes).toBeGreaterThan(60 * MIB);
  });

  it('a block and a tile that ask for more get 128 MiB', () => {
    const gpu = generousGpu();
    for (const dtype of ['f32', 'f16'] as const) {
      const rows = rowsPerBlock(vocabulary, width, dtype, 2 ** 31);
      expect(4 * rows * width).toBeLessThanOrEqual(MAX_BINDING_BYTES);
      expect(4 * (rows + 2) * width).toBeGreaterThan(MAX_BINDING_BYTES);
      const bytes = train(
        gpu,
        rowBlocks(gpu, vocabulary, width, undefined, { dtype, maxBytes: 2 ** 31 }),
        8192,
        2 ** 31,
      );
      expect(bytes).toBeLessThanOrEqual(MAX_BINDING_BYTES);
      expect(bytes).toBeGreaterThan(MAX_BINDING_BYTES - MIB);
    }
  });

  it('logits up to 128 MiB are planned, more are refused with the number of rows that fit', () => {
    const gpu = generousGpu();
    const table = rowBlocks(gpu, vocabulary, width);
    const fit = Math.floor(MAX_BINDING_BYTES / (4 * vocabulary));
    using step = gpu.step();
    const largest = largestBinding(step);
    const x = fill(step, [fit, width], 0);
    const logits = unembed(step, x, table);
    gradients(step, logits, 'ones', [x, ...table.blocks]);
    expect(largest.bytes).toBe(4 * fit * vocabulary);
    expect(() => unembed(step, fill(step, [fit + 1, width], 0), table)).toThrow(
      expect.objectContaining({ code: 'tensor/logits-too-large', details: expect.objectContaining({ fit }) }),
    );
  });

  it('a table in one piece of more is refused, whoever made it', () => {
    const gpu = generousGpu();
    const whole = persistent(gpu, [vocabulary, width]);
    const refused = expect.objectContaining({ code: 'tensor/row-blocks' });
    expect(() => asRowBlocks(whole)).toThrow(refused);
    const table: RowBlocks = { rows: vocabulary, width, dtype: 'f32', blocks: [whole], rowsPerBlock: vocabulary };
    using step = gpu.step();
    const ids = fromData(step, new Uint32Array(2), [2]);
    const x = fill(step, [2, width], 0);
    expect(() => embed(step, ids, table)).toThrow(refused);
    expect(() => unembed(step, x, table)).toThrow(refused);
    expect(() => crossEntropyUnembed(step, x, table, ids)).toThrow(refused);
    // In f16 the table itself would fit, but its gradient is f32.
    expect(() => asRowBlocks(persistent(gpu, [vocabulary, width], undefined, { dtype: 'f16' }))).toThrow(refused);
  });
});
