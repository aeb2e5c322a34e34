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
  type SteeringFigures,
} from '../src/index.js';
import { examplesOf, gpt2Of, SIZES } from './models.js';

const examples = examplesOf(4);
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
    const measured = await evaluateSteering(gpt2, UNTOUCHED, examples, { strengths: [0] });
    const order = examples
      .map(({ prompt }, i) => ({ prompt, delta: measured[i]!.untouchedDelta }))
      .sort((x, y) => y.delta - x.delta);
    const [plus, minus] = [order[0]!, order.at(-1)!];
    expect([plus.delta > 0, minus.delta < 0]).toEqual([true, true]);
    const made = {
      ActAdd: await actAdd(gpt2, plus.prompt, minus.prompt, 1, { skip: 1 }),
      CAA: await caa(gpt2, examples, { layers: [1] }),
      'mean difference': await meanDifference(gpt2, examples, { layers: [1] }),
      'PCA direction': await pcaDirection(gpt2, examples, { layers: [1], positions: 'last' }),
    };
    for (const name of ['ActAdd', 'CAA', 'mean difference', 'PCA direction'] as const) {
      const [first, second] = rows[name]!;
      expect([first!.chosen, second!.chosen, rows[name]!.length]).toEqual([{ layer: 0 }, { layer: 1 }, 2]);
      const norms = await relativeNorms(gpt2, examples, made[name]);
      expect(second!.values!.places).toEqual(toRelativeNorm(made[name], norms).places);
    }
    for (const { relative } of await relativeNorms(gpt2, examples, rows.CAA![1]!.values!))
      expect(relative).toBeCloseTo(1, 4);
  });

  it('leaves out what prompts do not give: two sides, pairs that differ, a second prompt of the usual length', async () => {
    const placed = { ...placement, positions: positionTable([], 'from-end', { skip: 1 }) };
    const one = await trainingFreeCandidates(gpt2, examples.slice(0, 1), placed);
    expect(Object.keys(one)).toEqual(['untouched', 'gradient × activation', 'best single cell', 'CAA']);
    const mixed = [...examplesOf(2, { lengths: [4] }), ...examplesOf(1, { lengths: [6] })];
    const rows = await trainingFreeCandidates(gpt2, mixed, placed);
    expect(rows.ActAdd![0]!.values!.spec.positions.names).toEqual(['1', '2', '3']);
  });
});

describe('chooseCandidate', () => {
  it('takes the setting and the strength that serve most, and measures them on other prompts', async () => {
    const rule = { margin: 0.3, massShare: 0, drift: 5 };
    const scores = await cellGradients(gpt2, examples, placement);
    const cells: SteeringCandidate = { chosen: { cells: 3 }, values: thresholdScores(gpt2, scores, { top: 3 }) };
    const untouched: SteeringCandidate = { chosen: {}, steerer: UNTOUCHED };
    const chosen = await chooseCandidate(gpt2, [untouched, cells, untouched], examples, { rule });
    const all: SteeringFigures[] = [];
    for (const scale of [0.25, 0.5, 0.75, 1, 1.25, 1.5, 2, 3])
      all.push(await candidateFigures(gpt2, cells, scale, examples, { rule }));
    const most = Math.max(...all.map(({ twoWaySuccess }) => twoWaySuccess));
    expect(chosen.candidate.chosen).toEqual({ cells: 3 });
    expect(chosen.validation.twoWaySuccess).toBe(most);
    expect(all).toContainEqual(chosen.validation);
    expect(most).toBeGreaterThan(all[0]!.twoWaySuccess);
    const there = await candidateFigures(gpt2, chosen.candidate, chosen.scale, examples.slice(0, 2), { rule });
    expect(there.examples).toBe(2);
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
