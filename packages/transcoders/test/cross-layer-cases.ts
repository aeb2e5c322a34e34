// Cross-layer transcoders of three layers that tests share: parameters on both sides, batches, and every activation with its terms.
import { referenceRandom, type referenceCrossLayer } from '@limn/testing';
import type {
  CrossLayerDictionaryConfig,
  CrossLayerTensorName,
  CrossLayerWeights,
  DictionaryActivation,
  DictionaryLoss,
} from '../src/index.js';

type Parameters = referenceCrossLayer.CrossLayerParameters;

/** Rows, width, features of each layer, and layers of every case. */
export const SIZES = { rows: 24, width: 5, features: 12, layers: 3 };

/** One activation with one loss. */
export interface CrossLayerLossCase {
  readonly name: string;
  readonly activation: DictionaryActivation;
  readonly loss: DictionaryLoss;
}

const jump: DictionaryActivation = { kind: 'jump-relu', bandwidth: 0.3 };

export const LOSS_CASES: readonly CrossLayerLossCase[] = [
  {
    name: 'relu, L1 by decoder norm, pre-activation loss',
    activation: { kind: 'relu' },
    loss: { reconstruction: 'sum', sparsity: { kind: 'l1-decoder', weight: 0.1 }, preActivation: { weight: 0.05 } },
  },
  {
    name: 'jump-relu, tanh and pre-activation loss',
    activation: jump,
    loss: {
      reconstruction: 'sum',
      sparsity: { kind: 'tanh', weight: 0.2, steepness: 2 },
      preActivation: { weight: 0.1 },
    },
  },
  {
    name: 'jump-relu, L0',
    activation: jump,
    loss: { reconstruction: 'paper', sparsity: { kind: 'l0', weight: 0.3 } },
  },
  {
    name: 'top-k, AuxK',
    activation: { kind: 'top-k', k: 3 },
    loss: { reconstruction: 'fvu', auxiliary: { features: 2, weight: 0.5 } },
  },
  {
    name: 'batch-top-k, AuxK of more features than are dead',
    activation: { kind: 'batch-top-k', k: 3 },
    loss: { reconstruction: 'sum', auxiliary: { features: 5, weight: 1 / 32 } },
  },
];

/** Features that have not fired for long, of each layer. */
export const DEAD: readonly (readonly number[])[] = [[1, 4], [0, 5, 9], [7]];

/** The config of an activation. */
export function configOf(activation: DictionaryActivation): CrossLayerDictionaryConfig {
  const { layers, width, features } = SIZES;
  return { layers, width, features, input: 'ln2.hook_normalized', activation };
}

/** The float64 case of a loss, on numbers that f32 holds exactly, and parameters for it. */
export function drawCase(
  { activation, loss }: CrossLayerLossCase,
  seed: number,
): { about: referenceCrossLayer.CrossLayerCase; parameters: Parameters } {
  const { rows, width: d, features: F, layers: L } = SIZES;
  const random = referenceRandom(seed);
  const each = (size: number, scale = 1): Float64Array[] =>
    Array.from({ length: L }, () => random.normals(size, scale));
  return {
    about: {
      rows,
      features: F,
      x: each(rows * d),
      y: each(rows * d),
      activation,
      loss,
      dead: DEAD.map((features) => Float64Array.from({ length: F }, (_, f) => (features.includes(f) ? 1 : 0))),
    },
    parameters: {
      wEnc: each(F * d, 0.5),
      bEnc: each(F, 0.2),
      wDec: Array.from({ length: L }, (_, i) => Array.from({ length: L - i }, () => random.normals(F * d, 0.4))),
      bDec: each(d, 0.2),
      ...(activation.kind === 'jump-relu'
        ? { logThreshold: each(F, 0.3).map((logs) => logs.map((log) => Math.fround(log - 1))) }
        : {}),
    },
  };
}

/** What a cross-layer transcoder takes for these parameters. */
export function weightsOf(
  { wEnc, bEnc, wDec, bDec, logThreshold }: Parameters,
  { layers: L, features: F, width: d, activation }: CrossLayerDictionaryConfig,
): CrossLayerWeights[] {
  return Array.from({ length: L }, (_, layer) => {
    const own = wDec[layer]!;
    const decoders = new Float32Array(F * own.length * d);
    own.forEach((w, to) =>
      w.forEach((value, at) => (decoders[(Math.floor(at / d) * own.length + to) * d + (at % d)] = value)),
    );
    return {
      layer,
      wEnc: Float32Array.from(wEnc[layer]!),
      bEnc: Float32Array.from(bEnc[layer]!),
      bDec: Float32Array.from(bDec[layer]!),
      wDec: decoders,
      ...(logThreshold ? { threshold: Float32Array.from(logThreshold[layer]!, Math.exp) } : {}),
      ...(activation.kind === 'batch-top-k' ? { threshold: new Float32Array(F).fill(1e-6) } : {}),
    };
  });
}

/** The reference's array of a tensor. */
export function arrayOf(
  { wEnc, bEnc, wDec, bDec, logThreshold }: Parameters,
  name: CrossLayerTensorName,
): Float64Array {
  const [kind, i, to] = name.split('.') as [string, string, string?];
  const layer = Number(i);
  if (kind === 'wDec') return wDec[layer]![Number(to) - layer]!;
  return ({ wEnc, bEnc, bDec, logThreshold }[kind as 'wEnc'] as readonly Float64Array[])[layer]!;
}
