// The model card's figures on models whose figures are known: one that always answers as it should, one that never does.
import { describe, expect, it } from 'vitest';
import { TASKS, VOCABULARY } from '@limn/tasks';
import type { Pair } from '@limn/tasks';
import { RECIPE, ablationFigures, ablationSequences, figurePrompts, pocketFigures, requirements } from '@limn/pocket';
import type { LogitsAfter } from '@limn/pocket';

const options = { prompts: 30 };
const key = (ids: readonly number[]): string => ids.join(' ');

/** A model that gives each prompt the probabilities that `odds` says; the rest is spread evenly. */
function oracle(odds: (pair: Pair, corrupted: boolean) => ReadonlyMap<number, number>): LogitsAfter {
  const known = new Map<string, Float64Array>();
  const learn = (ids: readonly number[], p: ReadonlyMap<number, number>): void => {
    const rest = 1 - [...p.values()].reduce((sum, x) => sum + x, 0);
    const row = new Float64Array(VOCABULARY.length).fill(Math.log(rest / (VOCABULARY.length - p.size)));
    for (const [id, value] of p) row[id] = Math.log(value);
    known.set(key(ids), row);
  };
  for (const { id } of TASKS) {
    for (const pair of figurePrompts(id, options)) {
      learn(pair.clean, odds(pair, false));
      if (id === 'ioi') learn(pair.corrupted, odds(pair, true));
    }
  }
  return async (prompts) => prompts.map((ids) => known.get(key(ids)) ?? new Float64Array(VOCABULARY.length));
}

const spread = (ids: readonly number[], total: number): [number, number][] => ids.map((id) => [id, total / ids.length]);

const ideal = oracle((pair, corrupted) => {
  const [right, wrong] = [pair.correct, pair.incorrect];
  if (corrupted || pair.task === 'country-capital-conflict') {
    return new Map([...spread(right, 0.46), ...spread(wrong, 0.46)]);
  }
  if (pair.task === 'country-capital-doubtful') return new Map([...spread(right, 0.08), ...spread(wrong, 0.88)]);
  return new Map([...spread(right, 0.9), ...spread(wrong, 0.04)]);
});

describe('pocketFigures', () => {
  it('a model that answers as it should meets every requirement', async () => {
    const figures = await pocketFigures(ideal, options);
    const list = requirements(figures, { loss: 1, mlp: [0.3, 0.25, 0.5], heads: [] });
    expect(list.filter(({ met }) => !met)).toEqual([]);
    expect(list.length).toBe(16);
    expect(figures.greaterThanProbDiff['greater-than']).toBeCloseTo(0.86, 9);
    expect(figures.conflict.none).toMatchObject({ context: expect.closeTo(0.46, 9), rest: expect.closeTo(0.08, 9) });
    expect(figures.abc).toMatchObject({ gap: expect.closeTo(0, 9), mass: expect.closeTo(0.92, 9), prompts: 90 });
    const rules = Object.values(figures.ioiByRule).map(({ prompts }) => prompts);
    expect(rules.reduce((sum, n) => sum + n, 0)).toBe(90);
  });

  it('a model that answers the wrong way misses every requirement on its answers', async () => {
    const figures = await pocketFigures(
      oracle((pair) => new Map([...spread(pair.correct, 1e-6), ...spread(pair.incorrect, 0.93)])),
      options,
    );
    expect(Object.values(figures.accuracy).map(({ value }) => value)).toEqual(Array.from({ length: 8 }, () => 0));
    expect(figures.abc.gap).toBeCloseTo(Math.log(0.93e6), 9);
    const missed = requirements(figures)
      .filter(({ met }) => !met)
      .map(({ name }) => name);
    expect(missed.length).toBe(12);
  });
});

describe('ablationFigures', () => {
  it('asks for every MLP and head once, on text of another seed than training', async () => {
    const asked: string[] = [];
    const figures = await ablationFigures(
      async (sequences, site) => {
        asked.push(site === undefined ? 'intact' : `${site.kind}${site.layer}${site.kind === 'head' ? site.head : ''}`);
        return sequences.length + (site === undefined ? 0 : 1 + site.layer);
      },
      RECIPE.model,
      8,
    );
    const { layers, heads } = RECIPE.model;
    expect(new Set(asked).size).toBe(1 + layers * (1 + heads));
    expect(figures.loss).toBe(8);
    expect(figures.mlp).toEqual(Array.from({ length: layers }, (_, l) => 1 + l));
    expect(figures.heads.map((row) => row.length)).toEqual(figures.mlp.map(() => heads));
    expect(ablationSequences(40).map((row) => row.length)).toEqual(
      Array.from({ length: 40 }, () => RECIPE.model.positions),
    );
  });
});
