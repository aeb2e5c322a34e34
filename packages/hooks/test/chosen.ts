// What the tests of generation share: prompts, logits without a cache, and the float64 sampler as the judge of a token.
import { randomUniform, readFloats } from '@limn/tensor';
import { referenceSampling } from '@limn/testing';
import { expect } from 'vitest';
import { tokenBatch, type GeneratedToken, type Intervention, type Sampling } from '../src/index.js';
import { toy } from './toy.js';

const { adjusted, candidates, cumulative, kept, probabilities } = referenceSampling;
/** Of unequal lengths, in the toy's 13 tokens. */
export const prompts = [[1, 4, 7], [2, 2, 8, 5, 0], [3], [9, 12, 1, 1]];

/** Logits [V] behind each token of a text, without a cache. */
export async function uncached(
  text: readonly number[],
  interventions: readonly Intervention[] = [],
): Promise<Float32Array[]> {
  const model = await toy();
  const V = model.info.vocabulary;
  const step = model.gpu.step();
  const all = await readFloats(
    step,
    model.run(step, { tokens: tokenBatch([text], model.info) }, { interventions }).logits,
  );
  return text.map((_, t) => all.subarray(t * V, (t + 1) * V));
}

/** Whether a token is what the sampler must choose from these logits, to rounding of the logits themselves. */
export function expectChosen(
  token: GeneratedToken,
  text: readonly number[],
  logits: Float32Array,
  sampling: Sampling,
): void {
  // Cached and uncached logits agree to 1e-5 of their size (the contract), which is below 10 here; shares of mass move by as much.
  const near = 1e-4;
  const how = {
    penalty: sampling.repetitionPenalty ?? 1,
    temperature: sampling.kind === 'sample' ? (sampling.temperature ?? 1) : 1,
  };
  const values = adjusted(logits, how, new Set(text));
  if (sampling.kind === 'greedy') {
    expect(Math.max(...values) - (values[token.id] as number)).toBeLessThan(near);
    return;
  }
  const { topK, topP = 1 } = sampling;
  const { before } = candidates(values, topK).find(({ id }) => id === token.id) ?? { before: Infinity };
  expect(before).toBeLessThan(topP + near);
  const chances = probabilities(values, kept(values, { topP, ...(topK === undefined ? {} : { topK }) }));
  const ends = cumulative(chances);
  const u = randomUniform(sampling.seed, sampling.streams?.[token.row] ?? token.row, token.position);
  expect(u).toBeGreaterThan((ends[token.id] as number) - near);
  expect(u).toBeLessThan((ends[token.id + 1] as number) + near);
}
