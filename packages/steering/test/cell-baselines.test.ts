// Baselines that scale cells, by what they do: every number against the float64 model in which the same cells are scaled by hand.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { referenceEap, testGpu, ToyModel } from '@limn/testing';
import {
  averagedOverPlaces,
  cellGradients,
  cellsOf,
  evaluateSteering,
  gradActivation,
  positionTable,
  roleConstant,
  singleCells,
  Steering,
  steererOf,
  thresholdScores,
  type CellScores,
  type PositionMode,
  type ScalarPlacement,
  type SteeringExample,
  type SteeringValues,
} from '../src/index.js';
import { examplesOf, gpt2Of, SIZES } from './models.js';

const reference = referenceEap.randomModel(SIZES, 7);
const sites = ['hook_attn_out', 'hook_mlp_out'] as const;
let gpt2: Awaited<ReturnType<typeof gpt2Of>>;
beforeAll(async () => {
  gpt2 = await gpt2Of(reference);
});
afterAll(() => gpt2.dispose());

function placed(examples: readonly SteeringExample[], mode: PositionMode): ScalarPlacement {
  const prompts = examples.map(({ prompt, roles }) => ({ length: prompt.length, roles }));
  return { sites, positions: positionTable(prompts, mode, { skip: 1 }) };
}

/** Whether a token is of a cell's position. */
type IsOf = (example: SteeringExample, t: number) => boolean;
const isFromEnd =
  (slot: number): IsOf =>
  ({ prompt }, t) =>
    t >= 1 && t === prompt.length - 1 - slot;

/** Mean Δ in float64 when the activation at some site, layer and token is multiplied. */
function meanDelta(
  examples: readonly SteeringExample[],
  factor: (site: string, layer: number, example: SteeringExample, t: number) => number,
): number {
  return (
    examples.reduce((sum, example) => {
      const { logits } = referenceEap.eapForward(
        reference,
        referenceEap.tokenEmbeddings(reference, example.prompt),
        undefined,
        (site, layer, x) => x.map((value, i) => value * factor(site, layer, example, Math.floor(i / SIZES.width))),
      );
      return sum + logits[example.correct]! - logits[example.wrong]!;
    }, 0) / examples.length
  );
}
const nameOf = (site: string): string => (site === 'hook_attn_out' ? 'attn-out' : 'mlp-out');
const oneCell =
  ({ place, slot }: CellScores['cells'][number], by: number) =>
  (site: string, layer: number, example: SteeringExample, t: number): number =>
    site === nameOf(place.site) && layer === place.layer && isFromEnd(slot)(example, t) ? by : 1;

describe('gradient times activation', () => {
  const examples = examplesOf(6, { lengths: [5, 4, 7] });

  it('is the slope of Δ as each cell is scaled, for prompts of three lengths in any batches; dead cells are marked and exactly 0', async () => {
    const { cells } = await cellGradients(gpt2, examples, placed(examples, 'from-end'));
    const parts = await cellGradients(gpt2, examples, placed(examples, 'from-end'), { batchSize: 2 });
    expect(cells).toHaveLength(2 * SIZES.layers * 6);
    const scale = Math.max(...cells.map(({ value }) => Math.abs(value)));
    cells.forEach((cell, i) => {
      const slope =
        (meanDelta(examples, oneCell(cell, 1 + 1e-5)) - meanDelta(examples, oneCell(cell, 1 - 1e-5))) / 2e-5;
      // f32 through two layers against float64.
      expect(Math.abs(cell.value - slope)).toBeLessThan(1e-4 * scale);
      expect(Math.abs(parts.cells[i]!.value - cell.value)).toBeLessThan(1e-5 * scale);
      expect(cell.live).toBe(cell.place.layer === 0 || cell.slot === 0);
      if (!cell.live) expect(cell.value).toBe(0);
    });
  });

  it('per head: what a cell of attn_out has, its heads have together, but for the bias of the output', async () => {
    const one = examplesOf(3);
    const { positions } = placed(one, 'absolute');
    const heads = await cellGradients(gpt2, one, { sites: ['attn.hook_z'], positions });
    expect(heads.cells).toHaveLength(SIZES.layers * SIZES.heads * 4);
    const scale = Math.max(...heads.cells.map(({ value }) => Math.abs(value)));
    for (const layer of [0, 1])
      for (const slot of [0, 3]) {
        const own = heads.cells.filter(({ place, ...cell }) => place.layer === layer && cell.slot === slot);
        const bias = reference.layers[layer]!.o.bias;
        const moved = (by: number): number =>
          one.reduce((sum, { prompt, correct, wrong }) => {
            const { logits } = referenceEap.eapForward(
              reference,
              referenceEap.tokenEmbeddings(reference, prompt),
              undefined,
              (site, l, x) =>
                x.map((value, i) => {
                  const j = i % SIZES.width;
                  const here = site === 'attn-out' && l === layer && Math.floor(i / SIZES.width) === slot + 1;
                  return here ? bias[j]! + (value - bias[j]!) * (1 + by) : value;
                }),
            );
            return sum + (logits[correct]! - logits[wrong]!) / one.length;
          }, 0);
        const slope = (moved(1e-5) - moved(-1e-5)) / 2e-5;
        expect(Math.abs(own.reduce((sum, { value }) => sum + value, 0) - slope)).toBeLessThan(2e-4 * scale);
      }
  });

  it('thresholded: ±c at the cells of largest score that can have an effect, and nowhere else', async () => {
    const scores = await cellGradients(gpt2, examples, placed(examples, 'from-end'));
    const values = thresholdScores(gpt2, scores, { top: 5, size: 0.5 });
    const found = cellsOf(gpt2.info, values).filter(({ value }) => value !== 0);
    const largest = [...scores.cells].sort((a, b) => Math.abs(b.value) - Math.abs(a.value)).slice(0, 5);
    expect(new Set(found.map(({ place, slot, value }) => `${place.at} ${slot} ${value}`))).toEqual(
      new Set(largest.map(({ place, slot, value }) => `${place.at} ${slot} ${0.5 * Math.sign(value)}`)),
    );
    const live = scores.cells.filter((cell) => cell.live).length;
    const all = thresholdScores(gpt2, scores, { top: live });
    expect(cellsOf(gpt2.info, all).filter(({ value }) => value !== 0)).toHaveLength(live);
    for (const top of [0, 1.5, live + 1])
      expect(() => thresholdScores(gpt2, scores, { top })).toThrow(
        expect.objectContaining({ code: 'usage/steering-option' }) as Error,
      );
    expect(await gradActivation(gpt2, examples, placed(examples, 'from-end'), { top: 5, size: 0.5 })).toEqual(values);
    // To first order: a small strength moves Δ by its share of Σ|score|, either way.
    const first = largest.reduce((sum, { value }) => sum + Math.abs(value), 0);
    using steering = new Steering(gpt2, values.spec, { values: [values] });
    const [up, down] = await deltas(steererOf('small', steering, { nonZero: 5, scale: 0.02 }), examples);
    expect((up! - down!) / (2 * 0.02 * 0.5 * first)).toBeCloseTo(1, 1);
  });
});

/** Mean Δ at +1 and at −1. */
async function deltas(steerer: ReturnType<typeof steererOf>, examples: readonly SteeringExample[]): Promise<number[]> {
  const measured = await evaluateSteering(gpt2, steerer, examples);
  return [0, 1].map((s) => measured.reduce((sum, { outcomes }) => sum + outcomes[s]!.delta, 0) / examples.length);
}

describe('single cells', () => {
  const examples = examplesOf(4, { lengths: [5, 6] });

  it('each is the model with that cell at zero, and doubled; dead ones do nothing', async () => {
    const { cells, best, values } = await singleCells(gpt2, examples, placed(examples, 'from-end'));
    const untouched = meanDelta(examples, () => 1);
    for (const cell of cells) {
      expect(cell.value).toBeCloseTo(meanDelta(examples, oneCell(cell, 0)) - untouched, 3);
      expect(cell.doubled).toBeCloseTo(meanDelta(examples, oneCell(cell, 2)) - untouched, 3);
      if (!cell.live) expect([cell.value, cell.doubled]).toEqual([0, 0]);
    }
    const shift = ({ value, doubled }: typeof best): number => Math.abs(doubled - value);
    expect(shift(best)).toBe(Math.max(...cells.map(shift)));
    using steering = new Steering(gpt2, values.spec, { values: [values] });
    const [up, down] = await deltas(steererOf('best cell', steering, { nonZero: 1 }), examples);
    expect(up! - down!).toBeCloseTo(shift(best), 3);
    expect(cellsOf(gpt2.info, values).filter(({ value }) => value !== 0)).toHaveLength(1);
  });

  it('refuses cells none of which can have an effect', async () => {
    const { positions } = placed(examples, 'from-end');
    await expect(
      singleCells(gpt2, examples, {
        sites: ['hook_mlp_out'],
        layers: [1],
        positions: { ...positions, skip: 7 },
      }),
    ).rejects.toMatchObject({ code: 'data/steering-direction' });
  });
});

describe('one scalar per role', () => {
  const examples = examplesOf(4, { lengths: [5, 6] });
  const roleAt = (example: SteeringExample, t: number): string | undefined => example.roles?.[t];

  it('has the slopes of a scalar that all sites and layers share', async () => {
    const scores = await cellGradients(gpt2, examples, placed(examples, 'role'));
    const values = roleConstant(gpt2, scores, { size: 0.7 });
    const alphas = new Map<string, number[]>();
    for (const { slot, value } of cellsOf(gpt2.info, values)) {
      const role = scores.placement.positions.names[slot]!;
      alphas.set(role, [...(alphas.get(role) ?? []), value]);
    }
    expect([...alphas.keys()].sort()).toEqual(['last', 'second']);
    const slope = (role: string): number => {
      const moved = (by: number): number =>
        meanDelta(examples, (_site, _layer, example, t) => (roleAt(example, t) === role ? 1 + by : 1));
      return (moved(1e-5) - moved(-1e-5)) / 2e-5;
    };
    const slopes = new Map([...alphas.keys()].map((role) => [role, slope(role)]));
    const largest = Math.max(...[...slopes.values()].map(Math.abs));
    for (const [role, own] of alphas) {
      expect(new Set(own).size).toBe(1);
      expect(own[0]).toBeCloseTo((0.7 * slopes.get(role)!) / largest, 3);
    }
  });

  it('or the mean of learnt scalars over the places', () => {
    const placement = placed(examples, 'from-end');
    const table = (...alpha: number[]) => new Map([['alpha', Float32Array.from(alpha)] as const]);
    const values: SteeringValues = {
      spec: { method: { kind: 'activ-scalar' }, ...placement },
      fingerprint: gpt2.info.fingerprint,
      places: new Map([
        ['blocks.0.hook_attn_out', table(1, 2, 3, 4, 5)],
        ['blocks.0.hook_mlp_out', table(3, 2, 1, 0, 0)],
        ['blocks.1.hook_attn_out', table(5, 9, 9, 9, 9)],
        ['blocks.1.hook_mlp_out', table(7, 9, 9, 9, 9)],
      ]),
    };
    const averaged = averagedOverPlaces(gpt2, values);
    // In the last layer only the last position can have an effect.
    for (const own of averaged.places.values()) expect([...own.get('alpha')!]).toEqual([4, 2, 2, 2, 2.5]);
    expect(() =>
      averagedOverPlaces(gpt2, { ...values, spec: { ...values.spec, method: { kind: 'steer-vec' } } }),
    ).toThrow(expect.objectContaining({ code: 'usage/steering-method' }) as Error);
    const none: CellScores = { placement, cells: [] };
    expect(() => roleConstant(gpt2, none)).toThrow(
      expect.objectContaining({ code: 'data/steering-direction' }) as Error,
    );
  });
});

it('a second architecture, through the same interface', async () => {
  const toy = new ToyModel(await testGpu(), {
    layers: 2,
    heads: 2,
    headWidth: 8,
    mlpWidth: 16,
    vocabulary: 23,
    maxPositions: 8,
  });
  const examples = examplesOf(3);
  const scores = await cellGradients(toy, examples, placed(examples, 'absolute'));
  const { cells } = await singleCells(toy, examples, placed(examples, 'absolute'));
  for (const cell of scores.cells.filter((each) => each.live)) {
    const values = thresholdScores(toy, { ...scores, cells: [cell] }, { top: 1, size: 1 });
    using steering = new Steering(toy, values.spec, { values: [values] });
    const measured = await evaluateSteering(toy, steererOf('one', steering, { nonZero: 1 }), examples);
    const single = cells.find(({ place, slot }) => place.at === cell.place.at && slot === cell.slot)!;
    const shift = measured.reduce((sum, { outcomes: [up, down] }) => sum + up!.delta - down!.delta, 0) / 3;
    expect(shift).toBeCloseTo((single.doubled - single.value) * Math.sign(cell.value), 3);
  }
});
