// The causal suite: every figure against plain runs, controls that keep what they are to keep, and verdicts on values that do and do not explain.
import { describe, expect, it } from 'vitest';
import { tokenBatch } from '@limn/hooks';
import { readFloats } from '@limn/tensor';
import { refusal } from '@limn/testing';
import { causalVerdict } from '../src/explain/causal-verdict.js';
import { only, permuted, randomVectors, signShuffled, without } from '../src/explain/cell-values.js';
import { zeroAblationGrid } from '../src/explain/patch-cells.js';
import {
  cellGradients,
  cellsOf,
  offTaskPerplexity,
  positionTable,
  Steering,
  steererOf,
  type SteeringExample,
  type SteeringSpec,
  type SteeringValues,
} from '../src/index.js';
import { differencesOf, meanOf, MIXED, modelOf, randomValues, SAME } from './explain-models.js';
import { examplesOf } from './models.js';

const lengths = (examples: typeof SAME) => examples.map(({ prompt, roles }) => ({ length: prompt.length, roles }));
const numbers = ({ places }: SteeringValues): number[] =>
  [...places.values()].flatMap((own) => [...own.values()].flatMap((data) => [...data]));
const sorted = (values: readonly number[]): number[] => [...values].sort((a, b) => a - b);
const spec: SteeringSpec = {
  method: { kind: 'activ-scalar' },
  sites: ['hook_attn_out', 'hook_mlp_out', 'attn.hook_z'],
  positions: positionTable(lengths(MIXED), 'from-end'),
};

describe('sets of values', () => {
  it('have cells on and off', async () => {
    const model = await modelOf('gpt-2');
    const values = randomValues(model, spec);
    const cells = cellsOf(model.info, values);
    const some = [cells[3], cells[40]] as typeof cells;
    const [kept, rest] = [only(values, cells, some), without(values, some)];
    expect(numbers(kept).filter((value) => value !== 0)).toHaveLength(2);
    expect(sorted(numbers(kept).filter((value) => value !== 0))).toEqual(sorted(some.map(({ value }) => value)));
    numbers(values).forEach((value, i) =>
      expect((numbers(kept)[i] as number) + (numbers(rest)[i] as number)).toBe(value),
    );
  });

  it('permuted hold the same numbers, in live cells only; sign-shuffled the same sizes in the same cells', async () => {
    const model = await modelOf('gpt-2');
    for (const method of [{ kind: 'activ-scalar' }, { kind: 'steer-vec' }] as const) {
      const values = randomValues(model, { ...spec, method, sites: ['hook_attn_out', 'hook_mlp_out'] });
      const cells = cellsOf(model.info, values);
      const live = cells.filter((cell) => cell.live);
      const [first, again, other] = [1, 1, 2].map((stream) => permuted(values, live, { seed: 5, stream }));
      expect(numbers(first as SteeringValues)).toEqual(numbers(again as SteeringValues));
      expect(numbers(first as SteeringValues)).not.toEqual(numbers(other as SteeringValues));
      expect(sorted(numbers(first as SteeringValues))).toEqual(sorted(numbers(values)));
      // Whole cells move: the same sizes, dead ones where they were.
      const moved = cellsOf(model.info, first as SteeringValues);
      expect(sorted(moved.map(({ value }) => value))).toEqual(sorted(cells.map(({ value }) => value)));
      moved.forEach(({ value, live }, i) => (live ? undefined : expect(value).toBe(cells[i]?.value)));
      const turned = signShuffled(values, live, { seed: 5, stream: 3 });
      expect(numbers(turned).map(Math.abs)).toEqual(numbers(values).map(Math.abs));
      const flips = cellsOf(model.info, turned).length;
      expect(flips).toBe(cells.length);
      expect(numbers(turned)).not.toEqual(numbers(values));
    }
  });

  it('of random vectors are as long as they are to be', async () => {
    const model = await modelOf('gpt-2');
    const vectors = randomValues(
      model,
      { ...spec, method: { kind: 'steer-vec' }, sites: ['hook_mlp_out'] },
      { size: 0 },
    );
    const drawn = randomVectors(vectors, (at, slot) => (at.startsWith('blocks.1') ? slot / 2 : 0), {
      seed: 1,
      stream: 7,
    });
    const tables = [...drawn.places.values()].map((own) => own.get('vector') as Float32Array);
    expect(tables[0]?.every((value) => value === 0)).toBe(true);
    for (let slot = 0; slot < 7; slot++)
      expect(Math.hypot(...(tables[1]?.subarray(slot * 16, (slot + 1) * 16) ?? []))).toBeCloseTo(slot / 2, 5);
  });
});

describe('a verdict', () => {
  it('has figures that plain runs have', async () => {
    const model = await modelOf('gpt-2');
    const values = randomValues(model, spec, { size: 0.5, keep: (_, i) => i < 3 });
    const controls = examplesOf(3, { lengths: [4, 6] }).map(({ prompt }) => ({ prompt: [...prompt].reverse() }));
    const verdict = await causalVerdict(model, MIXED, values, {
      strength: 0.8,
      draws: 3,
      sizes: [1, 4],
      seed: 11,
      batchSize: 13,
      controls,
      transfer: { others: examplesOf(7).slice(5), itself: MIXED },
    });
    const both = async (set: SteeringValues, examples: readonly SteeringExample[]): Promise<[number, number][]> => {
      const steering = new Steering(model, set.spec, { values: [set] });
      const at = (strength: number): Promise<number[]> =>
        differencesOf(model, examples, () => steering.interventions({ strength }));
      const [up, down] = [await at(0.8), await at(-0.8)];
      const pairs = up.map((value, n): [number, number] => [value, down[n] as number]);
      steering.dispose();
      return pairs;
    };
    const effect = async (set: SteeringValues, examples: readonly SteeringExample[] = MIXED): Promise<number> =>
      meanOf((await both(set, examples)).map(([up, down]) => up - down));
    expect(verdict.effect).toBeCloseTo(await effect(values), 3);
    expect(verdict.twoWay).toBe(meanOf((await both(values, MIXED)).map(([up, down]) => Number(up > 0 && down < 0))));
    const cells = cellsOf(model.info, values);
    const on = cells
      .filter(({ live, value }) => live && value !== 0)
      .sort((a, b) => Math.abs(b.value) - Math.abs(a.value));
    expect(verdict).toMatchObject({ kept: on.length, examples: 5, strength: 0.8, stability: null, supported: false });
    expect(verdict.sufficiency.map((point) => point.cells)).toEqual([1, 4]);
    expect(verdict.sufficiency[1]?.effect).toBeCloseTo(await effect(only(values, cells, on.slice(0, 4))), 3);
    expect(verdict.necessity[0]?.effect).toBeCloseTo(await effect(without(values, on.slice(0, 1))), 3);
    expect(verdict.necessity[0]?.share).toBeCloseTo((verdict.necessity[0]?.effect as number) / verdict.effect, 10);
    for (const { effects, p } of [verdict.permutation, verdict.signShuffle, verdict.randomVectors]) {
      expect(effects).toHaveLength(3);
      expect(p).toBe((1 + effects.filter((each) => each >= verdict.effect - 1e-3).length) / 4);
    }
    expect(verdict.transfer['itself']).toMatchObject({ examples: 5, twoWay: verdict.twoWay });
    expect(verdict.transfer['itself']?.effect).toBeCloseTo(verdict.effect, 4);
    expect(verdict.transfer['itself']?.ci95?.[1]).toBeCloseTo(verdict.ci95?.[1] as number, 4);
    expect(verdict.transfer['others']?.effect).toBeCloseTo(await effect(values, examplesOf(7).slice(5)), 3);
    const [correct, wrong] = verdict.placebo.answers;
    expect(MIXED.flatMap((example) => [example.correct, example.wrong])).not.toContain(correct);
    const placebo = MIXED.map((example) => ({ ...example, correct, wrong }));
    expect(verdict.placebo.onPlacebo).toBeCloseTo(await effect(values, placebo), 3);
    expect(verdict.offTask?.meanKl).toBeCloseTo(await meanKl(model, values, controls), 4);
    using steering = new Steering(model, values.spec, { values: [values] });
    const texts = await offTaskPerplexity(model, controls, steererOf('again', steering, { nonZero: 0 }), {
      strengths: [0.8, -0.8],
    });
    expect(verdict.perplexity?.untouched.nll).toBeCloseTo(texts.untouched.nll, 5);
    expect(verdict.perplexity?.largestChange).toBeCloseTo(texts.largestChange, 5);
    expect(JSON.parse(JSON.stringify(verdict))).toEqual(verdict);
  });
});

/** KL(untouched ‖ steered) of plain runs, over prompts and both strengths. */
async function meanKl(
  model: Awaited<ReturnType<typeof modelOf>>,
  values: SteeringValues,
  prompts: readonly { readonly prompt: readonly number[] }[],
): Promise<number> {
  const steering = new Steering(model, values.spec, { values: [values] });
  const logp = async (prompt: readonly number[], strength: number): Promise<number[]> => {
    using step = model.gpu.step();
    const { logits } = model.run(
      step,
      { tokens: tokenBatch([prompt], model.info) },
      { interventions: steering.interventions({ strength }), logits: 'last' },
    );
    const read = [...(await readFloats(step, logits))];
    const total = Math.log(read.reduce((sum, value) => sum + Math.exp(value), 0));
    return read.map((value) => value - total);
  };
  const all = prompts.flatMap(({ prompt }) => [0.8, -0.8].map((strength) => ({ prompt, strength })));
  const each = await Promise.all(
    all.map(async ({ prompt, strength }) => {
      const [p, q] = [await logp(prompt, 0), await logp(prompt, strength)];
      return p.reduce((sum, value, i) => sum + Math.exp(value) * (value - (q[i] as number)), 0);
    }),
  );
  steering.dispose();
  return meanOf(each);
}

describe('what a verdict says', () => {
  const narrow: SteeringSpec = {
    ...spec,
    sites: ['hook_attn_out', 'hook_mlp_out'],
    positions: positionTable(lengths(SAME), 'absolute'),
  };
  /** α = c · ∂Δ/∂α: of all ways to deal these numbers to the cells, or their signs, none moves Δ more while c is small. */
  const steepest = async (): Promise<SteeringValues> => {
    const model = await modelOf('gpt-2');
    const { cells } = await cellGradients(model, SAME, narrow);
    const values = randomValues(model, narrow, { size: 0 });
    for (const { place, slot, value } of cells) {
      const alpha = values.places.get(place.at)?.get('alpha') as Float32Array;
      alpha[slot] = 0.05 * value;
    }
    return values;
  };

  it('is that values are supported which are better than their controls and found again', async () => {
    const model = await modelOf('gpt-2');
    const values = await steepest();
    const seen: SteeringExample[][] = [];
    const verdict = await causalVerdict(model, SAME, values, {
      bootstraps: 2,
      refit: async (examples) => {
        seen.push([...examples]);
        return values;
      },
      grids: [await zeroAblationGrid(model, SAME, narrow)],
    });
    expect(verdict.pPerm).toBe(1 / 21);
    expect(verdict).toMatchObject({ supported: true, because: [], cellsFor90: expect.any(Number) as number });
    expect(verdict.stability).toMatchObject({ refits: 2, share: 1, stable: verdict.kept });
    expect(verdict.ci95?.[0] as number).toBeLessThan(verdict.effect);
    expect(verdict.ci95?.[1] as number).toBeGreaterThan(verdict.effect);
    expect(verdict.agreement[0]?.cells).toBe(verdict.live);
    expect(verdict.sufficiency.at(-1)?.cells).toBe(verdict.kept);
    expect(verdict.sufficiency.at(-1)?.share).toBeCloseTo(1, 4);
    expect(verdict.necessity.at(-1)?.cells).toBe(verdict.kept);
    // One refit for placebo answers, two from examples drawn again from those given.
    expect(seen).toHaveLength(3);
    expect(seen[0]?.every(({ correct }) => correct === verdict.placebo.answers[0])).toBe(true);
    expect(seen[1]?.every((example) => SAME.includes(example))).toBe(true);
    expect(seen[1]).not.toEqual(seen[2]);
    expect(verdict.placebo.ofPlaceboFit).toBeCloseTo(verdict.effect, 5);
  });

  it('is why they are not: numbers in any cells, or cells that are not found again', async () => {
    const model = await modelOf('gpt-2');
    const values = randomValues(model, narrow, { size: 0.3 });
    const none = randomValues(model, narrow, { size: 0 });
    const verdict = await causalVerdict(model, SAME, values, { refits: [values, none], seed: 2 });
    expect(verdict.pPerm).toBeGreaterThan(0.05);
    expect(verdict.stability?.share).toBe(0);
    expect(verdict.supported).toBe(false);
    expect(verdict.because.join()).toMatch(/p = .*0 of \d+ kept cells/);
    const again = await causalVerdict(model, SAME, values, { refits: [values, none], seed: 2, batchSize: 17 });
    again.permutation.effects.forEach((effect, i) =>
      expect(effect).toBeCloseTo(verdict.permutation.effects[i] as number, 4),
    );
    const zero = await causalVerdict(model, SAME, none, { draws: 2 });
    expect(zero).toMatchObject({ kept: 0, effect: 0, pPerm: 1, sufficiency: [], cellsFor90: null, supported: false });
  });

  it('is refused where it would mean nothing', async () => {
    const model = await modelOf('gpt-2');
    const values = randomValues(model, narrow);
    const refused = (options: Parameters<typeof causalVerdict>[3]) =>
      refusal(causalVerdict(model, SAME, values, options));
    expect((await refused({ strength: 0 })).code).toBe('usage/steering-option');
    expect((await refused({ draws: 0 })).code).toBe('usage/steering-option');
    expect((await refused({ draws: 1, sizes: [1], refits: [randomValues(model, spec)] })).code).toBe(
      'data/steering-values',
    );
    const stopped = new AbortController();
    stopped.abort();
    await expect(causalVerdict(model, SAME, values, { signal: stopped.signal })).rejects.toThrow(/stopped|abort/i);
  });
});
