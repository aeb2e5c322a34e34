// The closed-form toy model of the golden edge scores (weight i of tensor s is amplitude · sin(12.9898 (i + 1) + 78.233 s)), the same waves at any size, and random models.
import { referenceRandom } from '../reference-rng.js';
import type { EapLayer, EapModel, EapSizes } from './eap-model.js';

export const TOY_SIZES: EapSizes = {
  layers: 2,
  heads: 2,
  width: 8,
  headWidth: 4,
  mlpWidth: 16,
  vocabulary: 11,
  positions: 5,
};

/** The one pair of the golden file. */
export const TOY_PAIR = { clean: [1, 4, 7, 2, 9], corrupted: [1, 4, 3, 2, 9], correct: [8], incorrect: [5] } as const;

/** amplitude · sin(12.9898 (i + 1) + 78.233 salt) + plus, i = 0 … n − 1. */
export function wave(n: number, salt: number, amplitude: number, plus = 0): Float64Array {
  return Float64Array.from({ length: n }, (_, i) => plus + amplitude * Math.sin(12.9898 * (i + 1) + 78.233 * salt));
}

/** A model of waves; with TOY_SIZES it is the golden one. */
export function waveModel(
  sizes: EapSizes = TOY_SIZES,
  { block = 'sequential', norm = 'layer' }: { block?: EapModel['block']; norm?: EapModel['norm'] } = {},
): EapModel {
  const { layers, heads: H, width: D, headWidth: K, mlpWidth: M, vocabulary: V, positions: P } = sizes;
  return {
    sizes,
    block,
    norm,
    epsilon: 1e-5,
    embed: wave(V * D, 1, 0.8),
    positions: wave(P * D, 2, 0.3),
    layers: Array.from({ length: layers }, (_, l): EapLayer => {
      const s = 3 + 16 * l;
      const head = (salt: number) => ({ weight: wave(H * D * K, salt, 1.2), bias: wave(H * K, salt + 1, 0.1) });
      return {
        gamma1: wave(D, s, 0.2, 1),
        beta1: wave(D, s + 1, 0.1),
        q: head(s + 2),
        k: head(s + 4),
        v: head(s + 6),
        o: { weight: wave(H * K * D, s + 8, 1.2), bias: wave(D, s + 9, 0.1) },
        gamma2: wave(D, s + 10, 0.2, 1),
        beta2: wave(D, s + 11, 0.1),
        up: { weight: wave(D * M, s + 12, 0.6), bias: wave(M, s + 13, 0.1) },
        down: { weight: wave(M * D, s + 14, 0.5), bias: wave(D, s + 15, 0.1) },
      };
    }),
    gammaFinal: wave(D, 3 + 16 * layers, 0.2, 1),
    betaFinal: wave(D, 4 + 16 * layers, 0.1),
    unembed: wave(D * V, 5 + 16 * layers, 0.8),
  };
}

/** A model of random weights, already rounded to f32: LayerNorm near 1, matrices of gain `gain`, so that no node is negligible. */
export function randomModel(
  sizes: EapSizes,
  seed: number,
  {
    block = 'sequential',
    norm = 'layer',
    gain = 1.5,
  }: { block?: EapModel['block']; norm?: EapModel['norm']; gain?: number } = {},
): EapModel {
  const { layers, heads: H, width: D, headWidth: K, mlpWidth: M, vocabulary: V, positions: P } = sizes;
  const random = referenceRandom(seed);
  const ones = (): Float64Array => random.normals(D, 0.2).map((x) => Math.fround(1 + x));
  const matrix = (rows: number, columns: number, times = 1): Float64Array =>
    random.normals(times * rows * columns, gain / Math.sqrt(rows));
  return {
    sizes,
    block,
    norm,
    epsilon: 1e-5,
    embed: random.normals(V * D, 0.8),
    positions: random.normals(P * D, 0.3),
    layers: Array.from({ length: layers }, (): EapLayer => {
      const head = () => ({ weight: matrix(D, K, H), bias: random.normals(H * K, 0.1) });
      return {
        gamma1: ones(),
        beta1: random.normals(D, 0.1),
        q: head(),
        k: head(),
        v: head(),
        o: { weight: matrix(K, D, H), bias: random.normals(D, 0.1) },
        gamma2: ones(),
        beta2: random.normals(D, 0.1),
        up: { weight: matrix(D, M), bias: random.normals(M, 0.1) },
        down: { weight: matrix(M, D), bias: random.normals(D, 0.1) },
      };
    }),
    gammaFinal: ones(),
    betaFinal: random.normals(D, 0.1),
    unembed: matrix(D, V),
  };
}
