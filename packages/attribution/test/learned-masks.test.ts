// Learnt masks: with open gates their gradient is EAP, with closed and open ones the run is the circuit's; learning closes what is not needed, the same way every time.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { gradients, persistent, readFloats } from '@limn/tensor';
import type { Gpt2 } from '@limn/gpt2';
import { referenceEap } from '@limn/testing';
import {
  buildGraph,
  Circuit,
  eap,
  evaluateCircuits,
  kl,
  learnedMasks,
  logitDiff,
  meanOutputs,
  prune,
  OutputWeights,
  scoresOf,
  selectThreshold,
  selectTopN,
} from '../src/index.js';
import { maskedLoss } from '../src/masked-run.js';
import { slotSites } from '../src/restrict-to-circuit.js';
import { AWKWARD, awkwardPairs, gpt2Of } from './models.js';

const pairs = awkwardPairs(4);
const graph = buildGraph({ ...AWKWARD, block: 'sequential' });
const sites = slotSites(graph);
let model: Gpt2;
let weights: OutputWeights;
beforeAll(async () => {
  model = await gpt2Of(referenceEap.randomModel(AWKWARD, 3));
  weights = await OutputWeights.of(model);
});
afterAll(() => {
  weights.dispose();
  model.dispose();
});

/** Gates of every site by a rule, as tensors of their own. */
const gatesOf = (open: (u: number, v: number) => number) =>
  sites.map(({ columns, sources }) =>
    persistent(
      model.gpu,
      [columns.length, sources],
      Float32Array.from({ length: columns.length * sources }, (_, i) =>
        open(i % sources, columns[Math.floor(i / sources)] as number),
      ),
    ),
  );

describe('a masked run', () => {
  it('with every gate open has EAP’s scores as its gradient', async () => {
    const gates = gatesOf(() => 1);
    using step = model.gpu.step();
    const loss = maskedLoss(
      step,
      { model, graph, sites, weights, metric: logitDiff, ablation: 'patch' },
      pairs,
      (i) => gates[i]!,
    );
    const slopes = await Promise.all(gradients(step, loss, 'ones', gates).map((slope) => readFloats(step, slope)));
    const want = await eap(model, pairs, { metric: logitDiff });
    const largest = Math.max(...want.values.filter((x) => !Number.isNaN(x)).map(Math.abs));
    for (const [i, { columns, sources }] of sites.entries())
      for (const [row, v] of columns.entries())
        for (let u = 0; u < sources; u++) {
          // Closing a gate puts the corrupted output in: ∂L/∂z = −Δ · g, summed over the pairs.
          const score = -(slopes[i]?.[row * sources + u] as number) / pairs.length;
          expect(Math.abs(score - (want.values[graph.dense(u, v)] as number)), graph.edgeName(u, v)).toBeLessThan(
            2e-5 * largest,
          );
        }
    for (const gate of gates) gate.dispose();
  });

  it('with gates at 0 and 1 is the circuit of the open ones, whatever the others carry', async () => {
    using means = await meanOutputs(
      model,
      pairs.map(({ corrupted }) => corrupted),
    );
    // Pruned, as sparse evaluation would prune it.
    const circuit = prune(Circuit.where(graph, (u, v) => (5 * u + v) % 3 !== 0));
    const gates = gatesOf((u, v) => Number(circuit.has(u, v)));
    for (const ablation of ['patch', 'zero', means] as const) {
      using step = model.gpu.step();
      const losses = await readFloats(
        step,
        maskedLoss(step, { model, graph, sites, weights, metric: kl, ablation }, pairs, (i) => gates[i]!),
      );
      const [measured] = (await evaluateCircuits(model, [circuit], pairs, { metrics: [kl], ablation })).circuits;
      for (const [b, want] of (measured?.perExample['kl'] ?? []).entries())
        expect(Math.abs(-(losses[b] as number) - want)).toBeLessThan(1e-5 * Math.max(1, Math.abs(want)));
    }
    for (const gate of gates) gate.dispose();
  });
});

describe('learning', () => {
  const options = { metric: kl, updates: 20, pairsPerUpdate: 2, sparsity: 1, rate: 0.5, seed: 2 };

  it('closes gates, and what stays open serves better than as many edges chosen at random', async () => {
    const { scores, history } = await learnedMasks(model, pairs, options);
    expect(history).toHaveLength(options.updates);
    const [first, last] = [history[0], history.at(-1)] as [(typeof history)[0], (typeof history)[0]];
    expect(last.edges).toBeLessThan(0.8 * first.edges);
    const learnt = selectThreshold(scores, 0.5);
    expect(learnt.edgeCount).toBeGreaterThan(0);
    const draws = [1, 2, 3, 4, 5].map((seed) =>
      selectTopN(
        scoresOf(graph, (u, v) => ((Math.imul(graph.dense(u, v) + 1, 2_654_435_761 * seed) >>> 0) % 1000) / 1000),
        learnt.edgeCount,
      ),
    );
    const { circuits } = await evaluateCircuits(model, [learnt, ...draws], pairs, { metrics: [kl] });
    const [own, ...others] = circuits.map(({ mean }) => mean['kl'] as number);
    for (const other of others) expect(own).toBeGreaterThan(other);
  });

  it('gives the same bits for the same seed, and others for another', async () => {
    const run = (seed: number) => learnedMasks(model, pairs, { ...options, updates: 3, seed });
    const [one, two, other] = [await run(2), await run(2), await run(3)];
    expect(two.scores.values).toEqual(one.scores.values);
    expect(two.history).toEqual(one.history);
    expect(other.scores.values).not.toEqual(one.scores.values);
  });

  it('in parts of fewer pairs learns the same', async () => {
    const run = (batchSize: number) =>
      learnedMasks(model, pairs, { ...options, updates: 2, pairsPerUpdate: 4, batchSize });
    const [whole, split] = [await run(4), await run(2)];
    for (const [i, { loss, edges }] of whole.history.entries()) {
      // f32 round-off of the loss, through one update.
      expect(Math.abs((split.history[i]?.loss as number) - loss)).toBeLessThan(1e-5 * Math.max(1, loss));
      expect(Math.abs((split.history[i]?.edges as number) - edges)).toBeLessThan(1e-3);
    }
  });

  it('gives fewer edges where they cost more', async (context) => {
    context.skip(process.env['LIMN_LONG'] !== '1', 'LIMN_LONG=1 learns masks at two prices');
    const edges = async (sparsity: number) =>
      (await learnedMasks(model, pairs, { ...options, updates: 10, sparsity })).history.at(-1)?.edges as number;
    expect(await edges(8)).toBeLessThan(await edges(0.05));
  });

  it('goes on from a checkpoint to the same bits: stopped between two, at one, and at the end', async () => {
    const run = (more: object) => learnedMasks(model, pairs, { ...options, updates: 5, ...more });
    const whole = await run({});
    const texts = new Map<string, string>();
    const store = {
      read: (key: string) => Promise.resolve(texts.get(key)),
      write: (key: string, text: string) => Promise.resolve(void texts.set(key, text)),
    };
    const checkpoints = { store, machine: 'this one', every: 2 };
    for (const stop of [3, 4]) {
      const controller = new AbortController();
      const onProgress = ({ done }: { done: number }) => void (done === stop && controller.abort());
      await expect(run({ checkpoints, signal: controller.signal, onProgress })).rejects.toThrow();
      expect(texts.size).toBe(1);
    }
    const seen: number[] = [];
    const resumed = await run({ checkpoints, onProgress: ({ done }: { done: number }) => void seen.push(done) });
    expect(seen).toEqual([5]);
    expect(resumed.scores.values).toEqual(whole.scores.values);
    expect(resumed.history).toEqual(whole.history);
    const again = await run({ checkpoints, onProgress: () => expect.unreachable('nothing is left to learn') });
    expect(again.scores.values).toEqual(whole.scores.values);
    // Another run's text is not taken, and neither is one that lost its end.
    const [key, text] = [...texts][0] as [string, string];
    await run({ checkpoints, seed: 3, updates: 1 });
    expect(texts.size).toBe(2);
    texts.set(key, text.slice(0, -9));
    const anew = await run({ checkpoints });
    expect(anew.scores.values).toEqual(whole.scores.values);
    expect(texts.get(key)).toBe(text);
  });

  it('stops when asked, frees what it made, and refuses settings that are none', async () => {
    const run = (more: object) => learnedMasks(model, pairs, { ...options, updates: 3, ...more });
    await run({});
    const before = model.gpu.counters.snapshot().bytesLive;
    const controller = new AbortController();
    await expect(run({ signal: controller.signal, onProgress: () => controller.abort() })).rejects.toThrow();
    expect(model.gpu.counters.snapshot().bytesLive).toBe(before);
    for (const bad of [
      { updates: 0 },
      { sparsity: -1 },
      { rate: Number.NaN },
      { seed: 0.5 },
      { pairsPerUpdate: 0 },
      { checkpoints: { every: 0 } },
    ])
      await expect(run(bad)).rejects.toThrow(expect.objectContaining({ code: 'usage/mask-option' }));
    await expect(run({ memoryBytes: 1000 })).rejects.toThrow(expect.objectContaining({ code: 'memory/over-budget' }));
  });
});
