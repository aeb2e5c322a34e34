// Trade-offs, calibrated strengths and what single cells do: each against running it by hand.
import { describe, expect, it } from 'vitest';
import { referenceEap } from '@limn/testing';
import {
  bestPoint,
  calibrateStrength,
  cellContributions,
  cellsOf,
  evaluateSteering,
  positionTable,
  Steering,
  steererOf,
  summarise,
  sweepSteering,
  trainSteering,
  type SteeringSpec,
} from '../src/index.js';
import { without } from '../src/explain/cell-values.js';
import { examplesOf, gpt2Of, SIZES } from './models.js';

const reference = referenceEap.randomModel(SIZES, 7);
const examples = examplesOf(6);
const spec: SteeringSpec = {
  method: { kind: 'activ-scalar' },
  sites: ['hook_attn_out', 'hook_mlp_out'],
  positions: positionTable(
    examples.map(({ prompt }) => ({ length: prompt.length })),
    'absolute',
  ),
};
const objective = { goal: { kind: 'flip', margin: 2 }, faithfulnessWeight: 0.2 } as const;

describe('sweepSteering', () => {
  it('learns once per price, measures both parts, and the best point is the sparsest of the good ones', async () => {
    const gpt2 = await gpt2Of(reference);
    const parts = { train: examples.slice(0, 4), validation: examples.slice(4) };
    const options = { objective, updates: 16, refitUpdates: 3, rate: 0.08 };
    const units = new Set<string>();
    const points = await sweepSteering(gpt2, parts, spec, {
      ...options,
      weights: [0, 0.1, 50],
      onProgress: ({ unit }) => units.add(unit),
    });
    expect([...units]).toEqual([0, 0.1, 50].map((weight, i) => `updates at λ_M = ${weight} (${i + 1} of 3)`));
    expect(points.map(({ minimality }) => minimality.nonZero)).toEqual([12, expect.any(Number), 0]);
    expect(points[1]!.minimality.nonZero).toBeLessThan(12);
    const alone = await trainSteering(gpt2, parts.train, spec, { ...options, minimality: { weight: 0.1 } });
    expect(points[1]!.trained.values.places).toEqual(alone.values.places);
    expect([points[0]!.train.examples, points[0]!.validation.examples]).toEqual([4, 2]);
    const rated = points.map((point, i) => ({
      ...point,
      validation: { ...point.validation, twoWaySuccess: [0.9, 0.89, 0.2][i]! },
    }));
    expect(bestPoint(rated).weight).toBe(0.1);
    expect(bestPoint(rated, 0).weight).toBe(0);
    gpt2.dispose();
  });
});

describe('calibrateStrength', () => {
  it('takes the strength with most successes, measured as by hand', async () => {
    const gpt2 = await gpt2Of(reference);
    const { values } = await trainSteering(gpt2, examples, spec, { objective, updates: 30, rate: 0.05 });
    using steering = new Steering(gpt2, spec, { values: [values] });
    const rule = { margin: 0.2, massShare: 0, drift: 10 };
    const { scale, tried } = await calibrateStrength(
      gpt2,
      (by) => steererOf('learnt', steering, { nonZero: 1, scale: by }),
      examples,
      { scales: [0.1, 1, 2], rule },
    );
    const most = Math.max(...tried.map(({ figures }) => figures.twoWaySuccess));
    expect(tried.find((each) => each.scale === scale)!.figures.twoWaySuccess).toBe(most);
    expect(most).toBeGreaterThan(tried[0]!.figures.twoWaySuccess);
    const byHand = await evaluateSteering(
      gpt2,
      {
        ...steererOf('by hand', steering, { nonZero: 1 }),
        interventions: (rows) => steering.interventions({ strength: rows.map((row) => 2 * row.strength) }),
      },
      examples,
    );
    expect(tried[2]!.figures).toEqual(summarise(byHand, rule));
    await expect(
      calibrateStrength(gpt2, () => steererOf('', steering, { nonZero: 1 }), examples, { scales: [0] }),
    ).rejects.toMatchObject({ code: 'usage/steering-option' });
    gpt2.dispose();
  });
});

describe('cellContributions', () => {
  it('is what taking each cell away costs, and putting them back in that order gives', async () => {
    const gpt2 = await gpt2Of(reference);
    const { values } = await trainSteering(gpt2, examples, spec, {
      objective,
      updates: 30,
      rate: 0.05,
      minimality: { weight: 0.05 },
    });
    const found = await cellContributions(gpt2, values, examples);
    const shiftOf = async (of: typeof values): Promise<number> => {
      using steering = new Steering(gpt2, spec, { values: [of] });
      return summarise(await evaluateSteering(gpt2, steererOf('', steering, { nonZero: 1 }), examples)).shift;
    };
    expect(found.shift).toBeCloseTo(await shiftOf(values), 4);
    const kept = cellsOf(gpt2.info, values).filter(({ value }) => value !== 0);
    expect(found.cells.length).toBe(kept.length);
    const [first] = found.cells;
    const others = kept.filter(({ place, slot }) => place.at !== first!.cell.place.at || slot !== first!.cell.slot);
    expect(others.length).toBe(kept.length - 1);
    expect(first!.contribution).toBeCloseTo(found.shift - (await shiftOf(without(values, [first!.cell]))), 4);
    expect(found.curve[0]).toBeCloseTo(await shiftOf(without(values, others)), 4);
    expect(found.curve.at(-1)).toBeCloseTo(found.shift, 4);
    expect(found.curve[found.cellsFor90 - 1]).toBeGreaterThanOrEqual(0.9 * found.shift);
    const contributions = found.cells.map(({ contribution }) => contribution);
    expect(contributions).toEqual([...contributions].sort((a, b) => b - a));
    gpt2.dispose();
  });
});
