// Exact patching by its definition and by its work; and gradient scores against it, which they approximate: for small changes of the input, every q, k and v slot agrees.
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import type { Gpt2 } from '@limn/gpt2';
import { referenceEap, referenceRandom, testGpu, ToyModel } from '@limn/testing';
import {
  agreement,
  buildGraph,
  Circuit,
  eap,
  eapIgInputs,
  evaluateCircuits,
  exactCost,
  exactEdges,
  exactSweep,
  logitDiff,
  sampleEdges,
} from '../src/index.js';
import type { EdgeSubset, Metric, Pair, Scores } from '../src/index.js';
import { AWKWARD, awkwardPairs, gpt2Of } from './models.js';
import { NO_POCKET, openPocket, POCKET } from './pocket.js';
import { generatePairs } from '@limn/tasks';

describe('the work of exact patching', () => {
  const sizes = { layers: 3, heads: 2, width: 8, headWidth: 4, mlpWidth: 9, vocabulary: 23, positions: 7 };
  const graph = buildGraph({ ...sizes, block: 'sequential' });
  const [pair] = awkwardPairs(4, sizes).slice(3) as [Pair];
  let model: Gpt2;
  beforeAll(async () => {
    model = await gpt2Of(referenceEap.randomModel(sizes, 3));
  });
  afterAll(() => model.dispose());

  const counted = async (of: Gpt2, memoryBytes?: number) => {
    of.gpu.counters.reset();
    const { values } = await exactEdges(of, [pair], { metric: logitDiff, memoryBytes });
    const { submits, dispatches } = of.gpu.counters.snapshot();
    return { values, submits, dispatches };
  };

  it('is a step per layer for its heads and one for its MLP, one for the logits; the number of heads changes no dispatch', async () => {
    // Sizes in fours, and heads of four and more: nothing is copied to be aligned.
    const roomy = { ...sizes, width: 16, headWidth: 8, mlpWidth: 12 };
    const [two, four] = [
      await gpt2Of(referenceEap.randomModel(roomy, 3)),
      await gpt2Of(referenceEap.randomModel({ ...roomy, heads: 4, headWidth: 4 }, 3)),
    ] as const;
    const { values, submits, dispatches } = await counted(two);
    expect(submits).toBe(2 + 2 * 3 + 1); // the weights and the clean run before them
    expect(dispatches).toBe(315);
    const more = await counted(four);
    expect(more.submits).toBe(submits);
    // W_O of two more heads in each of three layers is cut out and put together.
    expect(more.dispatches).toBe(dispatches + 2 * 2 * 3);
    expect((await counted(two)).values).toEqual(values); // the same bits
    [two, four].forEach((each) => each.dispose());
  });

  it('is the same where a budget holds only some heads or inputs of one source', async () => {
    const whole = await counted(model);
    const tight = await counted(model, 6_500); // what is kept takes 6,272
    expect(tight.submits).toBe(2 + 63); // for 100 edges
    for (const { u, v } of graph.edges()) {
      const i = graph.dense(u, v);
      // differences of losses of about 5: 5e-7 each
      expect(Math.abs((tight.values[i] as number) - (whole.values[i] as number)), graph.edgeName(u, v)).toBeLessThan(
        2e-6,
      );
    }
  });
});

describe('some edges only', () => {
  const sizes = { layers: 3, heads: 3, width: 48, headWidth: 16, mlpWidth: 200, vocabulary: 300, positions: 9 };
  const graph = buildGraph({ ...sizes, block: 'sequential' });
  const [pair] = awkwardPairs(1, sizes) as [Pair];
  const pairs: readonly Pair[] = [pair, { ...pair, clean: [...pair.clean].reverse() }];
  let model: Gpt2;
  let whole: Work;
  beforeAll(async () => {
    model = await gpt2Of(referenceEap.randomModel(sizes, 3));
    whole = await work();
  });
  afterAll(() => model.dispose());

  interface Work {
    readonly values: Float64Array;
    readonly submits: number;
    /** Logits read, of patched runs and the clean one. */
    readonly rows: number;
    /** Of the steps with patched runs, as they were planned. */
    readonly flops: number;
    readonly told: { readonly done: number; readonly total: number };
  }
  async function work(edges?: EdgeSubset): Promise<Work> {
    let [rows, flops] = [0, 0];
    let told = { done: 0, total: 0 };
    const metric: Metric = {
      ...logitDiff,
      loss: (step, logits, ...more) => ((rows += logits.shape[0] ?? 0), logitDiff.loss(step, logits, ...more)),
    };
    const open = model.gpu.step.bind(model.gpu);
    const spy = vi.spyOn(model.gpu, 'step').mockImplementation((options) => {
      const step = open(options);
      const report = step.plan.bind(step);
      step.plan = () => {
        const plan = report();
        flops += plan.flops;
        return plan;
      };
      return step;
    });
    model.gpu.counters.reset();
    try {
      const { values } = await exactEdges(model, pairs, { metric, edges, onProgress: (progress) => (told = progress) });
      return { values, submits: model.gpu.counters.snapshot().submits, rows, flops, told };
    } finally {
      spy.mockRestore();
    }
  }

  /** Norms, activations, sums, softmax and copies are besides what is told: 2 to 8 % at a width of 48. */
  function expectAsTold({ flops, told }: Work, edges?: EdgeSubset): void {
    const cost = exactCost(model.info, pairs, { edges });
    expect(told).toMatchObject({ done: cost.patchedRuns, total: cost.patchedRuns });
    expect(flops / cost.flops).toBeGreaterThan(1);
    expect(flops / cost.flops).toBeLessThan(1.1);
  }

  it('are all edges where none are named', () => {
    expect(whole.rows).toBe(pairs.length * (1 + graph.edgeCount));
    expect(whole.submits).toBe(2 + 2 * sizes.layers + 1);
    expectAsTold(whole);
  });

  it.each([1, 12, 40, 110])("are scored as in the full sweep, the others not, by %i edges' work", async (n) => {
    const edges = sampleEdges(graph, n, { seed: 5 });
    expect(edges.edgeCount).toBe(n);
    const some = await work(edges);
    for (const { u, v } of graph.edges()) {
      const found = some.values[graph.dense(u, v)] as number;
      if (!edges.has(u, v)) expect(found, graph.edgeName(u, v)).toBeNaN();
      // The same sums in kernels that are chosen by the number of rows: f32 round-off of losses of about 5.
      else
        expect(Math.abs(found - (whole.values[graph.dense(u, v)] as number)), graph.edgeName(u, v)).toBeLessThan(2e-6);
    }
    expect(some.rows).toBe(pairs.length * (1 + n));
    expect(some.told.total).toBe(pairs.length * n);
    expectAsTold(some, edges);
    const places = new Set([...edges.edges()].map(({ v }) => graph.slotName(v).replace(/\..*/, '')));
    expect(some.submits).toBe(2 + places.size); // the weights and the clean run before them
  });

  it('may be a list, and must be edges of this model', async () => {
    const edges = sampleEdges(graph, 12, { seed: 5 });
    expect((await work([...edges.edges()].reverse())).values).toEqual((await work(edges)).values); // the same bits
    await expect(work([{ u: 3, v: 0 }])).rejects.toMatchObject({ code: 'data/unknown-edge' });
    const other = buildGraph({ ...sizes, heads: 4, block: 'sequential' });
    await expect(work(Circuit.full(other))).rejects.toMatchObject({ code: 'data/graph-mismatch' });
    expect((await work([])).values.every(Number.isNaN)).toBe(true);
  });
});

it('is the full circuit without the edge, in a parallel block as well', async () => {
  const toy = new ToyModel(await testGpu(), {
    layers: 2,
    heads: 2,
    headWidth: 5,
    mlpWidth: 11,
    vocabulary: 29,
    maxPositions: 9,
  });
  const graph = buildGraph(toy.info);
  const pairs = awkwardPairs(2, { ...AWKWARD, vocabulary: 29 });
  const { values } = await exactEdges(toy, pairs, { metric: logitDiff });
  const edges = [...graph.edges()];
  const without = edges.map((one) => Circuit.where(graph, (u, v) => u !== one.u || v !== one.v));
  const { clean, circuits } = await evaluateCircuits(toy, without, pairs, { metrics: [logitDiff] });
  for (const [n, { u, v }] of edges.entries()) {
    const lost = (clean.mean['logit-diff'] as number) - (circuits[n]?.mean['logit-diff'] as number);
    expect(Math.abs((values[graph.dense(u, v)] as number) - lost), graph.edgeName(u, v)).toBeLessThan(2e-6);
  }
  expect(Math.max(...values.map((x) => (Number.isNaN(x) ? 0 : Math.abs(x))))).toBeGreaterThan(1e-3);
  const some = sampleEdges(graph, 15, { seed: 1 });
  const { values: sampled } = await exactEdges(toy, pairs, { metric: logitDiff, edges: some });
  for (const { u, v } of some.edges()) {
    const i = graph.dense(u, v);
    expect(Math.abs((sampled[i] as number) - (values[i] as number)), graph.edgeName(u, v)).toBeLessThan(2e-6);
  }
});

describe('every q, k and v slot of 3 heads of 24 against exact patching', () => {
  // Token embeddings that differ little: then the change of the loss is its first order, with a remainder in proportion.
  const random = referenceRandom(23);
  const sizes = { ...AWKWARD, positions: 11 };
  const base = referenceEap.randomModel(sizes, 12);
  const shared = random.normals(sizes.width);
  const near = random
    .normals(sizes.vocabulary * sizes.width, 0.02)
    .map((x, i) => Math.fround((shared[i % sizes.width] ?? 0) + x));
  const graph = buildGraph({ ...sizes, block: 'sequential' });
  const pairs: readonly Pair[] = awkwardPairs(12, sizes)
    .filter(({ clean }) => clean.length > 2)
    .slice(0, 8);
  let model: Gpt2;
  let scores: Scores;
  let exact: Scores;
  beforeAll(async () => {
    model = await gpt2Of({ ...base, embed: near });
    scores = await eap(model, pairs, { metric: logitDiff });
    exact = await exactEdges(model, pairs, { metric: logitDiff });
  });
  afterAll(() => model.dispose());

  it.each(['q', 'k', 'v'] as const)('%s', (input) => {
    expect(pairs).toHaveLength(8);
    for (let layer = 0; layer < sizes.layers; layer++) {
      const edges = Array.from({ length: sizes.heads }, (_, head) =>
        graph.backwardIndex({ kind: 'head', layer, head, input }),
      ).flatMap((v) => Array.from({ length: graph.prev(v) }, (_, u) => ({ u, v })));
      const [approximate, patched] = [scores, exact].map(({ values }) =>
        edges.map(({ u, v }) => values[graph.dense(u, v)] ?? Number.NaN),
      ) as [number[], number[]];
      const largest = Math.max(...patched.map(Math.abs));
      expect(largest).toBeGreaterThan(5e-5); // far above the 1e-6 of differences of f32 losses
      for (const [i, { u, v }] of edges.entries())
        // The remainder is in proportion to the change itself, two hundredths of the stream: 2 % here.
        expect(
          Math.abs((approximate[i] ?? Number.NaN) - (patched[i] ?? Number.NaN)),
          graph.edgeName(u, v),
        ).toBeLessThan(0.05 * largest);
    }
  });
});

describe('pocket', () => {
  it.for(['sva', 'ioi'])(
    'EAP-IG agrees with exact patching on 8 held-out pairs of %s, at q, k and v alike',
    async (task, context) => {
      context.skip(!POCKET, NO_POCKET);
      context.skip(task !== 'sva' && process.env['LIMN_LONG'] !== '1', 'LIMN_LONG=1 takes longer prompts as well');
      const model = await openPocket();
      const pairs = generatePairs(task, { seed: 5, n: 8, split: 'held-out' });
      const scores = await eapIgInputs(model, pairs, { metric: logitDiff, steps: 5, rule: 'midpoint' });
      const [exact] = (await exactSweep(model, pairs, { metrics: [logitDiff] })) as [Scores];
      const { graph } = exact;
      for (const input of ['q', 'k', 'v'] as const) {
        const only = ({ values }: Scores): Scores => ({
          graph,
          values: values.map((x, i) => {
            const slot = graph.slots[i % graph.nBackward];
            return slot?.kind === 'head' && slot.input === input ? x : Number.NaN;
          }),
        });
        // The paper finds r = .88 to .98 with the absolute scores of GPT-2's tasks; here they are .93 to .999; a swapped slot has none.
        expect(agreement(only(scores), only(exact)).pearson ?? 0, input).toBeGreaterThan(0.85);
      }
      model.dispose();
    },
  );
});
