// Every ablation and every further scorer against float64: EAP-IG over activations, information-flow routes, node and neuron scores, scores per position, zero and means.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Gpt2 } from '@limn/gpt2';
import { readFloats } from '@limn/tensor';
import { referenceEap, testGpu, ToyModel } from '@limn/testing';
import {
  buildGraph,
  Circuit,
  cleanCorrupted,
  eap,
  eapIgActivations,
  eapIgInputs,
  evaluateCircuits,
  exactEdges,
  informationFlow,
  logitDiff,
  onlyOptionsOf,
  meanOutputs,
  METRICS,
  prune,
  scoreNodes,
} from '../src/index.js';
import type { Ablation, Graph, Pair } from '../src/index.js';
import { AWKWARD, awkwardPairs, gpt2Of } from './models.js';

const {
  circuitMetric,
  eapAblationScores,
  eapActivationScores,
  eapMeans,
  eapPath,
  exactScores,
  informationFlowScores,
  randomModel,
} = referenceEap;

const reference = randomModel(AWKWARD, 3);
const pairs = awkwardPairs(4);
/** Three pairs of five tokens: means for each position need one length. */
const equal = awkwardPairs(18).filter(({ clean }) => clean.length === 5);
const prompts = (of: readonly Pair[]) => of.map(({ corrupted }) => corrupted);
const graph = buildGraph({ ...AWKWARD, block: 'sequential' });

/** Within 1e-5 of the largest: see scoring.test.ts. */
function close(got: ArrayLike<number>, want: ArrayLike<number>, floor = 0): void {
  const largest = Math.max(
    ...Array.from(want)
      .filter((x) => !Number.isNaN(x))
      .map(Math.abs),
  );
  expect(largest).toBeGreaterThan(0);
  expect(got.length).toBe(want.length);
  for (let i = 0; i < want.length; i++)
    if (Number.isNaN(want[i])) expect(got[i]).toBeNaN();
    else expect(Math.abs((got[i] as number) - (want[i] as number)), `entry ${i}`).toBeLessThan(1e-5 * largest + floor);
}

let model: Gpt2;
beforeAll(async () => {
  model = await gpt2Of(reference);
});
afterAll(() => model.dispose());

describe('means of node outputs', () => {
  it('are those of float64, over positions of every prompt alike or position by position, for any batch size', async () => {
    for (const [of, positional] of [
      [pairs, false],
      [equal, true],
    ] as const) {
      const want = eapMeans(reference, prompts(of), positional);
      for (const batchSize of [1, 3]) {
        using means = await meanOutputs(model, prompts(of), { positional, batchSize });
        using step = model.gpu.step();
        expect(means.prompts).toBe(of.length);
        expect(means.positions).toBe(positional ? 5 : 1);
        const shape = [1, 5, AWKWARD.width];
        const row = await readFloats(step, means.at(step, 'blocks.1.hook_mlp_out', shape));
        const mean = want[1 + 2 * (AWKWARD.heads + 1) - 1] as Float64Array;
        close(
          row,
          Float64Array.from(row, (_, i) => mean[i % mean.length] as number),
        );
      }
    }
  });

  it('refuses no prompts, and lengths that differ where positions count', async () => {
    await expect(meanOutputs(model, [])).rejects.toThrow(expect.objectContaining({ code: 'data/mean-prompts' }));
    await expect(meanOutputs(model, prompts(pairs), { positional: true })).rejects.toThrow(
      expect.objectContaining({ code: 'data/mean-prompts' }),
    );
    using means = await meanOutputs(model, prompts(equal), { positional: true });
    for (const call of [
      () => eap(model, pairs, { metric: logitDiff, ablation: means }),
      () => exactEdges(model, pairs, { metric: logitDiff, ablation: means }),
      () => evaluateCircuits(model, [], pairs, { metrics: [logitDiff], ablation: means }),
    ])
      await expect(call()).rejects.toThrow(expect.objectContaining({ code: 'data/mean-length' }));
  });
});

describe('ablations', () => {
  it('EAP, EAP-IG over activations, exact patching and circuits take zero and both means', async () => {
    for (const [of, kind] of [
      [pairs, 'zero'],
      [pairs, 'mean'],
      [equal, 'mean-positional'],
    ] as const) {
      const few = of.slice(0, 2);
      const positional = kind === 'mean-positional';
      using means = await meanOutputs(model, prompts(of), { positional });
      const ablation: Ablation = kind === 'zero' ? 'zero' : means;
      const ours = kind === 'zero' ? 'zero' : eapMeans(reference, prompts(of), positional);
      const options = { metric: logitDiff, ablation };
      close((await eap(model, few, options)).values, eapAblationScores(reference, few, 'logit-diff', ours));
      close(
        (await eapIgActivations(model, few, { ...options, steps: 2 })).values,
        eapActivationScores(reference, few, 'logit-diff', eapPath(2, 'right'), ours),
      );
      const circuit = prune(Circuit.where(graph, (u, v) => (7 * u + 3 * v) % 5 !== 0));
      const [measured] = (await evaluateCircuits(model, [circuit], few, { metrics: METRICS, ablation })).circuits;
      for (const { name } of METRICS) {
        const want = circuitMetric(reference, few, name as referenceEap.EapMetric, (u, v) => circuit.has(u, v), ours);
        expect(Math.abs((measured?.mean[name] as number) - want), `${kind} ${name}`).toBeLessThan(
          1e-5 * Math.max(1, Math.abs(want)),
        );
      }
      if (kind === 'mean')
        // the one that no other test has
        close(
          (await exactEdges(model, few.slice(0, 1), options)).values,
          exactScores(reference, few.slice(0, 1), 'logit-diff', ours),
          1e-6,
        );
    }
  });

  it('a path between two prompts takes patching only; an unknown ablation is named', async () => {
    for (const call of [
      () => eapIgInputs(model, pairs, { metric: logitDiff, ablation: 'zero' }),
      () => cleanCorrupted(model, pairs, { metric: logitDiff, ablation: 'zero' }),
    ])
      await expect(call()).rejects.toThrow(expect.objectContaining({ code: 'usage/ablation' }));
    await expect(eap(model, pairs, { metric: logitDiff, ablation: 'noughts' as 'zero' })).rejects.toThrow(
      expect.objectContaining({ code: 'usage/unknown-ablation' }),
    );
  });
});

describe('EAP-IG over activations', () => {
  it.each(METRICS)('$name: each source on a path of its own', async (metric) => {
    const scores = await eapIgActivations(model, pairs, { metric, steps: 2, rule: 'midpoint', batchSize: 3 });
    close(
      scores.values,
      eapActivationScores(reference, pairs, metric.name as referenceEap.EapMetric, eapPath(2, 'midpoint'), 'patch'),
    );
  });

  it('by the right rule with one step is EAP; the reference’s way is not, as a replaced output passes no gradient on', async () => {
    const plain = await eap(model, pairs, { metric: logitDiff });
    const one = { metric: logitDiff, steps: 1 };
    close((await eapIgActivations(model, pairs, one)).values, plain.values);
    const theirs = await eapIgActivations(model, pairs, { ...one, variant: 'reference' });
    expect(() => close(theirs.values, plain.values)).toThrow();
  });

  it('does not depend on where a budget cuts its paths', async () => {
    const options = { metric: logitDiff, steps: 2 };
    const whole = await eapIgActivations(model, pairs.slice(0, 1), options);
    const refusal: unknown = await eapIgActivations(model, pairs.slice(0, 1), { ...options, memoryBytes: 1 }).catch(
      (e: unknown) => e,
    );
    const { bytesNeeded } = (refusal as { details: { bytesNeeded: number } }).details;
    const before = model.gpu.counters.snapshot().submits;
    close(
      (await eapIgActivations(model, pairs.slice(0, 1), { ...options, memoryBytes: bytesNeeded })).values,
      whole.values,
    );
    expect(model.gpu.counters.snapshot().submits - before).toBeGreaterThan(3);
  });

  it('refuses a variant that it does not know', async () => {
    await expect(eapIgActivations(model, pairs, { metric: logitDiff, variant: 'both' as 'reference' })).rejects.toThrow(
      expect.objectContaining({ code: 'usage/ig-variant' }),
    );
  });
});

describe('information-flow routes', () => {
  it('are the shares of float64, and those of a slot sum to 1', async () => {
    const kept = { perExample: true, resamples: { count: 1, seed: 3 } };
    const { values, perExample, resampled } = await informationFlow(model, pairs, { batchSize: 3, ...kept });
    // ‖x‖₁ − ‖x − z‖₁ cancels: f32 keeps about 1e-6 of the norm.
    close(values, informationFlowScores(reference, pairs), 1e-5);
    expect(perExample).toHaveLength(pairs.length);
    // The shares of a slot sum to 1 in every example, and as many are drawn as there are.
    const drawn = resampled?.sums[0]?.reduce((a, b) => a + b, 0) ?? 0;
    expect(drawn / (graph.nBackward * pairs.length)).toBeCloseTo(1, 5);
    for (let v = 0; v < graph.nBackward; v++) {
      let total = 0;
      for (let u = 0; u < graph.prev(v); u++) total += values[graph.dense(u, v)] as number;
      expect(total).toBeCloseTo(1, 5);
    }
  });
});

describe('nodes, neurons and positions', () => {
  const nodeSums = (values: Float64Array, of: Graph): number[] =>
    of.nodes.map((_, u) =>
      of.slots.reduce((total, _slot, v) => (of.isEdge(u, v) ? total + (values[of.dense(u, v)] as number) : total), 0),
    );

  it.each(['eap', 'eap-ig-inputs', 'clean-corrupted', 'eap-ig-activations'] as const)(
    '%s: a node is the sum of its edges, a neuron its share of the node',
    async (method) => {
      const score = {
        eap,
        'eap-ig-inputs': eapIgInputs,
        'clean-corrupted': cleanCorrupted,
        'eap-ig-activations': eapIgActivations,
      }[method];
      const options = { metric: logitDiff, steps: 2 };
      const edges = await score(model, pairs, options);
      const forNodes = onlyOptionsOf(method, { ...options, method });
      const nodes = await scoreNodes(model, pairs, forNodes);
      close(nodes.values, nodeSums(edges.values, graph));
      const neurons = await scoreNodes(model, pairs, {
        ...forNodes,
        neurons: true,
        perExample: true,
        batchSize: 3,
      });
      close(neurons.values, nodes.values);
      expect(neurons.neurons).toHaveLength(graph.nForward * AWKWARD.width);
      expect(neurons.perExample?.map(({ length }) => length)).toEqual(pairs.map(() => graph.nForward * AWKWARD.width));
    },
  );

  it('hold on a parallel model as well', async () => {
    const sizes = { layers: 2, heads: 3, headWidth: 5, mlpWidth: 11, vocabulary: 29, maxPositions: 9 };
    const toy = new ToyModel(await testGpu(), sizes);
    const few = awkwardPairs(4, { ...AWKWARD, vocabulary: 29, positions: 9 });
    const parallel = buildGraph(toy.info);
    for (const [method, score] of [
      ['eap', eap],
      ['eap-ig-activations', eapIgActivations],
    ] as const) {
      const options = { metric: logitDiff, steps: 2 };
      close(
        (await scoreNodes(toy, few, onlyOptionsOf(method, { ...options, method }))).values,
        nodeSums((await score(toy, few, options)).values, parallel),
      );
    }
    close(
      (await eapIgActivations(toy, few, { metric: logitDiff, steps: 1 })).values,
      (await eap(toy, few, { metric: logitDiff })).values,
    );
  });

  it('scores of positions sum to the score, and are 0 before the first token that differs', async () => {
    const kept = { perExample: true, resamples: { count: 2 } };
    const scores = await eap(model, equal, { metric: logitDiff, perPosition: true, ...kept });
    const plain = await eap(model, equal, { metric: logitDiff, ...kept });
    close(scores.values, plain.values);
    for (const [r, sum] of (plain.resampled?.sums ?? []).entries()) close(scores.resampled?.sums[r] ?? [], sum);
    expect(scores.perPosition).toHaveLength(5);
    for (const [b, row] of plain.perExample?.entries() ?? []) close(scores.perExample?.[b] ?? [], row);
    const one = equal[0] as Pair;
    const differs = one.clean.findIndex((id, t) => id !== one.corrupted[t]);
    const alone = await eap(model, [one], { metric: logitDiff, perPosition: true });
    for (const [t, matrix] of (alone.perPosition ?? []).entries()) {
      const largest = Math.max(...matrix.filter((x) => !Number.isNaN(x)).map(Math.abs));
      if (t < differs) expect(largest).toBe(0);
      if (t === differs) expect(largest).toBeGreaterThan(0);
    }
    await expect(eap(model, pairs, { metric: logitDiff, perPosition: true })).rejects.toThrow(
      expect.objectContaining({ code: 'data/pairs-lengths' }),
    );
  });

  it('refuse a method that has no gradients', async () => {
    await expect(scoreNodes(model, pairs, { metric: logitDiff, method: 'exact' as 'eap' })).rejects.toThrow(
      expect.objectContaining({ code: 'usage/unknown-method' }),
    );
  });
});
