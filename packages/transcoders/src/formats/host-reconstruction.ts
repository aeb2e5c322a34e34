// ŷ of a dictionary in this thread, in float64: for small dictionaries and as a reference of the GPU's.
import type { DictionaryConfig } from '../dictionary-config.js';
import type { DictionaryWeights } from '../dictionary.js';

/** ŷ [N, O] of x [N, I]; `batch-top-k` with the threshold that it learnt. */
export function reconstructOnHost(config: DictionaryConfig, weights: DictionaryWeights, x: Float32Array): Float32Array {
  const { inputWidth: I, outputWidth: O, features: F } = config;
  const { wEnc, bEnc, wDec, bDec, wSkip } = weights;
  const rows = x.length / I;
  const y = new Float32Array(rows * O);
  const h = new Float64Array(F);
  const out = new Float64Array(O);
  for (let n = 0; n < rows; n++) {
    for (let f = 0; f < F; f++) {
      let sum = bEnc[f] as number;
      for (let i = 0; i < I; i++) sum += (x[n * I + i] as number) * (wEnc[f * I + i] as number);
      h[f] = sum;
    }
    out.set(bDec);
    for (const f of firing(config, weights, h))
      for (let o = 0; o < O; o++) out[o] = (out[o] as number) + (h[f] as number) * (wDec[f * O + o] as number);
    if (wSkip)
      for (let i = 0; i < I; i++)
        for (let o = 0; o < O; o++)
          out[o] = (out[o] as number) + (x[n * I + i] as number) * (wSkip[i * O + o] as number);
    y.set(out, n * O);
  }
  return y;
}

/** The features of which a = h > 0; those of top-k by the largest h, equal ones by the lower feature. */
function firing({ activation }: DictionaryConfig, { logThreshold }: DictionaryWeights, h: Float64Array): number[] {
  const positive = [...h.keys()].filter((f) => (h[f] as number) > 0);
  switch (activation.kind) {
    case 'relu':
      return positive;
    case 'top-k':
      return positive.sort((a, b) => (h[b] as number) - (h[a] as number) || a - b).slice(0, activation.k);
    case 'batch-top-k':
    case 'jump-relu':
      return positive.filter((f) => (h[f] as number) > Math.exp(logThreshold?.[f] as number));
  }
}
