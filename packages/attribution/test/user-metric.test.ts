// A metric of one's own, through everything that takes one: it gives what the built-in gives that computes the same, and what is no loss per row is refused.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Gpt2 } from '@limn/gpt2';
import { fromData, gatherLogits, mean, reshape, sub } from '@limn/tensor';
import { referenceEap } from '@limn/testing';
import {
  eap,
  eapIgActivations,
  eapIgInputs,
  evaluateCircuits,
  exactSweep,
  faithfulnessCurves,
  learnedMasks,
  logitDiff,
  normalisedMetric,
  previewPairs,
  scoreNodes,
  selectTopN,
} from '../src/index.js';
import type { Metric, Pair } from '../src/index.js';
import { awkwardPairs, gpt2Of } from './models.js';

const SMALL = { layers: 2, heads: 2, width: 8, headWidth: 4, mlpWidth: 9, vocabulary: 23, positions: 7 };

/** Logit of the first incorrect answer minus that of the first correct one, without any of the built-in's code. */
const mine: Metric = {
  name: 'mine',
  usesClean: false,
  check: () => undefined,
  loss(step, logits, pairs) {
    const of = (side: 'correct' | 'incorrect') => {
      const ids = fromData(
        step,
        Uint32Array.from(pairs, (pair) => pair[side][0] ?? 0),
        [pairs.length, 1],
      );
      return reshape(gatherLogits(step, logits, ids), [pairs.length]);
    };
    return sub(step, of('incorrect'), of('correct'));
  },
};

const single = awkwardPairs(3, SMALL).map((pair): Pair => {
  const [correct = 0] = pair.correct;
  return { ...pair, correct: [correct], incorrect: [(correct + 1) % SMALL.vocabulary] };
});
let model: Gpt2;
beforeAll(async () => {
  model = await gpt2Of(referenceEap.randomModel(SMALL, 3));
});
afterAll(() => model.dispose());

it('gives what the built-in metric gives that computes the same', async () => {
  const scorers = {
    eap,
    eapIgInputs,
    eapIgActivations,
  };
  for (const [name, scorer] of Object.entries(scorers)) {
    const [own, built] = await Promise.all(
      [mine, logitDiff].map((metric) => scorer(model, single, { metric, steps: 2 })),
    );
    const largest = Math.max(...(built?.values ?? []).filter((x) => !Number.isNaN(x)).map(Math.abs));
    for (const [i, x] of own?.values.entries() ?? [])
      // The two sum in another order: f32 round-off.
      if (!Number.isNaN(x)) expect(Math.abs(x - (built?.values[i] as number)), name).toBeLessThan(1e-5 * largest);
  }
  const [own, built] = await exactSweep(model, single, { metrics: [mine, logitDiff] });
  for (const [i, x] of own?.values.entries() ?? [])
    // Differences of losses of about 1.
    if (!Number.isNaN(x)) expect(Math.abs(x - (built?.values[i] as number))).toBeLessThan(1e-5);
  const circuit = selectTopN(built ?? expect.fail(), 12);
  const { circuits } = await evaluateCircuits(model, [circuit], single, { metrics: [mine, logitDiff] });
  for (const i of single.keys())
    expect(circuits[0]?.perExample.mine?.[i]).toBeCloseTo(circuits[0]?.perExample['logit-diff']?.[i] as number, 5);
});

it('shares its name with no other metric of a call', async () => {
  const twins = [mine, { ...logitDiff, name: 'mine' }];
  const scores = await eap(model, single, { metric: mine });
  for (const call of [
    () => evaluateCircuits(model, [], single, { metrics: twins }),
    () => exactSweep(model, single, { metrics: twins }),
    () => previewPairs(model, single, { metrics: twins }),
    () => previewPairs(model, single, { metrics: [{ ...mine, name: 'accuracy' }] }),
    () => faithfulnessCurves(model, scores, single, { metric: mine, also: twins.slice(1) }),
  ])
    await expect(call()).rejects.toThrow(expect.objectContaining({ code: 'usage/metric-name' }));
});

it('keeps checkpoints under its identity', async () => {
  const kept = new Map<string, string>();
  const store = {
    read: (key: string) => Promise.resolve(kept.get(key)),
    write: (key: string, text: string) => Promise.resolve(void kept.set(key, text)),
  };
  const learn = (metric: Metric) =>
    learnedMasks(model, single, { metric, updates: 1, checkpoints: { store, machine: 'here' } });
  await expect(learn(mine)).rejects.toThrow(expect.objectContaining({ code: 'usage/metric-identity' }));
  for (const identity of ['1', '2', '1']) await learn({ ...mine, identity });
  expect(kept.size).toBe(2);
});

describe('a loss that is not one number per row', () => {
  const losses: readonly (readonly [string, Metric['loss']])[] = [
    ['[1]', (step, logits, pairs, clean) => mean(step, logitDiff.loss(step, logits, pairs, clean))],
    [', 1]', (step, ...rest) => reshape(logitDiff.loss(step, ...rest), [rest[1].length, 1])],
    ['undefined', () => undefined as never],
  ];
  const calls = {
    eap: (metric) => eap(model, single, { metric }),
    'EAP-IG': (metric) => eapIgInputs(model, single, { metric, steps: 2 }),
    nodes: (metric) => scoreNodes(model, single, { metric, method: 'eap-ig-activations', steps: 2 }),
    exact: (metric) => exactSweep(model, single, { metrics: [logitDiff, metric] }),
    evaluate: (metric) => evaluateCircuits(model, [], single, { metrics: [metric] }),
    'learned masks': (metric) => learnedMasks(model, single, { metric, updates: 1 }),
    preview: (metric) => previewPairs(model, single, { metrics: [metric] }),
    normalised: (metric) => normalisedMetric(model, single, metric),
    curves: async (metric) => {
      const scores = await eap(model, single, { metric: logitDiff });
      return faithfulnessCurves(model, scores, single, { metric: logitDiff, also: [metric] });
    },
  } satisfies Record<string, (metric: Metric) => Promise<unknown>>;

  it.each(Object.keys(calls))('is refused by %s, with its shape and the wanted one', async (call) => {
    for (const [given, loss] of losses) {
      const bad = { ...mine, name: 'bad', loss };
      await expect(calls[call as keyof typeof calls](bad)).rejects.toThrow(
        expect.objectContaining({
          code: 'usage/metric-loss',
          message: expect.stringMatching(
            new RegExp(`"bad" is one number per row, \\[\\d+\\]; it returned .*${given.replace(/\W/g, '\\$&')}`),
          ),
          // As many rows as the pairs of a step have, times the points of a path.
          details: expect.objectContaining({ metric: 'bad', wanted: [expect.any(Number)] }),
        }),
      );
    }
  });
});
