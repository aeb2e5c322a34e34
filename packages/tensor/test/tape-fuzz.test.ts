// Random graphs: the tape's gradient at a leaf or a captured site agrees with a float64 tangent pushed forward from there.
import { describe, expect, it } from 'vitest';
import type { Step } from '@limn/gpu';
import { recordResult, referenceRandom, testGpu, type ReferenceRandom } from '@limn/testing';
import {
  add,
  addScaled,
  concat,
  fromData,
  gradients,
  identity,
  mul,
  permute,
  readFloats,
  reshape,
  scale,
  sigmoid,
  slice,
  split,
  tanh,
  type Tensor,
} from '../src/index.js';

/** Every tensor of the graph is [4, 6]. */
const [rows, columns] = [4, 6];
const size = rows * columns;

/** One node: how the GPU makes it, and value and tangent in float64. */
interface Move {
  readonly inputs: number;
  gpu(step: Step, inputs: readonly Tensor[]): Tensor;
  cpu(inputs: readonly Float64Array[]): Float64Array;
  /** Directional derivative given values and tangents. */
  push(inputs: readonly Float64Array[], tangents: readonly Float64Array[]): Float64Array;
}

/** A linear map of one input. */
const linear = (gpu: Move['gpu'], cpu: (x: Float64Array) => Float64Array): Move => ({
  inputs: 1,
  gpu,
  cpu: ([x]) => cpu(x!),
  push: (_x, [t]) => cpu(t!),
});
const pick = (from: (at: number) => number) => (x: Float64Array) => x.map((_, at) => x[from(at)]!);
const sigma = (x: number) => 1 / (1 + Math.exp(-x));

const moves: Move[] = [
  linear(
    (_step, [x]) => identity(x!, 'site'),
    (x) => x,
  ),
  linear(
    (_step, [x]) => reshape(reshape(x!, [size]), [rows, columns]),
    (x) => x,
  ),
  linear(
    (step, [x]) => scale(step, x!, -0.75),
    (x) => x.map((v) => -0.75 * v),
  ),
  linear(
    (step, [x]) => reshape(permute(step, x!, [1, 0]), [rows, columns]),
    pick((at) => (at % rows) * columns + Math.floor(at / rows)),
  ),
  linear(
    (step, [x]) => concat(step, [slice(step, x!, 0, 2, 2), slice(step, x!, 0, 0, 2)], 0),
    pick((at) => (at + size / 2) % size),
  ),
  linear(
    (step, [x]) => concat(step, [...split(step, x!, 1, [1, 2, 3])].reverse(), 1),
    pick((at) => Math.floor(at / columns) * columns + [3, 4, 5, 1, 2, 0][at % columns]!),
  ),
  {
    inputs: 1,
    gpu: (step, [x]) => sigmoid(step, x!),
    cpu: ([x]) => x!.map(sigma),
    push: ([x], [t]) => t!.map((v, i) => v * sigma(x![i]!) * (1 - sigma(x![i]!))),
  },
  {
    inputs: 1,
    gpu: (step, [x]) => tanh(step, x!),
    cpu: ([x]) => x!.map(Math.tanh),
    push: ([x], [t]) => t!.map((v, i) => v * (1 - Math.tanh(x![i]!) ** 2)),
  },
  {
    inputs: 2,
    gpu: (step, [a, b]) => add(step, a!, b!),
    cpu: ([a, b]) => a!.map((v, i) => v + b![i]!),
    push: (_x, [a, b]) => a!.map((v, i) => v + b![i]!),
  },
  {
    inputs: 2,
    gpu: (step, [a, b]) => addScaled(step, a!, b!, 0.5),
    cpu: ([a, b]) => a!.map((v, i) => v + 0.5 * b![i]!),
    push: (_x, [a, b]) => a!.map((v, i) => v + 0.5 * b![i]!),
  },
  {
    inputs: 2,
    gpu: (step, [a, b]) => tanh(step, mul(step, a!, b!)),
    cpu: ([a, b]) => a!.map((v, i) => Math.tanh(v * b![i]!)),
    push: ([a, b], [s, t]) => a!.map((v, i) => (1 - Math.tanh(v * b![i]!) ** 2) * (s![i]! * b![i]! + v * t![i]!)),
  },
];

/** A graph as a list: two leaves, then moves on earlier nodes, recent ones more often. */
function makeGraph(random: ReferenceRandom, length: number): { move: Move; from: number[] }[] {
  return Array.from({ length }, (_, at) => {
    const move = moves[random.next() % moves.length]!;
    const nodes = at + 2;
    const from = Array.from({ length: move.inputs }, () =>
      random.uniform() < 0.6 ? Math.max(0, nodes - 1 - (random.next() % 3)) : random.next() % nodes,
    );
    return { move, from };
  });
}

describe('random graphs', () => {
  const graphs = process.env['LIMN_LONG'] === '1' ? 400 : 25;
  it(`${graphs} of them`, async () => {
    const gpu = await testGpu();
    let targetsChecked = 0;
    let largest = 0;
    for (let seed = 0; seed < graphs; seed += 1) {
      const random = referenceRandom(1000 + seed);
      const graph = makeGraph(random, 5 + (random.next() % 25));
      const leaves = [random.normals(size), random.normals(size)];
      const values = [...leaves];
      for (const { move, from } of graph) values.push(move.cpu(from.map((node) => values[node]!)));

      using step = gpu.step({ label: `graph ${seed}` });
      const tensors = leaves.map((leaf) => fromData(step, Float32Array.from(leaf), [rows, columns]));
      for (const { move, from } of graph)
        tensors.push(
          move.gpu(
            step,
            from.map((node) => tensors[node]!),
          ),
        );
      // Two roots: the last node and one in the middle.
      const roots = [tensors.length - 1, 2 + (random.next() % graph.length)];
      const seeds = roots.map(() => random.normals(size));
      const targets = [...tensors.keys()].filter((node) => node < 2 || random.uniform() < 0.4);
      const grads = gradients(
        step,
        roots.map((root) => tensors[root]!),
        seeds.map((values) => fromData(step, Float32Array.from(values), [rows, columns])),
        targets.map((node) => tensors[node]!),
        { missing: 'zeros' },
      );
      const results = await Promise.all(grads.map((gradient) => readFloats(step, gradient)));
      for (const [place, node] of targets.entries()) {
        const direction = random.normals(size);
        // A tangent that starts at this node alone.
        const tangents = values.map((_, at) => (at === node ? direction : new Float64Array(size)));
        graph.forEach(({ move, from }, at) => {
          if (at + 2 !== node)
            tangents[at + 2] = move.push(
              from.map((each) => values[each]!),
              from.map((each) => tangents[each]!),
            );
        });
        let expected = 0;
        let magnitude = 0;
        roots.forEach((root, which) =>
          seeds[which]!.forEach((value, i) => {
            expected += value * tangents[root]![i]!;
          }),
        );
        let got = 0;
        results[place]!.forEach((value, i) => {
          got += value * direction[i]!;
          magnitude += Math.abs(value * direction[i]!);
        });
        // At most 30 nodes of a few roundings each (tanh and sigmoid a few ULP more), relative to what was summed.
        const allowed = 30 * 16 * 2 ** -24 * (magnitude + 1);
        expect(Math.abs(got - expected), `graph ${seed}, node ${node}: ${got} against ${expected}`).toBeLessThan(
          allowed,
        );
        targetsChecked += 1;
        largest = Math.max(largest, Math.abs(got - expected) / allowed);
      }
    }
    expect(targetsChecked).toBeGreaterThan(3 * graphs);
    recordResult('random graphs', { graphs, gradients: targetsChecked, 'largest error / bound': largest });
  });
});
