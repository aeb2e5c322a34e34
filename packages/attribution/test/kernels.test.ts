// The package's own kernels against float64 at awkward sizes, with canaries behind every allocation and untouched elements around every block.
import { describe, expect, it } from 'vitest';
import {
  expectClose,
  expectSameBits,
  referenceEdgeScores,
  referenceRandom,
  testGpu,
  withCanaries,
} from '@limn/testing';
import type { Step } from '@limn/gpu';
import { fromData, readFloats } from '@limn/tensor';
import { EDGE_SPLIT, edgeScores, PRODUCT_SPLIT } from '../src/edge-scores.js';
import { circuitChanges, circuitSlots } from '../src/circuit-kernels.js';

const random = referenceRandom(41);
const f32 = (values: Float64Array): Float32Array => Float32Array.from(values);

/** Has every kernel of the step run in workgroups of this many lanes. */
function withWorkgroup(step: Step, lanes: number): void {
  const dispatch = step.dispatch.bind(step);
  step.dispatch = (kernel, bindings, uniforms, options = {}) =>
    dispatch(kernel, bindings, uniforms, { ...options, overrides: { WG: lanes } } as typeof options);
}

describe('edge scores', () => {
  it.each([
    // sources, slots, examples, inner, extra sources in delta, lanes of a workgroup
    [1, 1, 1, 1, 0, 64],
    [4, 4, 1, 64, 0, 64],
    [5, 3, 2, 65, 1, 64],
    [3, 9, 3, 127, 0, 64],
    [7, 1, 1, EDGE_SPLIT - 1, 2, 64],
    [4, 5, 2, EDGE_SPLIT, 0, 64],
    [13, 36, 1, EDGE_SPLIT + 1, 0, 64],
    [2, 6, 2, 2 * EDGE_SPLIT + 17, 0, 64],
    // Fewer lanes than sums, a number that is no power of two, and the most that every device allows.
    [5, 6, 1, 131, 0, 8],
    [5, 6, 1, 131, 0, 48],
    [5, 6, 2, 2 * EDGE_SPLIT + 17, 0, 256],
    // As products of matrices: 0 lanes. One source, one slot, q, k and v apart and side by side, more than one product in k.
    [1, 1, 1, 4, 0, 0],
    [1, 9, 2, 64, 3, 0],
    [13, 36, 3, 132, 0, 0],
    [17, 1, 2, 2048, 1, 0],
    [5, 6, 2, PRODUCT_SPLIT + 20, 0, 0],
  ])(
    '%i sources × %i slots, %i examples of %i (and %i), %i lanes',
    async (sources, slots, examples, inner, extra, lanes) => {
      const gpu = await testGpu();
      const heads = slots % 3 === 0 ? slots / 3 : slots;
      const form = {
        sources,
        slots,
        examples,
        inner,
        rows: sources + 3,
        columns: 3 * (heads + 2) + slots,
        row: 2,
        column: 1,
        run: heads,
        stride: heads + 2,
      };
      const delta = random.normals((sources + extra) * examples * inner);
      const gradient = random.normals(slots * examples * inner);
      const before = random.normals(examples * form.rows * form.columns);
      using step = gpu.step();
      const canaries = withCanaries(step);
      if (lanes > 0) withWorkgroup(step, lanes);
      const scores = fromData(step, f32(before), [examples, form.rows, form.columns]);
      const tensors = {
        delta: fromData(step, f32(delta), [sources + extra, examples, inner]),
        gradient: fromData(step, f32(gradient), [slots, examples, inner]),
      };
      edgeScores(step, scores, tensors.delta, tensors.gradient, {
        row: 2,
        column: 1,
        sources,
        run: heads,
        stride: heads + 2,
        products: lanes === 0,
      });
      const [got] = (await canaries.read([scores])) as [Float32Array];
      expectClose(got, referenceEdgeScores.edgeScores(delta, gradient, before, form), {
        kernel: lanes === 0 ? 'edge scores by products' : 'edge_scores_partial + edge_scores_sum',
        case: `${sources}×${slots}×${examples}×${inner}, WG ${lanes}`,
        n: inner,
      });
    },
  );

  it('as products are the same where q, k and v lie side by side', async () => {
    const gpu = await testGpu();
    const [delta, gradient] = [f32(random.normals(4 * 2 * 24)), f32(random.normals(6 * 2 * 24))];
    using step = gpu.step();
    const of = (run: number, stride: number): Promise<Float32Array> => {
      const scores = fromData(step, new Float32Array(2 * 4 * 6), [2, 4, 6]);
      const [d, g] = [fromData(step, delta, [4, 2, 24]), fromData(step, gradient, [6, 2, 24])];
      edgeScores(step, scores, d, g, { row: 0, column: 0, run, stride, products: true });
      return readFloats(step, scores);
    };
    const [whole, apart] = await Promise.all([of(6, 6), of(2, 2)]);
    expectSameBits(whole, apart, 'edge scores in runs');
  });

  it.each([
    { products: false, split: EDGE_SPLIT },
    { products: true, split: PRODUCT_SPLIT },
  ])(
    'do not depend on the padding behind an example, bit for bit; products: $products',
    async ({ products, split }) => {
      const gpu = await testGpu();
      const [short, long] = [split - 100, 2 * split + 300];
      const delta = f32(random.normals(5 * short));
      const gradient = f32(random.normals(6 * short));
      const run = async (inner: number): Promise<Float32Array> => {
        using step = gpu.step();
        const pad = (x: Float32Array, rows: number): Float32Array => {
          const y = new Float32Array(rows * inner);
          for (let r = 0; r < rows; r++) y.set(x.subarray(r * short, (r + 1) * short), r * inner);
          return y;
        };
        const scores = fromData(step, new Float32Array(30), [1, 5, 6]);
        const d = fromData(step, pad(delta, 5), [5, 1, inner]);
        edgeScores(step, scores, d, fromData(step, pad(gradient, 6), [6, 1, inner]), { row: 0, column: 0, products });
        return readFloats(step, scores);
      };
      expectSameBits(await run(short), await run(long), 'edge scores with padding');
    },
  );

  it('refuses blocks that do not fit', async () => {
    const gpu = await testGpu();
    using step = gpu.step();
    const zeros = (...shape: number[]) => fromData(step, new Float32Array(shape.reduce((a, b) => a * b)), shape);
    const call = (row: number, column: number, sources: number): void =>
      edgeScores(step, zeros(2, 4, 5), zeros(3, 2, 7), zeros(2, 2, 7), { row, column, sources });
    expect(() => call(0, 0, 3)).not.toThrow();
    for (const [row, column, sources] of [
      [2, 0, 3],
      [0, 4, 3],
      [0, 0, 4],
      [0, 0, 0],
    ] as const)
      expect(() => call(row, column, sources)).toThrow(expect.objectContaining({ code: 'tensor/shape' }));
  });
});

describe('circuit kernels', () => {
  it.each([
    ['one row of nothing', [[]]],
    ['rows of no, one and many edges', [[], [0], [1, 2, 0, 4], [3, 3]]],
    ['rows that subtract', [[~0], [1, ~1, 2], [~4, 3, ~3, 0], []]],
    ['many rows', Array.from({ length: 67 }, (_, r) => Array.from({ length: r % 5 }, (_, e) => (r * 7 + e) % 5))],
  ])('slots: %s', async (name, edges) => {
    const gpu = await testGpu();
    const [B, T, C] = [2, 3, 11];
    const base = random.normals(B * T * C);
    const changes = random.normals(5 * B * T * C);
    using step = gpu.step();
    const canaries = withCanaries(step);
    const slots = circuitSlots(
      step,
      fromData(step, f32(base), [B, T, C]),
      fromData(step, f32(changes), [5, B, T, C]),
      edges,
    );
    expect(slots.shape).toEqual([edges.length, B, T, C]);
    const [got] = (await canaries.read([slots])) as [Float32Array];
    expectClose(got, referenceEdgeScores.circuitSlots(base, changes, edges), {
      kernel: 'circuit_slots',
      case: name,
      n: 6,
    });
  });

  it.each([
    [1, 0, 0],
    [3, 2, 1],
    [4, 1, 2],
  ])('changes: %i rows from node %i against reference %i', async (rows, node, which) => {
    const gpu = await testGpu();
    const [B, T, C] = [1, 5, 13];
    const inner = B * T * C;
    const before = random.normals(6 * inner);
    const output = random.normals(rows * inner);
    const reference = random.normals(3 * inner);
    using step = gpu.step();
    const canaries = withCanaries(step);
    const changes = fromData(step, f32(before), [6, B, T, C]);
    circuitChanges(step, changes, node, fromData(step, f32(output), [rows * B, T, 1, C]), {
      tensor: fromData(step, f32(reference), [3, B, T, C]),
      which,
    });
    const [got] = (await canaries.read([changes])) as [Float32Array];
    expectClose(got, referenceEdgeScores.circuitChanges(before, output, reference, { inner, node, which }), {
      kernel: 'circuit_changes',
      case: `${rows} rows from ${node}`,
      n: 2,
    });
  });

  it('refuse edges and rows that do not exist', async () => {
    const gpu = await testGpu();
    using step = gpu.step();
    const zeros = (...shape: number[]) => fromData(step, new Float32Array(shape.reduce((a, b) => a * b)), shape);
    for (const row of [4, ~4, 0.5])
      expect(() => circuitSlots(step, zeros(1, 2, 3), zeros(4, 1, 2, 3), [[row]])).toThrow(
        expect.objectContaining({ code: 'tensor/shape' }),
      );
    expect(() => circuitChanges(step, zeros(2, 6), 1, zeros(2, 6), { tensor: zeros(1, 6), which: 0 })).toThrow(
      expect.objectContaining({ code: 'tensor/shape' }),
    );
  });
});
