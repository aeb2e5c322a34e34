// What a dictionary is: which site it reads, which it writes, how wide it is and which of its features may fire.
import { LimnError } from '@limn/gpu';
import type { BlockSite, ModelInfo } from '@limn/hooks';

/** Sites of a block that a dictionary may read. `ln2.hook_normalized` is what the MLP's first map is given: x̂∘γ + β in a model whose weights were not folded. */
export const READABLE_SITES = [
  'ln2.hook_normalized',
  'hook_mlp_in',
  'hook_resid_mid',
  'hook_mlp_out',
] as const satisfies readonly BlockSite[];

/** One of `READABLE_SITES`. */
export type ReadableSite = (typeof READABLE_SITES)[number];

/**
 * φ in a = φ(h): which pre-activations fire, and with what value.
 * - `relu`: a = max(h, 0).
 * - `top-k`: the k largest of a row that are positive; equal ones by the lower feature.
 * - `batch-top-k`: the k·N largest of N rows together that are positive (training; elsewhere it is `jump-relu` with the threshold learnt meanwhile).
 * - `jump-relu`: a = h·1[h > θ], θ a parameter of each feature, kept as log θ; `bandwidth` is the ε of its straight-through gradients.
 */
export type DictionaryActivation =
  | { readonly kind: 'relu' }
  | { readonly kind: 'top-k'; readonly k: number }
  | { readonly kind: 'batch-top-k'; readonly k: number }
  | { readonly kind: 'jump-relu'; readonly bandwidth: number };

/** The shape and place of a dictionary; everything but its numbers. */
export interface DictionaryConfig {
  readonly layer: number;
  /** A transcoder reads what the MLP reads; an SAE on the MLP's output reads `hook_mlp_out`. */
  readonly input: ReadableSite;
  /** I: width of what is read. */
  readonly inputWidth: number;
  /** O: width of what is written, at `hook_mlp_out`. */
  readonly outputWidth: number;
  /** F */
  readonly features: number;
  readonly activation: DictionaryActivation;
  /** ŷ += x·W_skip. */
  readonly skip: boolean;
}

/** Whether features have thresholds of their own, kept as log θ. */
export const hasThreshold = ({ kind }: DictionaryActivation): boolean => kind === 'jump-relu' || kind === 'batch-top-k';

/**
 * The config, once every number in it has been looked at.
 * @throws LimnError `usage/dictionary-config`
 */
export function checkConfig(config: DictionaryConfig): DictionaryConfig {
  const { layer, input, inputWidth, outputWidth, features, activation, skip } = config;
  const refuse = (field: string, given: unknown, allowed: string): LimnError =>
    new LimnError('usage/dictionary-config', `A dictionary's ${field} is ${allowed}; given ${String(given)}.`, {
      details: { field, given, allowed },
    });
  const whole = (field: string, value: number, least: number): void => {
    if (!Number.isSafeInteger(value) || value < least)
      throw refuse(field, value, `a whole number of at least ${least}`);
  };
  whole('layer', layer, 0);
  whole('inputWidth', inputWidth, 1);
  whole('outputWidth', outputWidth, 1);
  whole('features', features, 1);
  if (!READABLE_SITES.includes(input)) throw refuse('input', input, `one of ${READABLE_SITES.join(', ')}`);
  switch (activation.kind) {
    case 'relu':
      break;
    case 'top-k':
    case 'batch-top-k':
      whole('k', activation.k, 1);
      if (activation.k > features) throw refuse('k', activation.k, `at most its ${features} features`);
      break;
    case 'jump-relu':
      if (!(Number.isFinite(activation.bandwidth) && activation.bandwidth > 0))
        throw refuse('bandwidth', activation.bandwidth, 'a positive number');
      break;
    default:
      throw refuse('activation', (activation as { kind: unknown }).kind, 'relu, top-k, batch-top-k or jump-relu');
  }
  if (skip && input === 'hook_mlp_out')
    throw refuse('skip', skip, 'false for an SAE, which would otherwise pass its input through');
  return config;
}

/**
 * Refuses a dictionary that this model has no place for.
 * @throws LimnError `data/dictionary-model`, naming the size that differs
 */
export function checkFits(config: DictionaryConfig, info: ModelInfo): void {
  const problem =
    config.layer >= info.layers
      ? `belongs to layer ${config.layer}, but the model has layers 0 to ${info.layers - 1}`
      : config.inputWidth !== info.width || config.outputWidth !== info.width
        ? `maps ${config.inputWidth} numbers to ${config.outputWidth}, but the model is ${info.width} wide`
        : config.input === 'hook_resid_mid' && info.block === 'parallel'
          ? 'reads hook_resid_mid, which a parallel block has not got'
          : undefined;
  if (problem !== undefined)
    throw new LimnError('data/dictionary-model', `The dictionary ${problem}.`, {
      details: { layer: config.layer, inputWidth: config.inputWidth, outputWidth: config.outputWidth },
      hint: 'Give the dictionaries that were trained on this model.',
    });
}
