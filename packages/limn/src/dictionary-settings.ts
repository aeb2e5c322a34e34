// What is trained, in the words of `limn transcode`: a kind, an activation, how sparse and how wide; and the spec that each layer has of it.
import { LimnError } from '@limn/gpu';
import type { ModelInfo } from '@limn/hooks';
import type {
  CrossLayerSpec,
  DictionaryActivation,
  DictionaryConfig,
  DictionaryLoss,
  DictionarySpec,
  InitialScheme,
  ReconstructionMeasure,
} from '@limn/transcoders';

/** A transcoder reads what the MLP reads; an SAE what it writes; a skip transcoder has x·W_skip beside its features. */
export const DICTIONARY_KINDS = ['transcoder', 'sae', 'skip'] as const;
export type DictionaryKind = (typeof DICTIONARY_KINDS)[number];

/** What `limn transcode train` trains: a dictionary for each layer, or a cross-layer transcoder, whose features write at every layer from their own on. */
export const TRAINED_KINDS = [...DICTIONARY_KINDS, 'cross-layer'] as const;
export type TrainedKind = (typeof TRAINED_KINDS)[number];

export const ACTIVATIONS = ['top-k', 'batch-top-k', 'relu', 'jump-relu'] as const;
export type ActivationName = (typeof ACTIVATIONS)[number];

/** What all dictionaries of a run have in common. */
export interface CommonSettings {
  readonly activation: ActivationName;
  readonly features: number;
  readonly rate: number;
  readonly reconstruction: ReconstructionMeasure;
  /** Default: 'paper' of transcoders, 'tied' of SAEs. */
  readonly initial?: InitialScheme;
  /** α of AuxK. */
  readonly auxiliary: number;
  /** ε of jump-relu. */
  readonly bandwidth: number;
  readonly deadAfter?: number;
}

/** One setting: a dictionary for each layer. */
export interface DictionarySetting {
  readonly kind: TrainedKind;
  /** k of top-k and batch-top-k, λ of the others. */
  readonly sparsity: number;
  readonly seed: number;
}

/** The reconstruction measures that are customary with each activation. */
export const CUSTOMARY_LOSS: Readonly<Record<ActivationName, ReconstructionMeasure>> = {
  'top-k': 'fvu',
  'batch-top-k': 'fvu',
  relu: 'paper',
  'jump-relu': 'sum',
};

/** Whether the activation itself says how many features fire. */
export const hasK = (activation: ActivationName): boolean => activation === 'top-k' || activation === 'batch-top-k';

/** Adam's rate for so many features: 2·10⁻⁴/√(F/2¹⁴), as sparsify has it. */
export const customaryRate = (features: number): number => 2e-4 / Math.sqrt(features / 2 ** 14);

/** A name for a folder: `transcoder-k-16`, `sae-l1-0.001-seed-1`. */
export function settingName({ kind, sparsity, seed }: DictionarySetting, activation: ActivationName, firstSeed = seed) {
  const again = seed === firstSeed ? '' : `-seed-${seed}`;
  return `${kind}-${hasK(activation) ? 'k' : 'l'}-${sparsity}${again}`;
}

/** The dictionary of a layer, by a name of its own. */
export function specOf(
  info: Pick<ModelInfo, 'width'>,
  { layer, name }: { readonly layer: number; readonly name: string },
  setting: DictionarySetting,
  common: CommonSettings,
): DictionarySpec {
  const { width } = info;
  const { kind, sparsity, seed } = setting;
  const { features, rate, initial, deadAfter } = common;
  const config: DictionaryConfig = {
    layer,
    input: kind === 'sae' ? 'hook_mlp_out' : 'ln2.hook_normalized',
    inputWidth: width,
    outputWidth: width,
    features,
    activation: activationOf(sparsity, common),
    skip: kind === 'skip',
  };
  return {
    name,
    config,
    loss: lossOf(sparsity, width, common),
    rate,
    // Layers start alike in no feature.
    seed: seed * 1000 + layer,
    initial: initial ?? (kind === 'sae' ? 'tied' : 'paper'),
    ...(deadAfter === undefined ? {} : { deadAfter }),
  };
}

/**
 * The cross-layer transcoder of a setting. λ weighs Σ ‖d‖·a of relu and Σ tanh(‖d‖·a) of jump-relu, ‖d‖ the length of all that a feature
 * writes: its decoders are of no fixed length.
 * @throws LimnError `usage/dictionary-cross-layer` for first weights that it has not got
 */
export function crossLayerSpecOf(
  { width, layers }: Pick<ModelInfo, 'width' | 'layers'>,
  { sparsity, seed }: Pick<DictionarySetting, 'sparsity' | 'seed'>,
  common: CommonSettings,
): CrossLayerSpec {
  const { activation, features, rate, reconstruction, initial, deadAfter } = common;
  if (initial !== undefined)
    throw new LimnError(
      'usage/dictionary-cross-layer',
      `--initial ${initial}: a cross-layer transcoder starts from weights of its own`,
      { details: { initial }, hint: 'leave --initial out' },
    );
  const term = activation === 'relu' ? ({ kind: 'l1-decoder' } as const) : ({ kind: 'tanh', steepness: 1 } as const);
  return {
    name: CROSS_LAYER_NAME,
    crossLayer: {
      layers,
      width,
      features,
      input: 'ln2.hook_normalized',
      activation: activationOf(sparsity, common),
    },
    loss: hasK(activation)
      ? lossOf(sparsity, width, common)
      : { reconstruction, sparsity: { ...term, weight: sparsity }, preActivation: { weight: PRE_ACTIVATION } },
    rate,
    seed: seed * 1000,
    ...(deadAfter === undefined ? {} : { deadAfter }),
  };
}

/** What the loss against dead features weighs beside λ, where there is no AuxK. */
const PRE_ACTIVATION = 3e-6;

function activationOf(sparsity: number, { activation, bandwidth }: CommonSettings): DictionaryActivation {
  if (activation === 'relu') return { kind: 'relu' };
  return activation === 'jump-relu' ? { kind: activation, bandwidth } : { kind: activation, k: sparsity };
}

/** λ weighs Σ a of relu and #{h > θ} of jump-relu; AuxK has half the width to rebuild with. */
function lossOf(
  sparsity: number,
  width: number,
  { activation, reconstruction, auxiliary }: CommonSettings,
): DictionaryLoss {
  if (activation === 'relu') return { reconstruction, sparsity: { kind: 'l1', weight: sparsity } };
  if (activation === 'jump-relu') return { reconstruction, sparsity: { kind: 'l0', weight: sparsity } };
  if (auxiliary === 0) return { reconstruction };
  return { reconstruction, auxiliary: { features: Math.max(1, Math.floor(width / 2)), weight: auxiliary } };
}

/** What a cross-layer transcoder is called where no file says it. */
export const CROSS_LAYER_NAME = 'all layers';

/** What a dictionary is called where no file says it: by its place. */
export const placeName = (layer: number, isSae: boolean): string => `layer ${layer}${isSae ? ', SAE' : ''}`;

/** Layers by their numbers, `all` for every one. @throws LimnError `usage/dictionary-layer` */
export function layersOf(given: readonly number[] | 'all', { layers }: Pick<ModelInfo, 'layers'>): readonly number[] {
  const all = Array.from({ length: layers }, (_, layer) => layer);
  if (given === 'all') return all;
  const unknown = given.find((layer) => layer >= layers);
  if (unknown === undefined) return [...new Set(given)].sort((a, b) => a - b);
  throw new LimnError(
    'usage/dictionary-layer',
    `--layers ${given.join(',')}: the model has layers 0 to ${layers - 1}`,
    {
      details: { given, layers },
    },
  );
}
