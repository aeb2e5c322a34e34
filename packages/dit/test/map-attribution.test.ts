// What each map of a diff adds to an answer, by definition: slopes by differences of strength, and a sum that is what the whole diff adds.
import type { Gpt2 } from '@limn/gpt2';
import { referenceRandom, refusal } from '@limn/testing';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createLora, mapAttribution, strengthCurve, type LoraWeights } from '../src/index.js';
import { goldenModel } from './folders.js';

const QUESTION = [1, 5, 2];
const ANSWER = [7, 3];
let model: Gpt2;
let diff: LoraWeights;
let adapter: LoraWeights;
beforeAll(async () => {
  model = await goldenModel();
  diff = random(2, 1);
  adapter = random(1, 2);
});
afterAll(() => model.dispose());

function random(rank: number, seed: number): LoraWeights {
  const lora = createLora(model, { rank, seed });
  const drawn = referenceRandom(seed);
  const modules = Array.from(lora.modules, ([name, factors]) => {
    const of = (values: Float32Array): Float32Array => Float32Array.from(drawn.normals(values.length, 0.2));
    return [name, { ...factors, a: of(factors.a), b: of(factors.b) }] as const;
  });
  return { ...lora, modules: new Map(modules) };
}

/** The diff with one map's strength changed. */
function nudged(map: string, factor: number): LoraWeights {
  const modules = Array.from(diff.modules, ([name, factors]) => {
    const b = name === map ? factors.b.map((value) => factor * value) : factors.b;
    return [name, { ...factors, b }] as const;
  });
  return { ...diff, modules: new Map(modules) };
}

describe('mapAttribution', () => {
  test('is the mean slope by the strength of each map, at the middle of every step', async () => {
    const steps = 3;
    const { maps } = await mapAttribution(model, diff, adapter, QUESTION, ANSWER, { steps });
    expect(maps.map(({ map }) => map)).toEqual([...diff.modules.keys()]);
    const wide = 2 ** -4;
    for (const { map, nats } of [maps[0]!, maps.at(-1)!]) {
      let sum = 0;
      for (let k = 0; k < steps; k++) {
        const strength = (k + 0.5) / steps;
        const at = async (other: number): Promise<number> => {
          const lora = nudged(map, (strength + other) / strength);
          const [point] = await strengthCurve(model, lora, adapter, QUESTION, ANSWER, { strengths: [strength] });
          return point!.logProbability;
        };
        const over = async (width: number): Promise<number> => ((await at(width)) - (await at(-width))) / (2 * width);
        // Without the third derivative (Richardson).
        sum += (4 * (await over(wide / 2)) - (await over(wide))) / 3 / steps;
      }
      // Rounding of f32 losses over their distance, and the fifth derivative.
      expect(Math.abs(nats - sum)).toBeLessThan(1e-3 * (1 + Math.abs(sum)));
    }
  });

  test('adds up to what the whole diff adds, the better the more steps', async () => {
    const few = await mapAttribution(model, diff, adapter, QUESTION, ANSWER, { steps: 2 });
    const many = await mapAttribution(model, diff, adapter, QUESTION, ANSWER, { steps: 40 });
    const sum = many.maps.reduce((total, { nats }) => total + nats, 0);
    expect(many.whole).toBe(few.whole);
    expect(many.left).toBeCloseTo(many.whole - many.none - sum, 9);
    expect(Math.abs(many.whole - many.none)).toBeGreaterThan(0.1);
    expect(Math.abs(many.left)).toBeLessThan(2e-3 * Math.abs(many.whole - many.none));
    expect(Math.abs(many.left)).toBeLessThan(Math.abs(few.left));
  });

  test('refuses steps that are none', async () => {
    const asked = mapAttribution(model, diff, null, QUESTION, ANSWER, { steps: 0 });
    expect(await refusal(asked)).toMatchObject({ code: 'usage/diff-reading' });
  });
});
