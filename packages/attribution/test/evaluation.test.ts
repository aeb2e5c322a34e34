// Circuits on the GPU: golden faithfulness, the float64 reference, the sparse form against the dense one, and what is not computed.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Gpt2 } from '@limn/gpt2';
import { scale, tokenBatch, type HookedModel, type Intervention } from '@limn/hooks';
import { referenceEap, referenceRandom, testGpu, ToyModel } from '@limn/testing';
import { readFloats } from '@limn/tensor';
import {
  Circuit,
  METRICS,
  OutputWeights,
  buildGraph,
  evaluateCircuits,
  logitDiff,
  normalisedFaithfulness,
  recordNodeOutputs,
  restrictToCircuit,
} from '../src/index.js';
import type { Graph, Pair } from '../src/index.js';
import { golden, toyGraph } from './golden.js';
import { AWKWARD, awkwardPairs, gpt2Of } from './models.js';

const { TOY_PAIR, circuitMetric, randomModel, waveModel } = referenceEap;
const random = referenceRandom(77);

function randomCircuits(graph: Graph, densities: readonly number[]): Circuit[] {
  return densities.map((density) => Circuit.where(graph, () => random.uniform() < density));
}

describe('the golden toy', () => {
  let model: Gpt2;
  beforeAll(async () => {
    model = await gpt2Of(waveModel());
  });
  afterAll(() => model.dispose());

  it('has the faithfulness of every golden circuit, in one call', async () => {
    const keys = Object.keys(golden.circuits);
    const circuits = keys.map((key) => Circuit.ofEdges(toyGraph, golden.circuits[key]?.edges ?? []));
    const {
      clean,
      empty,
      circuits: got,
    } = await evaluateCircuits(model, circuits, [TOY_PAIR], { metrics: [logitDiff] });
    expect(clean.mean['logit-diff']).toBeCloseTo(-golden.loss_clean, 5);
    expect(empty.mean['logit-diff']).toBeCloseTo(-golden.loss_corrupt, 5);
    for (const [i, key] of keys.entries()) {
      const f = normalisedFaithfulness(
        got[i]?.mean['logit-diff'] ?? Number.NaN,
        -golden.loss_clean,
        -golden.loss_corrupt,
      ).value;
      // The denominator is 0.0063: logits of 2, good to 2 · 2⁻²³, give f to 1e-4 at best.
      expect(Math.abs((f ?? Number.NaN) - (golden.circuits[key]?.faith ?? Number.NaN)), key).toBeLessThan(5e-4);
    }
  });

  it('has the golden loss with everything ablated by zero', async () => {
    const { empty, circuits } = await evaluateCircuits(model, [Circuit.empty(toyGraph)], [TOY_PAIR], {
      metrics: [logitDiff],
      ablation: 'zero',
    });
    const { zero_ablation_all_out_loss: want } = golden as unknown as { zero_ablation_all_out_loss: number };
    expect(-(empty.mean['logit-diff'] ?? Number.NaN)).toBeCloseTo(want, 5);
    expect(-(circuits[0]?.mean['logit-diff'] ?? Number.NaN)).toBeCloseTo(want, 5);
  });
});

describe('a random model', () => {
  const reference = randomModel(AWKWARD, 9);
  const pairs = awkwardPairs(4);
  const graph = buildGraph({ ...AWKWARD, block: 'sequential' });
  let model: Gpt2;
  beforeAll(async () => {
    model = await gpt2Of(reference);
  });
  afterAll(() => model.dispose());

  it('gives what the dense definition gives in float64, for three metrics at once', async () => {
    const circuits = randomCircuits(graph, [0.1, 0.4, 0.9]);
    const { circuits: got } = await evaluateCircuits(model, circuits, pairs, { metrics: METRICS });
    for (const [c, circuit] of circuits.entries())
      for (const metric of METRICS) {
        const want = circuitMetric(reference, pairs, metric.name as referenceEap.EapMetric, (u, v) =>
          circuit.has(u, v),
        );
        // f32 round-off of logits of about 10 through two layers.
        expect(Math.abs((got[c]?.mean[metric.name] ?? Number.NaN) - want), `${metric.name} ${c}`).toBeLessThan(2e-5);
      }
  });

  it('ablated by zero, keeps positions and biases: the full circuit is the clean run', async () => {
    const circuits = [Circuit.full(graph), Circuit.empty(graph), ...randomCircuits(graph, [0.5])];
    const zero = await evaluateCircuits(model, circuits, pairs, { metrics: [logitDiff], ablation: 'zero' });
    const values = [...zero.circuits, zero.empty].map(({ perExample }) => [...(perExample['logit-diff'] ?? [])]);
    const apart = (a: number, b: readonly number[] = []): number =>
      Math.max(...(values[a] ?? []).map((x, i) => Math.abs(x - (b[i] ?? Number.NaN))));
    // f32 round-off of logits of about 10, as above.
    expect(apart(0, [...(zero.clean.perExample['logit-diff'] ?? [])])).toBeLessThan(2e-5);
    expect(apart(1, values[3])).toBeLessThan(2e-5);
    expect(Math.min(apart(2, values[0]), apart(2, values[1]))).toBeGreaterThan(1e-2);
  });

  it('does not depend on batch size, memory budget or company', async () => {
    const circuits = randomCircuits(graph, [0.2, 0.6, 0.3]);
    const whole = await evaluateCircuits(model, circuits, pairs, { metrics: [logitDiff] });
    const alone = await evaluateCircuits(model, circuits.slice(1, 2), pairs, { metrics: [logitDiff], batchSize: 1 });
    const tight = await evaluateCircuits(model, circuits, pairs, {
      metrics: [logitDiff],
      memoryBytes: 1e6,
      batchSize: 3,
    });
    for (const [b, value] of (alone.circuits[0]?.perExample['logit-diff'] ?? []).entries())
      expect(Math.abs(value - (whole.circuits[1]?.perExample['logit-diff']?.[b] ?? Number.NaN))).toBeLessThan(2e-5);
    for (const [c, values] of tight.circuits.entries())
      expect(
        Math.abs((values.mean['logit-diff'] ?? Number.NaN) - (whole.circuits[c]?.mean['logit-diff'] ?? Number.NaN)),
      ).toBeLessThan(2e-5);
  });

  it('never computes a node without a kept edge out', async () => {
    const dispatches = async (circuit: Circuit): Promise<number> => {
      const before = model.gpu.counters.snapshot().dispatches;
      await evaluateCircuits(model, [circuit], pairs, { metrics: [logitDiff] });
      return model.gpu.counters.snapshot().dispatches - before;
    };
    const none = await dispatches(Circuit.empty(graph));
    const one = await dispatches(Circuit.ofEdges(graph, ['input->a0.h1<v>', 'a0.h1->logits']));
    const stranded = await dispatches(Circuit.ofEdges(graph, ['input->a0.h1<v>', 'input->m0', 'a0.h1->m1']));
    const two = await dispatches(
      Circuit.ofEdges(graph, ['input->a0.h1<v>', 'a0.h1->logits', 'input->a1.h2<k>', 'a1.h2->logits']),
    );
    expect(stranded).toBe(none);
    expect(one).toBeGreaterThan(none);
    expect(two - one).toBe(one - none);
  });

  it('stops when asked and refuses a circuit of another model', async () => {
    await expect(
      evaluateCircuits(model, [Circuit.full(graph)], pairs, { metrics: [logitDiff], signal: AbortSignal.abort() }),
    ).rejects.toThrow(expect.objectContaining({ code: 'aborted' }));
    await expect(evaluateCircuits(model, [Circuit.full(toyGraph)], pairs, { metrics: [logitDiff] })).rejects.toThrow(
      expect.objectContaining({ code: 'data/graph-mismatch' }),
    );
    await expect(
      evaluateCircuits(model, [Circuit.full(graph)], pairs, { metrics: [logitDiff], memoryBytes: 1000 }),
    ).rejects.toThrow(expect.objectContaining({ code: 'memory/over-budget' }));
  });
});

/** Losses [B] of the clean prompts with the circuit as interventions, behind edits of their own. */
async function denseLosses(
  model: HookedModel,
  circuit: Circuit,
  pairs: readonly Pair[],
  edits: readonly Intervention[] = [],
): Promise<Float32Array> {
  const weights = await OutputWeights.of(model);
  using step = model.gpu.step();
  const ablated = recordNodeOutputs(
    step,
    model,
    weights,
    pairs.map((pair) => pair.corrupted),
  );
  const run = model.run(
    step,
    {
      tokens: tokenBatch(
        pairs.map((pair) => pair.clean),
        model.info,
      ),
    },
    { interventions: [...edits, ...restrictToCircuit(circuit, ablated)], logits: 'last' },
  );
  const losses = await readFloats(step, logitDiff.loss(step, run.logits, pairs, undefined));
  weights.dispose();
  return losses;
}

describe.each([
  ['GPT-2', async () => ({ model: await gpt2Of(randomModel(AWKWARD, 9)), pairs: awkwardPairs(3) })],
  [
    'a parallel RMSNorm model',
    async () => ({
      model: new ToyModel(await testGpu(), {
        layers: 2,
        heads: 2,
        headWidth: 5,
        mlpWidth: 11,
        vocabulary: 29,
        maxPositions: 13,
      }),
      pairs: awkwardPairs(3, { ...AWKWARD, vocabulary: 29 }),
    }),
  ],
])('the two forms of a circuit on %s', (_, open) => {
  it('agree on random circuits', async () => {
    const { model, pairs } = (await open()) as { model: HookedModel & { dispose?(): void }; pairs: readonly Pair[] };
    const graph = buildGraph(model.info);
    const circuits = [...randomCircuits(graph, [0.1, 0.5, 0.9]), Circuit.empty(graph), Circuit.full(graph)];
    const { circuits: sparse } = await evaluateCircuits(model, circuits, pairs, { metrics: [logitDiff] });
    for (const [c, circuit] of circuits.entries()) {
      const dense = await denseLosses(model, circuit, pairs);
      for (const [b, loss] of dense.entries())
        expect(
          Math.abs((sparse[c]?.perExample['logit-diff']?.[b] ?? Number.NaN) + loss),
          `circuit ${c}, pair ${b}`,
        ).toBeLessThan(3e-5);
    }
    expect(restrictToCircuit(Circuit.full(graph), [])).toEqual([]);
    model.dispose?.();
  });

  it('an edit of a node reaches what its kept edges feed and nothing else; an edit that belongs to no node is refused', async () => {
    const { model, pairs } = (await open()) as { model: HookedModel & { dispose?(): void }; pairs: readonly Pair[] };
    const graph = buildGraph(model.info);
    const mlp = graph.forwardIndex('m0');
    const double = scale('blocks.0.hook_mlp_out', 2);
    const apart = (a: Float32Array, b: Float32Array): number => Math.max(...a.map((x, i) => Math.abs(x - (b[i] ?? 0))));
    const without = Circuit.where(graph, (u) => u !== mlp);
    const into = Circuit.where(graph, (u, v) => u !== mlp || v === graph.nBackward - 1);
    const cut = [await denseLosses(model, without, pairs), await denseLosses(model, without, pairs, [double])] as const;
    const kept = [await denseLosses(model, into, pairs), await denseLosses(model, into, pairs, [double])] as const;
    // With all its edges cut, z' − ẑ takes the doubled output off again: f32 round-off of streams of about 10.
    expect(apart(...cut)).toBeLessThan(3e-5);
    expect(apart(...kept)).toBeGreaterThan(1e-2);
    for (const at of ['blocks.1.hook_resid_pre', 'blocks.1.hook_attn_out'] as const)
      await expect(denseLosses(model, into, pairs, [scale(at, 2)])).rejects.toThrow(
        expect.objectContaining({ code: 'hooks/conflicting-sites' }),
      );
    model.dispose?.();
  });
});
