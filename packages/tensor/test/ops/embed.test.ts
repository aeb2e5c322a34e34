// Embedding, unembedding and the fused cross-entropy over one and several blocks of the table, f32 and f16, against float64.
import { describe, expect, it } from 'vitest';
import { expectClose, referenceEmbed, referenceRandom, referenceUnembed, testGpu, withCanaries } from '@limn/testing';
import {
  asRowBlocks,
  crossEntropyUnembed,
  embed,
  fromData,
  gradients,
  halfBits,
  halfValue,
  IGNORED_TARGET,
  MAX_BINDING_BYTES,
  readFloats,
  rowBlocks,
  toF16,
  unembed,
  type RowBlocks,
  type Tensor,
} from '../../src/index.js';
import { checkOp, rowVariants } from '../check-op.js';

const random = referenceRandom(19);

/** The table as blocks of at most `perBlock` rows, each a tensor of the step. */
function blocksOf(inputs: readonly Tensor[], width: number): RowBlocks {
  const rows = inputs.reduce((sum, block) => sum + block.shape[0]!, 0);
  return { rows, width, dtype: 'f32', blocks: inputs, rowsPerBlock: inputs[0]!.shape[0]! };
}

/** Cuts reference values into the blocks' own. */
function cut<T extends Float64Array>(values: T, width: number, perBlock: number): T[] {
  const parts: T[] = [];
  for (let at = 0; at < values.length; at += perBlock * width)
    parts.push(values.subarray(at, at + perBlock * width) as T);
  return parts;
}

const sizes = [
  { vocabulary: 1, width: 1, count: 1, perBlock: 1 },
  { vocabulary: 37, width: 12, count: 64, perBlock: 37 },
  { vocabulary: 101, width: 20, count: 65, perBlock: 32 },
  { vocabulary: 369, width: 64, count: 97, perBlock: 369 },
];

describe('embed', () => {
  for (const { vocabulary, width, count, perBlock } of sizes)
    it(`${vocabulary} × ${width} in blocks of ${perBlock}, ${count} ids`, async () => {
      const table = random.normals(vocabulary * width);
      // Half of the ids from a small set, so that chains are long.
      const ids = random.integers(count, vocabulary).map((id, n) => (n % 2 === 0 ? id : (id % 3) % vocabulary));
      await checkOp({
        kernel: 'embed',
        case: `V${vocabulary} C${width} N${count} blocks of ${perBlock}`,
        inputs: [
          { shape: [count], values: ids },
          ...cut(table, width, perBlock).map((values) => ({ shape: [values.length / width, width], values })),
        ],
        run: (step, [tIds, ...blocks]) => embed(step, tIds!, blocksOf(blocks, width)),
        expected: referenceEmbed.embedForward(ids, table, width),
        n: 1,
        vjp: (seed) => {
          const d = referenceEmbed.embedVjp(ids, vocabulary, width, seed);
          const magnitudes = cut(d.magnitude, width, perBlock);
          return [
            undefined,
            ...cut(d.values, width, perBlock).map((values, i) => ({ values, magnitude: magnitudes[i]! })),
          ];
        },
        vjpN: [0, ...cut(table, width, perBlock).map(() => count)],
        masks: perBlock === 32,
      });
    });

  it('reads f16 blocks exactly, and gives zeros for an id beyond the table', async () => {
    const gpu = await testGpu();
    const values = Float32Array.from(random.normals(11 * 5));
    const table = rowBlocks(gpu, 11, 5, values, { dtype: 'f16', maxBytes: 40 });
    expect(table.blocks.map((block) => block.shape[0])).toEqual([4, 4, 3]);
    using step = gpu.step();
    const out = await readFloats(step, embed(step, fromData(step, Uint32Array.of(10, 0, 5, 11), [4]), table));
    const rounded = [10, 0, 5].flatMap((id) =>
      [...values.subarray(5 * id, 5 * id + 5)].map((v) => halfValue(halfBits(v))),
    );
    expect([...out]).toEqual([...rounded, 0, 0, 0, 0, 0]);
    for (const block of table.blocks) block.dispose();
  });
});

describe('unembed', () => {
  for (const { vocabulary, width, count, perBlock } of sizes)
    it(`${vocabulary} × ${width} in blocks of ${perBlock}, ${count} rows`, async () => {
      const table = random.normals(vocabulary * width);
      const x = random.normals(count * width);
      await checkOp({
        kernel: 'unembed',
        case: `V${vocabulary} C${width} N${count} blocks of ${perBlock}`,
        inputs: [
          { shape: [count, width], values: x },
          ...cut(table, width, perBlock).map((values) => ({ shape: [values.length / width, width], values })),
        ],
        run: (step, [t, ...blocks]) => unembed(step, t!, blocksOf(blocks, width)),
        expected: referenceUnembed.unembedForward(x, table, width),
        n: width,
        vjp: (seed) => {
          const d = referenceUnembed.unembedVjp(x, table, width, seed);
          const magnitudes = cut(d.table.magnitude, width, perBlock);
          return [
            d.x,
            ...cut(d.table.values, width, perBlock).map((values, i) => ({ values, magnitude: magnitudes[i]! })),
          ];
        },
        vjpN: [vocabulary, ...cut(table, width, perBlock).map(() => count)],
        masks: perBlock === 32,
      });
    });

  it('refuses logits that no binding can hold, with the numbers', async () => {
    const gpu = await testGpu();
    using step = gpu.step();
    const table = blocksOf([fromData(step, new Float32Array(4000), [4000, 1])], 1);
    const rows = Math.floor(MAX_BINDING_BYTES / 16000) + 1;
    const x = fromData(step, new Float32Array(rows), [rows, 1]);
    expect(() => unembed(step, x, table)).toThrow(expect.objectContaining({ code: 'tensor/logits-too-large' }));
    expect(() => unembed(step, x, table)).toThrow(new RegExp(`at most ${rows - 1} rows`));
  });
});

describe('crossEntropyUnembed', async () => {
  for (const { name: variant, how } of await rowVariants())
    for (const { vocabulary, width, count, perBlock } of sizes)
      for (const masked of [false, true])
        it(`${vocabulary} × ${width} in blocks of ${perBlock}, ${count} rows ${masked ? 'masked' : ''} ${variant}`, async () => {
          const table = random.normals(vocabulary * width, 0.5);
          const x = random.normals(count * width);
          const targets = random.integers(count, vocabulary);
          // Rows out of the loss: padding, and the first number beyond the table.
          if (count > 2) targets.set([IGNORED_TARGET, vocabulary], 1);
          const mask = masked ? Float64Array.from(random.integers(count, 3)) : undefined;
          const blocks = cut(table, width, perBlock).map((values) => ({
            shape: [values.length / width, width],
            values,
          }));
          await checkOp({
            kernel: 'crossEntropyUnembed',
            case: `V${vocabulary} C${width} N${count} blocks of ${perBlock}${masked ? ' masked' : ''}`,
            ...how,
            inputs: [
              { shape: [count, width], values: x },
              ...blocks,
              { shape: [count], values: targets },
              ...(mask ? [{ shape: [count], values: mask, differentiable: false }] : []),
            ],
            run: (step, tensors) => {
              const [t, ...rest] = tensors;
              const options = mask ? { mask: rest.at(-1)! } : {};
              // Tiles smaller than a block and fewer rows than there are: every path of the tiling runs.
              return crossEntropyUnembed(
                step,
                t!,
                blocksOf(rest.slice(0, blocks.length), width),
                rest[blocks.length]!,
                {
                  ...options,
                  tileColumns: 50,
                  tileBytes: 4 * 53 * 40,
                },
              );
            },
            expected: referenceUnembed.crossEntropyUnembedForward(x, table, width, targets, mask),
            n: width,
            vjp: (seed) => {
              const d = referenceUnembed.crossEntropyUnembedVjp(x, table, width, targets, mask, seed);
              const magnitudes = cut(d.table.magnitude, width, perBlock);
              const parts = cut(d.table.values, width, perBlock);
              return [d.x, ...parts.map((values, i) => ({ values, magnitude: magnitudes[i]! })), undefined, undefined];
            },
            vjpN: [vocabulary, ...blocks.map(() => count)],
            masks: perBlock === 32 && masked && variant === 'tree',
          });
        });

  it('runs on an f16 table, with gradients in f32', async () => {
    const gpu = await testGpu();
    const [vocabulary, width, count] = [53, 8, 21];
    const table = random.normals(vocabulary * width).map((value) => halfValue(halfBits(value)));
    const x = random.normals(count * width);
    const targets = random.integers(count, vocabulary);
    using step = gpu.step();
    const canaries = withCanaries(step);
    const tx = fromData(step, Float32Array.from(x), [count, width]);
    const half = toF16(step, fromData(step, Float32Array.from(table), [vocabulary, width]));
    const loss = crossEntropyUnembed(step, tx, asRowBlocks(half), fromData(step, targets, [count]));
    const grads = gradients(step, loss, 'ones', [tx, half]);
    const [l, dx, dTable] = await canaries.read([loss, ...grads]);
    const about = { kernel: 'crossEntropyUnembed', variant: 'elem f16', n: width };
    const ones = new Float64Array(count).fill(1);
    const d = referenceUnembed.crossEntropyUnembedVjp(x, table, width, targets, undefined, ones);
    expectClose(l!, referenceUnembed.crossEntropyUnembedForward(x, table, width, targets), { ...about, case: 'V53' });
    expectClose(dx!, d.x, { ...about, case: 'V53 dx', n: vocabulary });
    expectClose(dTable!, d.table, { ...about, case: 'V53 dW', n: count });
    expect(grads[1]!.dtype).toBe('f32');
  });
});
