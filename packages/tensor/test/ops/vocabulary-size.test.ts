// GPT-2's own vocabulary, 50,257 × 768: the table in blocks, embedding, loss and gradients in tiles, against float64.
import { describe, expect, it } from 'vitest';
import { expectClose, referenceRandom, testGpu } from '@limn/testing';
import {
  BLOCK_BYTES,
  crossEntropyUnembed,
  embed,
  fromData,
  gradients,
  readFloats,
  rowBlocks,
  type Tensor,
} from '../../src/index.js';

const [vocabulary, width] = [50_257, 768];
const random = referenceRandom(29);

/** Element i of the table: a hash, so that the table needs no generator state; roughly uniform in ±0.1. */
function tableValue(i: number): number {
  return Math.fround(((Math.imul(i + 1, 0x9e3779b1) >>> 8) / 2 ** 24 - 0.5) * 0.2);
}

describe('a vocabulary of 50,257 × 768', () => {
  it('embeds, and has loss and gradients without ever binding more than a block', async () => {
    const gpu = await testGpu();
    const values = Float32Array.from({ length: vocabulary * width }, (_, i) => tableValue(i));
    const table = rowBlocks(gpu, vocabulary, width, values, { label: 'wte' });
    expect(table.blocks).toHaveLength(3);
    for (const block of table.blocks) expect(block.storage.byteLength).toBeLessThanOrEqual(BLOCK_BYTES);

    const x = random.normals(3 * width);
    // One target in each block, the last token among them.
    const targets = Uint32Array.of(50_256, 7, 25_000);
    using step = gpu.step();
    const ids = fromData(step, targets, [3]);
    const tx = fromData(step, Float32Array.from(x), [3, width]);
    const rows = readFloats(step, embed(step, ids, table));
    const loss = crossEntropyUnembed(step, tx, table, ids);
    const [dx, ...dBlocks] = gradients(step, loss, 'ones', [tx, ...table.blocks]) as [Tensor, ...Tensor[]];
    const reads = [loss, dx, ...dBlocks].map((tensor) => readFloats(step, tensor));
    expect(step.plan().bytesPeak).toBeLessThan(2 * 4 * vocabulary * width);
    const embedded = await rows;
    const [gotLoss, gotDx, ...gotBlocks] = await Promise.all(reads);

    targets.forEach((id, n) =>
      expect(embedded.subarray(n * width, (n + 1) * width)).toEqual(values.subarray(id * width, (id + 1) * width)),
    );

    const sizes = Float64Array.from({ length: 3 }, () => 0);
    const logits = Array.from({ length: 3 }, (_, n) =>
      Float64Array.from({ length: vocabulary }, (_, v) => {
        let sum = 0;
        let size = 0;
        for (let j = 0; j < width; j++) {
          const term = x[n * width + j]! * values[v * width + j]!;
          sum += term;
          size += Math.abs(term);
        }
        sizes[n] = Math.max(sizes[n]!, size);
        return sum;
      }),
    );
    const lse = logits.map((row) => Math.log(row.reduce((sum, logit) => sum + Math.exp(logit), 0)));
    const about = { kernel: 'crossEntropyUnembed', n: width };
    expectClose(
      gotLoss!,
      {
        values: Float64Array.from(targets, (id, n) => lse[n]! - logits[n]![id]!),
        magnitude: sizes.map((size, n) => 3 + 3 * size + lse[n]!),
      },
      { ...about, case: '50257×768 loss' },
    );
    const dLogits = logits.map((row, n) =>
      row.map((logit, v) => Math.exp(logit - lse[n]!) - (v === targets[n] ? 1 : 0)),
    );
    const expected = { values: new Float64Array(3 * width), magnitude: new Float64Array(3 * width) };
    for (let n = 0; n < 3; n++)
      for (let v = 0; v < vocabulary; v++) {
        const g = dLogits[n]![v]!;
        // exp(l − lse) multiplies the rounding of l and lse, as in the reference of crossEntropyUnembed.
        const size = v === targets[n] ? 1 : g * (3 + 4 * sizes[n]!);
        for (let j = 0; j < width; j++) {
          expected.values[n * width + j]! += g * values[v * width + j]!;
          expected.magnitude[n * width + j]! += Math.abs(size * values[v * width + j]!);
        }
      }
    expectClose(gotDx!, expected, { ...about, case: '50257×768 dx', n: vocabulary });
    // Rows of the table's gradient: the targets, both sides of every block's edge, the last.
    const edges = table.blocks
      .flatMap((_, at) => [at * table.rowsPerBlock - 1, at * table.rowsPerBlock])
      .filter((v) => v >= 0);
    for (const v of [...targets, ...edges, 8191, 8192]) {
      const at = Math.floor(v / table.rowsPerBlock);
      const from = (v - at * table.rowsPerBlock) * width;
      const row = { values: new Float64Array(width), magnitude: new Float64Array(width) };
      for (let n = 0; n < 3; n++)
        for (let j = 0; j < width; j++) {
          const g = dLogits[n]![v]!;
          row.values[j]! += g * x[n * width + j]!;
          row.magnitude[j]! += Math.abs((v === targets[n] ? 1 : g * (3 + 4 * sizes[n]!)) * x[n * width + j]!);
        }
      expectClose(gotBlocks[at]!.subarray(from, from + width), row, { ...about, case: `50257×768 dW row ${v}` });
    }
    for (const block of table.blocks) block.dispose();
    // A few seconds of work; the limit allows for SwiftShader on a busy machine.
  }, 240_000);
});
