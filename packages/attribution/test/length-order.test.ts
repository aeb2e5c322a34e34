// The order of work on prompts of many lengths: like lengths share a step, and one long pair costs the others nothing, wherever it stands.
import { FittingCount, lengthBuckets } from '@limn/hooks';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import type { Gpt2 } from '@limn/gpt2';
import { referenceEap } from '@limn/testing';
import { Circuit, buildGraph, eapIgInputs, evaluateCircuits, informationFlow, logitDiff } from '../src/index.js';
import type { Pair } from '../src/index.js';
import { gpt2Of } from './models.js';

describe('buckets', () => {
  it('hold like lengths, the longest first, and equal ones in their order', () => {
    expect(lengthBuckets([4, 40, 4, 5, 4])).toEqual([[1], [3, 0, 2, 4]]);
    expect(lengthBuckets([7, 7, 7])).toEqual([[0, 1, 2]]);
    // 12 / 8 is no more than half as much again; 12 / 7 is.
    expect(lengthBuckets([7, 8, 12])).toEqual([[2, 1], [0]]);
    expect(lengthBuckets([])).toEqual([]);
  });
});

describe('how many units fit', () => {
  it('is the most there may be until fewer fitted, and then goes by the size of a unit', () => {
    const fitting = new FittingCount(64);
    expect(fitting.at(40)).toBe(64);
    fitting.learn(40, 64, 64);
    expect(fitting.at(40)).toBe(64);
    fitting.learn(40, 6, 64);
    expect([40, 4, 1, 1000].map((size) => fitting.at(size))).toEqual([6, 60, 64, 1]);
  });
});

describe('15 short pairs and a long one, first or last', () => {
  let model: Gpt2;
  const { TOY_PAIR } = referenceEap;
  const short = Array.from({ length: 15 }, (): Pair => TOY_PAIR);
  const times = <T>(items: readonly T[]): T[] => Array.from({ length: 8 }, () => items).flat();
  const long: Pair = { ...TOY_PAIR, clean: times(TOY_PAIR.clean), corrupted: times(TOY_PAIR.corrupted) };
  const orders: readonly (readonly Pair[])[] = [
    [long, ...short],
    [...short, long],
  ];
  beforeAll(async () => {
    const wave = referenceEap.waveModel();
    const { width } = wave.sizes;
    const positions = long.clean.length;
    const table = Float64Array.from(
      { length: positions * width },
      (_, i) => wave.positions[i % wave.positions.length] ?? 0,
    );
    model = await gpt2Of({ ...wave, sizes: { ...wave.sizes, positions }, positions: table });
  });
  afterAll(() => model.dispose());

  const graph = () => buildGraph(model.info);
  const perExample = true;
  /** One long pair fits, and several short ones. */
  const memoryBytes = 2 ** 18;
  type Values = readonly ArrayLike<number>[];
  /** Values of every pair; submits and recordings that both orders take, reads and copies of weights among them. */
  const calls: readonly (readonly [string, (pairs: readonly Pair[]) => Promise<Values>, readonly [number, number]])[] =
    [
      [
        'eapIgInputs',
        async (pairs) =>
          (await eapIgInputs(model, pairs, { metric: logitDiff, memoryBytes, perExample })).perExample ?? [],
        [6, 7],
      ],
      [
        'informationFlow',
        async (pairs) => (await informationFlow(model, pairs, { memoryBytes, perExample })).perExample ?? [],
        [3, 3],
      ],
      [
        'evaluateCircuits',
        async (pairs) => {
          const { circuits } = await evaluateCircuits(model, [Circuit.full(graph())], pairs, {
            metrics: [logitDiff],
            memoryBytes,
          });
          return [...(circuits[0]?.perExample['logit-diff'] ?? [])].map((x) => [x]);
        },
        [5, 5],
      ],
    ];

  it.each(calls)(
    '%s: both orders take the same few steps and give every pair its own values',
    async (_, call, expected) => {
      const { counters } = model.gpu;
      const seen: { submits: number; recorded: number; values: Values }[] = [];
      for (const order of orders) {
        counters.reset();
        const open = vi.spyOn(model.gpu, 'step');
        const values = await call(order);
        seen.push({ submits: counters.snapshot().submits, recorded: open.mock.calls.length, values });
        open.mockRestore();
      }
      const [first, last] = seen as [(typeof seen)[0], (typeof seen)[0]];
      expect([first.submits, first.recorded]).toEqual(expected);
      expect([last.submits, last.recorded]).toEqual(expected);
      expect(first.values).toHaveLength(16);
      expect(first.values[0]).toEqual(last.values[15]);
      for (let p = 1; p < 16; p++) expect(first.values[p]).toEqual(last.values[p - 1]);
    },
  );

  it('evaluateCircuits: how many circuits fit is found out for the first pairs, not again for each batch', async () => {
    const circuits = Array.from({ length: 24 }, (_, c) => Circuit.where(graph(), (u, v) => (5 * u + v + c) % 24 < c));
    const open = vi.spyOn(model.gpu, 'step');
    model.gpu.counters.reset();
    await evaluateCircuits(model, circuits, short, { metrics: [logitDiff], batchSize: 3, memoryBytes: 2 ** 16 });
    const [recorded, { submits }] = [open.mock.calls.length, model.gpu.counters.snapshot()];
    open.mockRestore();
    expect(submits).toBeGreaterThan(2 * 5);
    expect(recorded - submits).toBeLessThanOrEqual(2);
  });
});
