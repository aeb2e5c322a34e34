// Batches, dictionaries and losses that the tests of gradients share: every activation with every term that it has.
import { referenceDictionary, referenceRandom } from '@limn/testing';
import type { DictionaryActivation, DictionaryConfig, DictionaryLoss, DictionaryWeights } from '../src/index.js';

type Parameters = referenceDictionary.DictionaryParameters;

/** Rows, widths and features of every case. */
export const SIZES = { rows: 32, inputWidth: 6, outputWidth: 5, features: 24 };

/** One activation with one loss. */
export interface LossCase {
  readonly name: string;
  readonly activation: DictionaryActivation;
  readonly loss: DictionaryLoss;
  readonly skip: boolean;
}

const relu: DictionaryActivation = { kind: 'relu' };
const jump: DictionaryActivation = { kind: 'jump-relu', bandwidth: 0.3 };
const auxiliary = { features: 3, weight: 1 / 32 };

export const LOSS_CASES: readonly LossCase[] = [
  {
    name: "relu, the paper's loss",
    activation: relu,
    loss: { reconstruction: 'paper', sparsity: { kind: 'l1', weight: 0.02 } },
    skip: false,
  },
  {
    name: 'relu, L1 by decoder norm, skip',
    activation: relu,
    loss: { reconstruction: 'sum', sparsity: { kind: 'l1-decoder', weight: 0.1 }, preActivation: { weight: 0.05 } },
    skip: true,
  },
  { name: 'relu, FVU alone', activation: relu, loss: { reconstruction: 'fvu' }, skip: false },
  {
    name: 'jump-relu, L0',
    activation: jump,
    loss: { reconstruction: 'sum', sparsity: { kind: 'l0', weight: 0.3 } },
    skip: false,
  },
  {
    name: 'jump-relu, tanh and pre-activation loss, skip',
    activation: jump,
    loss: {
      reconstruction: 'sum',
      sparsity: { kind: 'tanh', weight: 0.2, steepness: 4 },
      preActivation: { weight: 0.1 },
    },
    skip: true,
  },
  { name: 'top-k', activation: { kind: 'top-k', k: 4 }, loss: { reconstruction: 'fvu' }, skip: false },
  {
    name: 'top-k, AuxK, skip',
    activation: { kind: 'top-k', k: 4 },
    loss: { reconstruction: 'fvu', auxiliary },
    skip: true,
  },
  {
    name: 'top-k, AuxK of more features than are dead',
    activation: { kind: 'top-k', k: 4 },
    loss: { reconstruction: 'fvu', auxiliary: { features: 20, weight: 0.5 } },
    skip: false,
  },
  {
    name: 'batch-top-k, AuxK',
    activation: { kind: 'batch-top-k', k: 4 },
    loss: { reconstruction: 'sum', auxiliary },
    skip: false,
  },
];

/** The config of a case. */
export function configOf({ activation, skip }: Pick<LossCase, 'activation' | 'skip'>): DictionaryConfig {
  const { inputWidth, outputWidth, features } = SIZES;
  return { layer: 0, input: 'ln2.hook_normalized', inputWidth, outputWidth, features, activation, skip };
}

/** Features that have not fired for long. */
export const DEAD: readonly number[] = [1, 4, 5, 11, 17, 23];

/** The float64 case of a loss, on numbers that f32 holds exactly, and parameters for it. */
export function drawCase(
  about: LossCase,
  seed: number,
): { about: referenceDictionary.DictionaryCase; parameters: Parameters } {
  const { rows, inputWidth: I, outputWidth: O, features: F } = SIZES;
  const random = referenceRandom(seed);
  const dead = new Float64Array(F);
  for (const feature of DEAD) dead[feature] = 1;
  const hasThreshold = about.activation.kind === 'jump-relu';
  return {
    about: {
      rows,
      features: F,
      x: random.normals(rows * I),
      y: random.normals(rows * O),
      activation: about.activation,
      loss: about.loss,
      dead,
    },
    parameters: {
      wEnc: random.normals(F * I, 0.5),
      bEnc: random.normals(F, 0.2),
      wDec: random.normals(F * O, 0.5),
      bDec: random.normals(O, 0.2),
      ...(hasThreshold ? { logThreshold: random.normals(F, 0.3).map((value) => Math.fround(value - 1)) } : {}),
      ...(about.skip ? { wSkip: random.normals(I * O, 0.3) } : {}),
    },
  };
}

/** The same parameters as a dictionary takes them. */
export function weightsOf(parameters: Parameters, config: DictionaryConfig): DictionaryWeights {
  const floats = Object.fromEntries(
    Object.entries(parameters).map(([name, values]) => [name, Float32Array.from(values as Float64Array)]),
  ) as unknown as DictionaryWeights;
  if (config.activation.kind !== 'batch-top-k') return floats;
  return { ...floats, logThreshold: new Float32Array(config.features).fill(-87) };
}
