// Parity measured: gaps by item and part, retention, other pairs and intervals, against a float64 model under the same scales and figures worked out by hand.
import { referenceBucketDivergence, referenceEap, referenceSoftmaxLosses } from '@limn/testing';
import { describe, expect, it } from 'vitest';
import {
  evaluateParity,
  positionTable,
  Steering,
  steererOf,
  UNTOUCHED,
  type ParityItem,
  type SteeringExample,
  type SteeringSpec,
} from '../src/index.js';
import { parityItem, partFigures, retentionFigures, spilloverFigures } from '../src/parity/parity-figures.js';
import { randomValues } from './explain-models.js';
import { examplesOf, gpt2Of, SIZES } from './models.js';

const reference = referenceEap.randomModel(SIZES, 7);
/** Seven prompts about four things: the answers are 3 and 8, and compete both ways. */
const about = ['nurse', 'nurse', 'pilot', 'pilot', 'pilot', 'guard', undefined];
const examples = examplesOf(about.length, { lengths: [5, 4] }).map((example, i): SteeringExample => {
  const [correct, wrong] = i % 3 === 0 ? [3, 8] : [8, 3];
  return { ...example, correct, wrong, ...(about[i] ? { entities: [about[i]] } : {}) };
});
const others = examplesOf(4, { lengths: [6, 5] });
const split = { train: examples.slice(0, 5), validation: examples.slice(5, 6), test: examples.slice(6) };
const spec: SteeringSpec = {
  method: { kind: 'activ-scalar' },
  sites: ['hook_attn_out', 'hook_mlp_out'],
  positions: positionTable([{ length: 6 }], 'from-end', { skip: 1 }),
};
const mean = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0) / values.length;

describe('an evaluation', () => {
  /** Measured on the GPU, and [before, after, drift] of each prompt in float64. */
  async function both(retained: readonly SteeringExample[]) {
    const gpt2 = await gpt2Of(reference);
    const values = randomValues(gpt2, spec);
    const slots = spec.positions.names.length;
    const exact = ({ prompt, correct, wrong }: SteeringExample) => {
      const run = (strength: number): Float64Array =>
        referenceEap.eapForward(
          reference,
          referenceEap.tokenEmbeddings(reference, prompt),
          undefined,
          (site, layer, x) => {
            const alpha = values.places
              .get(`blocks.${layer}.hook_${site === 'attn-out' ? 'attn_out' : 'mlp_out'}`)!
              .get('alpha')!;
            return x.map((value, i) => {
              const t = Math.floor(i / SIZES.width);
              const slot = prompt.length - 1 - t;
              return t < 1 || slot >= slots ? value : value * (1 + strength * alpha[slot]!);
            });
          },
        ).logits;
      const [plain, x] = [run(0), run(1)];
      const drift = referenceBucketDivergence.bucketDivergenceForward({
        logp: referenceSoftmaxLosses.logSoftmaxForward(plain, SIZES.vocabulary).values,
        x,
        width: SIZES.vocabulary,
        ids: Uint32Array.of(correct, wrong),
        form: 'bucket',
      }).values[0]!;
      return { before: plain[correct]! - plain[wrong]!, after: x[correct]! - x[wrong]!, drift };
    };
    using steering = new Steering(gpt2, spec, { values: [values] });
    const found = await evaluateParity(
      gpt2,
      steererOf('scales', steering, { nonZero: 0 }),
      { split, retained, spillover: [{ name: 'another pair', examples: others.slice(2) }] },
      { retentionShare: 0.6 },
    );
    gpt2.dispose();
    return { found, exact };
  }

  it('is what the model does in float64, by item, Δ towards one of the two answers', async () => {
    const { found, exact } = await both(others.slice(0, 2));
    expect(found.pair).toEqual([3, 8]);
    expect(found.items.map(({ item, part, prompts }) => [item, part, prompts])).toEqual([
      ['nurse', 'train', 2],
      ['pilot', 'train', 3],
      ['guard', 'validation', 1],
      ['example 0', 'test', 1],
    ]);
    const all = examples.map((example) => {
      const { before, after, drift } = exact(example);
      const sign = example.correct === 3 ? 1 : -1;
      return { before: sign * before, after: sign * after, drift };
    });
    const close = (given: number, expected: number): void => expect(given).toBeCloseTo(expected, 4);
    const pilot = found.items[1]!;
    close(pilot.before, mean(all.slice(2, 5).map(({ before }) => before)));
    close(pilot.after, mean(all.slice(2, 5).map(({ after }) => after)));
    close(pilot.gapBefore, mean(all.slice(2, 5).map(({ before }) => Math.abs(before))));
    close(pilot.gapAfter, mean(all.slice(2, 5).map(({ after }) => Math.abs(after))));
    close(pilot.drift, mean(all.slice(2, 5).map(({ drift }) => drift)));
    // The nurse has two prompts and the pilot three, and each counts as one item.
    const train = found.parts.train!;
    const items = [all.slice(0, 2), all.slice(2, 5)];
    close(train.gap.before, mean(items.map((own) => mean(own.map(({ before }) => Math.abs(before))))));
    close(train.lean.after, mean(items.map((own) => mean(own.map(({ after }) => after)))));
    const [a, b] = items.map((own) => mean(own.map(({ after }) => after)));
    close(train.variance.after!, (a! - b!) ** 2 / 2);
    expect([found.parts.test!.variance.after, found.parts.test!.gap.afterInterval]).toEqual([null, null]);

    const kept = others.slice(0, 2).map(exact);
    const isKept = kept.map(
      ({ before, after }) => before > 0 && after > 0 && Math.abs(after - before) <= 0.6 * Math.abs(before),
    );
    expect(found.retained.map(({ kept: each }) => each)).toEqual(isKept);
    found.retained.forEach(({ before, after, drift }, i) => {
      close(before, kept[i]!.before);
      close(after, kept[i]!.after);
      close(drift, kept[i]!.drift);
    });
    const spilled = others.slice(2).map(exact);
    const [other] = found.spillover;
    expect([other?.name, other?.prompts]).toEqual(['another pair', 2]);
    close(other!.moved, mean(spilled.map(({ before, after }) => Math.abs(after - before))));
    close(other!.gapAfter, mean(spilled.map(({ after }) => Math.abs(after))));
    expect(JSON.parse(JSON.stringify(found))).toEqual(found);
  });

  it('of the untouched model changes nothing; examples of several pairs keep their own answers', async () => {
    const gpt2 = await gpt2Of(reference);
    const mixed = { train: others, validation: [], test: [] };
    const { pair, parts, items, retention, retained, spillover } = await evaluateParity(gpt2, UNTOUCHED, {
      split: mixed,
      spillover: [{ name: 'none', examples: [] }],
    });
    expect([pair, Object.keys(parts), retention, retained, spillover]).toEqual([null, ['train'], null, [], []]);
    expect(items).toHaveLength(4);
    for (const { before, after, drift } of items) {
      expect(after).toBeCloseTo(before, 5);
      expect(Math.abs(drift)).toBeLessThan(1e-6);
    }
    for (const options of [{ retentionShare: -1 }, { seed: 0.5 }])
      await expect(evaluateParity(gpt2, UNTOUCHED, { split: mixed }, options)).rejects.toMatchObject({
        code: 'usage/steering-option',
      });
    await expect(
      evaluateParity(gpt2, UNTOUCHED, { split: { train: [], validation: [], test: [] } }),
    ).rejects.toMatchObject({ code: 'data/steering-empty' });
    gpt2.dispose();
  });
});

describe('figures', () => {
  const change = (before: number, after: number) => ({ before, after, drift: 0.5 });

  it('a gap does not cancel where a lean does, and items weigh the same', () => {
    const items: ParityItem[] = [
      parityItem('a', 'test', [change(2, 1), change(-2, -1)]),
      parityItem('b', 'test', [change(4, 0), change(2, 0), change(3, 3)]),
    ];
    expect(items[0]).toMatchObject({ before: 0, after: 0, gapBefore: 2, gapAfter: 1 });
    const { gap, lean, variance, items: count, prompts } = partFigures(items, 0);
    expect([count, prompts]).toEqual([2, 5]);
    expect([gap.before, gap.after, lean.before, lean.after]).toEqual([2.5, 1, 1.5, 0.5]);
    expect(variance).toEqual({ before: 4.5, after: 0.5 });
    // Means of two items drawn again are 2, 2.5 or 3: no percentile lies outside.
    expect(gap.beforeInterval).toEqual([2, 3]);
  });

  it('kept is right before and after and within the share', () => {
    const prompts = [change(4, 4.4), change(4, 4.5), change(4, -0.1), change(-4, -4), change(-1, 1)];
    expect(retentionFigures(prompts, { retentionShare: 0.101, seed: 0 })).toMatchObject({
      prompts: 5,
      rightBefore: 0.6,
      rightAfter: 0.6,
      within: 0.4,
      kept: 0.2,
      drift: 0.5,
    });
    expect(retentionFigures([change(1, 1)], { retentionShare: 0, seed: 0 })).toMatchObject({
      kept: 1,
      keptInterval: null,
    });
  });

  it('spill-over counts moves in both directions', () => {
    expect(spilloverFigures('x', [change(1, 2), change(1, 0)], 0)).toMatchObject({
      moved: 1,
      gapBefore: 1,
      gapAfter: 1,
      movedInterval: [1, 1],
    });
  });
});
