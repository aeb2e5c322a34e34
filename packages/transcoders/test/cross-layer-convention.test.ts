// The convention of a cross-layer transcoder is found by what all its layers together leave unexplained, and its numbers are brought over layer by layer.
import { refusal, testGpu } from '@limn/testing';
import { fromData, readFloats } from '@limn/tensor';
import { expect, test } from 'vitest';
import {
  conformedAcross,
  CrossLayerDictionary,
  requireCrossLayerConvention,
  type CrossLayerDictionaryConfig,
  type CrossLayerWeights,
  type Gain,
  type StoredCrossLayer,
} from '../src/index.js';
import { uniform } from './uniform.js';

const [L, F, d, N] = [2, 6, 4, 40];
const config: CrossLayerDictionaryConfig = {
  layers: L,
  features: F,
  width: d,
  input: 'ln2.hook_normalized',
  activation: { kind: 'relu' },
};
const draw = uniform(7);
/** For x as it is; and the same for x̂ = (x − β)/γ. */
const kept = Array.from({ length: L }, (_, layer): CrossLayerWeights => ({
  layer,
  wEnc: draw(F * d),
  bEnc: draw(F),
  bDec: draw(d),
  wDec: draw(F * (L - layer) * d),
}));
const gains = Array.from({ length: L }, (): Gain => ({ gamma: draw(d).map((g) => 3 + 2 * g), beta: draw(d) }));
const folded = kept.map((own, layer): CrossLayerWeights => {
  const { gamma, beta } = gains[layer]!;
  const shift = (f: number): number => beta.reduce((sum, b, i) => sum + b * own.wEnc[f * d + i]!, 0);
  return {
    ...own,
    wEnc: own.wEnc.map((w, at) => w * gamma[at % d]!),
    bEnc: own.bEnc.map((b, f) => b + shift(f)),
  };
});
const setOf = (weights: readonly CrossLayerWeights[], gain: 'kept' | 'folded'): StoredCrossLayer => ({
  config,
  provenance: { format: 'limn', file: 'config.json', reads: '', writes: '', expects: { gain }, notes: [] },
  read: async (layer) => weights[layer]!,
});

test('the right one is found, another is refused with every candidate, and numbers come over', async () => {
  const gpu = await testGpu();
  const x = Array.from({ length: L }, () => draw(N * d).map((value) => 2 * value));
  using dictionary = CrossLayerDictionary.create(gpu, config, kept);
  using step = gpu.step();
  const rows = x.map((each) => fromData(step, each, [N, d]));
  const y = await Promise.all(dictionary.apply(step, rows).map((each) => readFloats(step, each)));
  const rowSets = [{ bos: false, x, y }];
  for (const [weights, gain] of [
    [kept, 'kept'],
    [folded, 'folded'],
  ] as const) {
    const report = await requireCrossLayerConvention(gpu, setOf(weights, gain), rowSets, { gains });
    expect(report.best).toMatchObject({ gain, output: 'plain', bos: false });
    expect(report.best.fvu).toBeLessThan(1e-9);
    expect(report.candidates).toHaveLength(4);
    const conformed = conformedAcross(setOf(weights, gain), { gain }, gains);
    for (const own of kept) {
      const found = await conformed.read(own.layer);
      // Two roundings of f32 in sums of five.
      found.wEnc.forEach((value, at) => expect(value).toBeCloseTo(own.wEnc[at]!, 5));
      found.bEnc.forEach((value, at) => expect(value).toBeCloseTo(own.bEnc[at]!, 4));
      expect(found.wDec).toEqual(own.wDec);
    }
  }
  const wrong = requireCrossLayerConvention(gpu, setOf(folded, 'kept'), rowSets, { gains });
  expect(await refusal(wrong)).toMatchObject({
    code: 'data/dictionary-convention',
    message: /expected to be for inputs with γ and β.*inputs without γ and β/,
  });
  expect(await refusal(requireCrossLayerConvention(gpu, setOf(kept, 'kept'), []))).toMatchObject({
    code: 'usage/dictionary-convention',
  });
  expect(
    await refusal(requireCrossLayerConvention(gpu, setOf(kept, 'kept'), [{ bos: false, x: x.slice(1), y }])),
  ).toMatchObject({ code: 'usage/dictionary-convention' });
  expect(
    await refusal(async () => conformedAcross(setOf(kept, 'folded'), { gain: 'folded' }, undefined)),
  ).toMatchObject({
    code: 'usage/dictionary-convention',
  });
});
