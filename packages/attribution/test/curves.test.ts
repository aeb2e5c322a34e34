// The curves of a scored model, and the door to every scorer.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Gpt2 } from '@limn/gpt2';
import { referenceEap } from '@limn/testing';
import {
  METHOD_TABLE,
  METHODS,
  eap,
  faithfulnessCurves,
  logitDiff,
  metricByName,
  normalisedFaithfulness,
  onlyOptionsOf,
  scoreEdges,
  scoreInShards,
  selectBy,
} from '../src/index.js';
import type { IgRule, ScoreEdgesOptions } from '../src/index.js';
import { golden, goldenScores, toyGraph } from './golden.js';
import { gpt2Of } from './models.js';

const { TOY_PAIR, waveModel } = referenceEap;

describe('faithfulness curves of the golden toy', () => {
  let model: Gpt2;
  beforeAll(async () => {
    model = await gpt2Of(waveModel());
  });
  afterAll(() => model.dispose());

  it('hold the golden values, MIB’s sizes with their flags, areas and smallest sizes', async () => {
    const curves = await faithfulnessCurves(model, goldenScores('exact'), [TOY_PAIR], { metric: logitDiff });
    expect(curves.baselines.clean).toBeCloseTo(-golden.loss_clean, 5);
    expect(curves.baselines.corrupted).toBeCloseTo(-golden.loss_corrupt, 5);
    const [headline, signed, absolute] = curves.curves;
    expect(headline?.points.map(({ n }) => n)).toEqual([1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 46]);
    for (const n of [4, 8, 12]) {
      const point = headline?.points.find((each) => each.n === n);
      expect(point?.kept).toBe(golden.circuits[`exact/topn/${n}`]?.kept);
      // Logits of 2 over a denominator of 0.0063 are good to 1e-4.
      expect(
        Math.abs((point?.faithfulness ?? Number.NaN) - (golden.circuits[`exact/topn/${n}`]?.faith ?? Number.NaN)),
      ).toBeLessThan(5e-4);
    }
    expect([signed?.selection, absolute?.selection]).toEqual(['signed', 'absolute']);
    expect(signed?.points.map(({ n }) => n)).toEqual([0, 0, 0, 0, 0, 2, 4, 9, 23, 46]);
    expect(curves.flags.map(({ code }) => code)).toEqual(['size-zero', 'size-duplicate', 'faithfulness-above-one']);
    // Half of the toy's edges work against its behaviour; the 23 that help most overshoot.
    const overshoot = signed?.points.find(({ n }) => n === 23)?.faithfulness ?? 0;
    expect(overshoot).toBeGreaterThan(2);
    expect(curves.flags.at(-1)?.text).toContain(`up to ${overshoot.toFixed(2)} with the top 23 by signed score`);
    expect(absolute?.points.at(-1)?.faithfulness).toBeCloseTo(1, 3);
    expect(signed?.points[0]?.faithfulness).toBeCloseTo(0, 3);
    expect(curves.areas.cpr).toBeGreaterThan(0);
    expect(curves.areas.cmd).toBeLessThan(0.75);
    expect(curves.smallest[0]).toEqual({
      threshold: 0.85,
      n: headline?.points.find(({ faithfulness }) => (faithfulness ?? 0) >= 0.85)?.n,
    });
    expect(curves.circuits.get('absolute 12')?.edgeNames()).toEqual(golden.circuits['exact/topn/12']?.edges);
  });

  it('say why there is no faithfulness when clean and corrupted are the same', async () => {
    const pair = { ...TOY_PAIR, corrupted: TOY_PAIR.clean };
    const curves = await faithfulnessCurves(model, goldenScores('eap'), [pair], {
      metric: logitDiff,
      selector: 'greedy',
    });
    expect(curves.flags.at(-1)?.code).toBe('faithfulness-undefined');
    expect(
      curves.curves[0]?.points.every(({ faithfulness, reason }) => faithfulness === null && reason !== undefined),
    ).toBe(true);
    expect(curves.areas).toEqual({ cpr: null, cmd: null, logArea: null });
    expect(normalisedFaithfulness(1, 2, 2).value).toBeNull();
  });

  it.each([
    ['exact', { perPosition: true }, 'perPosition'],
    ['exact', { steps: -4 }, 'steps'],
    ['exact', { rule: 'foo' as 'left' }, 'rule'],
    ['information-flow', { perPosition: true }, 'perPosition'],
    ['information-flow', { ablation: 'nonsense' as 'zero' }, 'ablation'],
    ['eap', { steps: -4 }, 'steps'],
    ['eap', { variant: 'x' as 'reference' }, 'variant'],
    ['eap-ig-inputs', { variant: 'reference' }, 'variant'],
    ['clean-corrupted', { rule: 'left' }, 'rule'],
  ] as const)('%s refuses %j, which it would ignore', async (method, options, option) => {
    const refused = expect.objectContaining({
      code: 'usage/method-option',
      details: expect.objectContaining({ method, option, allowed: METHOD_TABLE[method].uses }),
    });
    const all = { method, metric: logitDiff, ...options };
    await expect(scoreEdges(model, [TOY_PAIR], all)).rejects.toThrow(refused);
    const store = { read: () => expect.fail(), write: () => expect.fail() };
    const { perPosition: _, ...sharded } = all as ScoreEdgesOptions;
    if (option !== 'perPosition')
      await expect(scoreInShards(model, [TOY_PAIR], { ...sharded, store, machine: 'here' })).rejects.toThrow(refused);
    const only = onlyOptionsOf(method, all);
    expect(only).not.toHaveProperty(option);
    expect(only).toMatchObject({ method, metric: logitDiff });
  });

  it.each(['eap-ig-inputs', 'eap-ig-activations'] as const)(
    '%s has the rule of the table by default',
    async (method) => {
      const run = (rule?: IgRule) => scoreEdges(model, [TOY_PAIR], { method, metric: logitDiff, steps: 2, rule });
      expect((await run()).values).toEqual((await run(METHOD_TABLE[method].rule)).values);
    },
  );

  it('every method has its name, and a misspelt one gets the nearest', async () => {
    for (const method of METHODS) {
      const { values } = await scoreEdges(model, [TOY_PAIR], { method, metric: logitDiff });
      expect([...values].filter((x) => Number.isFinite(x))).toHaveLength(46);
    }
    const byName = await scoreEdges(model, [TOY_PAIR], { method: 'eap', metric: metricByName('logit-diff') });
    expect(byName.values).toEqual((await eap(model, [TOY_PAIR], { metric: logitDiff })).values);
    await expect(scoreEdges(model, [TOY_PAIR], { method: 'eap-ig' as 'eap', metric: logitDiff })).rejects.toThrow(
      expect.objectContaining({ code: 'usage/unknown-method', hint: expect.stringContaining('eap-ig-inputs') }),
    );
    expect(() => metricByName('logitdiff')).toThrow(
      expect.objectContaining({ code: 'usage/unknown-metric', hint: expect.stringContaining('logit-diff') }),
    );
    expect(() => selectBy(goldenScores('eap'), [1], 'topn' as 'top-n', 'absolute')).toThrow(
      expect.objectContaining({ code: 'usage/unknown-selector' }),
    );
    expect(toyGraph.edgeCount).toBe(46);
  });
});
