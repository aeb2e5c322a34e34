// What needs no learning as rows of one table: every setting against the function that makes it, and the choice among settings against all of them measured.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { referenceEap } from '@limn/testing';
import {
  actAdd,
  caa,
  candidateFigures,
  cellGradients,
  chooseCandidate,
  evaluateSteering,
  meanDifference,
  pcaDirection,
  positionTable,
  prompting,
  relativeNorms,
  singleCells,
  summarise,
  thresholdScores,
  toRelativeNorm,
  TRAINING_FREE,
  trainingFreeCandidates,
  UNTOUCHED,
  type ScalarPlacement,
  type SteeringCandidate,
  type SteeringExample,
  type SteeringValues,
} from '../src/index.js';
import { examplesOf, gpt2Of, SIZES } from './models.js';

const examples = examplesOf(8);
const placement: ScalarPlacement = {
  sites: ['hook_attn_out', 'hook_mlp_out'],
  positions: positionTable(
    examples.map(({ prompt }) => ({ length: prompt.length })),
    'absolute',
    { skip: 1 },
  ),
};
let gpt2: Awaited<ReturnType<typeof gpt2Of>>;
beforeAll(async () => {
  gpt2 = await gpt2Of(referenceEap.randomModel(SIZES, 7));
});
afterAll(() => gpt2.dispose());

const placesOf = (candidates: readonly SteeringCandidate[] | undefined) =>
  candidates?.map(({ values }) => values?.places);

describe('trainingFreeCandidates', () => {
  it('has every row with its settings: what the functions make by themselves, vectors as long as the activations', async () => {
    const rows = await trainingFreeCandidates(gpt2, examples, placement);
    expect(Object.keys(rows)).toEqual([...TRAINING_FREE]);
    expect(rows.untouched).toEqual([{ chosen: {}, steerer: UNTOUCHED }]);
    const scores = await cellGradients(gpt2, examples, placement);
    // 2 sites × 4 positions of layer 0, 2 sites at the last of layer 1: no twenty cells can have an effect.
    expect(rows['gradient × activation']!.map(({ chosen }) => chosen)).toEqual([{ cells: 3 }, { cells: 10 }]);
    expect(placesOf(rows['gradient × activation'])).toEqual(
      [3, 10].map((top) => thresholdScores(gpt2, scores, { top }).places),
    );
    expect(placesOf(rows['best single cell'])).toEqual([(await singleCells(gpt2, examples, placement)).values.places]);
    const asLong = async (made: Promise<SteeringValues>): Promise<SteeringValues['places']> => {
      const values = await made;
      return toRelativeNorm(values, await relativeNorms(gpt2, examples, values)).places;
    };
    const perLayer = (make: (layer: number) => Promise<SteeringValues>) =>
      Promise.all([0, 1].map((layer) => asLong(make(layer))));
    const measured = await evaluateSteering(gpt2, UNTOUCHED, examples, { strengths: [0] });
    const order = examples
      .map(({ prompt }, i) => ({ prompt, delta: measured[i]!.untouchedDelta }))
      .sort((a, b) => b.delta - a.delta);
    const [plus, minus] = [order[0]!, order.at(-1)!];
    expect([plus.delta > 0, minus.delta < 0]).toEqual([true, true]);
    expect(rows.ActAdd!.map(({ chosen }) => chosen)).toEqual([{ layer: 0 }, { layer: 1 }]);
    expect(placesOf(rows.ActAdd)).toEqual(
      await perLayer((layer) => actAdd(gpt2, plus.prompt, minus.prompt, layer, { skip: 1 })),
    );
    expect(placesOf(rows.CAA)).toEqual(await perLayer((layer) => caa(gpt2, examples, { layers: [layer] })));
    expect(placesOf(rows['mean difference'])).toEqual(
      await perLayer((layer) => meanDifference(gpt2, examples, { layers: [layer] })),
    );
    expect(placesOf(rows['PCA direction'])).toEqual(
      await perLayer((layer) => pcaDirection(gpt2, examples, { layers: [layer], positions: 'last' })),
    );
    for (const { values } of rows.CAA!)
      for (const { relative } of await relativeNorms(gpt2, examples, values!)) expect(relative).toBeCloseTo(1, 4);
  });

  it('leaves out what prompts do not give: two sides, pairs that differ, a second prompt of the usual length', async () => {
    const [first] = examples as [SteeringExample];
    const placed = { ...placement, positions: positionTable([], 'from-end', { skip: 1 }) };
    const one = await trainingFreeCandidates(gpt2, [first], placed);
    expect(Object.keys(one)).toEqual(['untouched', 'gradient × activation', 'best single cell', 'CAA']);
    const mixed = [...examplesOf(3, { lengths: [4] }), ...examplesOf(2, { lengths: [6] })];
    const rows = await trainingFreeCandidates(gpt2, mixed, placed);
    expect(rows.ActAdd![0]!.values!.spec.positions.names).toEqual(['1', '2', '3']);
  });
});

describe('chooseCandidate', () => {
  it('takes the setting and the strength that serve most, and measures them on other prompts', async () => {
    const rule = { margin: 0.3, massShare: 0, drift: 5 };
    const settings = (await trainingFreeCandidates(gpt2, examples, placement))['gradient × activation']!;
    const chosen = await chooseCandidate(gpt2, settings, examples, { rule });
    const all: number[] = [];
    for (const candidate of settings)
      for (const scale of [0.25, 0.5, 0.75, 1, 1.25, 1.5, 2, 3])
        all.push((await candidateFigures(gpt2, candidate, scale, examples, { rule })).twoWaySuccess);
    expect(chosen.validation.twoWaySuccess).toBe(Math.max(...all));
    expect(Math.max(...all)).toBeGreaterThan(Math.min(...all));
    expect(await candidateFigures(gpt2, chosen.candidate, chosen.scale, examples, { rule })).toEqual(chosen.validation);
    const some = examples.slice(0, 3);
    const there = await candidateFigures(gpt2, chosen.candidate, chosen.scale, some, { rule });
    expect(there.examples).toBe(3);
    expect(there.drift).not.toBe(chosen.validation.drift);
  });

  it('of equal ones the first; words and the untouched model have no strength to choose; no candidate is refused', async () => {
    const words = (id: number): SteeringCandidate => ({
      chosen: { words: id },
      steerer: prompting('words', { plus: [id], minus: [id] }),
    });
    const same = await chooseCandidate(gpt2, [words(3), { ...words(3), chosen: { words: 'again' } }], examples);
    expect([same.candidate.chosen, same.scale]).toEqual([{ words: 3 }, 1]);
    const untouched = await candidateFigures(gpt2, { chosen: {}, steerer: UNTOUCHED }, 1, examples);
    expect(untouched).toEqual(summarise(await evaluateSteering(gpt2, UNTOUCHED, examples)));
    await expect(chooseCandidate(gpt2, [], examples)).rejects.toMatchObject({ code: 'usage/steering-option' });
  });
});
