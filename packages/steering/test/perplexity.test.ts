// Perplexity of control texts, untouched and steered, against −log p of every next token in the float64 model.
import { expect, it } from 'vitest';
import { referenceEap } from '@limn/testing';
import { offTaskPerplexity, positionTable, Steering, steererOf, type ControlPrompt } from '../src/index.js';
import { examplesOf, gpt2Of, SIZES } from './models.js';

const reference = referenceEap.randomModel(SIZES, 7);
const prompts: ControlPrompt[] = examplesOf(5, { lengths: [5, 3, 7] });

/** −log p of every token that has one in front of it; the model is causal, so the prefix decides. */
function nllOf(factor: (layer: number, t: number) => number): number[] {
  return prompts.flatMap(({ prompt }) =>
    prompt.slice(1).map((next, t) => {
      const { logits } = referenceEap.eapForward(
        reference,
        referenceEap.tokenEmbeddings(reference, prompt.slice(0, t + 1)),
        undefined,
        (site, layer, x) =>
          site === 'mlp-out' ? x.map((value, i) => value * factor(layer, Math.floor(i / SIZES.width))) : x,
      );
      const total = logits.reduce((sum, z) => sum + Math.exp(z), 0);
      return Math.log(total) - logits[next]!;
    }),
  );
}
const mean = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0) / values.length;

it('is e^ of the mean over all next tokens, and changes by what steering costs', async () => {
  const gpt2 = await gpt2Of(reference);
  const alpha = [0.6, -0.9];
  using steering = new Steering(gpt2, {
    method: { kind: 'activ-scalar' },
    sites: ['hook_mlp_out'],
    positions: positionTable([], 'none', { skip: 1 }),
  });
  for (const { at, layer } of steering.places) steering.write(at, 'alpha', Float32Array.of(alpha[layer]!));
  const steerer = steererOf('scales', steering, { nonZero: 2 });
  const strengths = [1, -1, 0];
  const found = await offTaskPerplexity(gpt2, prompts, steerer, { strengths, batchSize: 2 });
  expect([found.prompts, found.tokens]).toEqual([5, 4 + 2 + 6 + 4 + 2]);
  const bare = mean(nllOf(() => 1));
  // Logits in f32, a few of them around 5.
  expect(found.untouched.nll).toBeCloseTo(bare, 5);
  expect(found.untouched.perplexity).toBeCloseTo(Math.exp(bare), 4);
  const expected = strengths.map((beta) => mean(nllOf((layer, t) => (t < 1 ? 1 : 1 + beta * alpha[layer]!))));
  found.strengths.forEach(({ strength, nll, perplexity, change }, s) => {
    expect(strength).toBe(strengths[s]);
    expect(nll).toBeCloseTo(expected[s]!, 5);
    expect(perplexity).toBeCloseTo(Math.exp(expected[s]!), 4);
    expect(change).toBeCloseTo(Math.exp(expected[s]! - bare) - 1, 5);
  });
  const changes = found.strengths.map(({ change }) => change);
  expect(Math.min(Math.abs(changes[0]!), Math.abs(changes[1]!))).toBeGreaterThan(0.01);
  // Batches of another shape round otherwise, in f32.
  expect(changes[2]).toBeCloseTo(0, 6);
  expect(Math.abs(found.largestChange)).toBe(Math.max(...changes.map(Math.abs)));
  await expect(offTaskPerplexity(gpt2, [], steerer)).rejects.toMatchObject({ code: 'data/steering-empty' });
  await expect(offTaskPerplexity(gpt2, [...prompts, { prompt: [3] }], steerer)).rejects.toMatchObject({
    code: 'data/steering-prompt',
    details: { short: 5 },
  });
  gpt2.dispose();
});
