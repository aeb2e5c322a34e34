// The sampling pipeline, and the float64 reference of it, against Hugging Face's own logits processors (recorded by golden/hugging-face-sampling.py).
import { readFileSync } from 'node:fs';
import { referenceSampling, testGpu } from '@limn/testing';
import { expect, it } from 'vitest';
import {
  adjustLogits,
  fromData,
  readFloats,
  readWords,
  samplingThresholds,
  tokenSets,
  tokenSetWords,
} from '../../src/index.js';

interface Case {
  readonly how: {
    readonly penalty?: number;
    readonly temperature?: number;
    readonly topK?: number;
    readonly topP?: number;
    readonly barred?: readonly number[];
  };
  /** Logits in units of 1/1024. */
  readonly logits1024: readonly number[];
  readonly seen: readonly number[];
  readonly kept: readonly number[];
  readonly chances: readonly number[];
}

const file = new URL('../golden/hugging-face-sampling.json', import.meta.url);
const { cases } = JSON.parse(readFileSync(file, 'utf8')) as { readonly cases: readonly Case[] };

it('keeps the tokens that Hugging Face keeps, with the same chances', async () => {
  const gpu = await testGpu();
  for (const { how, logits1024, seen, kept, chances } of cases) {
    const width = logits1024.length;
    const logits = Float32Array.from(logits1024, (value) => value / 1024);
    const barred = how.barred ?? [];
    const name = `${JSON.stringify(how)} of ${width}`;
    const values = referenceSampling.adjusted(logits, how, new Set(seen), new Set(barred));
    // Hugging Face leaves barred tokens out, for which the reference has a chance of 0.
    const mine = referenceSampling.kept(values, how).filter((id) => !barred.includes(id));
    expect(mine, name).toEqual(kept);
    const shares = referenceSampling.probabilities(values, mine);
    // The recorded numbers are f32, rounded to 7 places.
    kept.forEach((id, i) => expect(Math.abs((shares[id] as number) - (chances[i] as number)), name).toBeLessThan(1e-6));

    using step = gpu.step();
    const words = tokenSetWords(width);
    const adjusted = adjustLogits(step, fromData(step, logits, [1, width]), {
      temperature: how.temperature ?? 1,
      penalty: { factor: how.penalty ?? 1, seen: fromData(step, tokenSets([seen], width), [1, words]) },
      barred: { set: fromData(step, tokenSets([barred], width), [words]), on: true },
    });
    const thresholds = readWords(step, samplingThresholds(step, adjusted, how));
    const own = await readFloats(step, adjusted);
    const [key] = (await thresholds) as unknown as [number];
    // No two logits are equal, so the key alone tells what is kept.
    const least = new Float32Array(Uint32Array.of(key >= 0x80000000 ? key & 0x7fffffff : ~key).buffer)[0] as number;
    const found = [...own.keys()].filter((id) => !(own[id]! < least) && own[id] !== -Infinity);
    expect(found, name).toEqual(kept);
  }
});
