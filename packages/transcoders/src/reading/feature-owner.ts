// Whose features are read: a dictionary's, a layer's of a cross-layer transcoder, or an MLP's neurons, of each token the k that write most.
import { LimnError, type Step } from '@limn/gpu';
import { blockHook, linearMap, type HookedModel, type HookName } from '@limn/hooks';
import { add, fromData, gatherRows, matmul, mean, mul, permute, sub, type Tensor } from '@limn/tensor';
import { checkFits } from '../dictionary-config.js';
import { Dictionary } from '../dictionary.js';
import type { FeatureEncoder } from '../encoder.js';
import type { NeuronBaseline } from '../evaluation/neurons.js';
import { throughGain } from '../graph/through-norm.js';

/**
 * A dictionary, an encoder of a cross-layer transcoder, or an MLP's neurons: of these a feature's activation is its score,
 * |a_m − r_m| · ‖w_out,m‖, where it is among the k.
 */
export type FeatureOwner = FeatureEncoder | NeuronBaseline;

/** What an owner is, as data. */
export interface FeatureOrigin {
  readonly kind: 'transcoder' | 'sae' | 'cross-layer' | 'neurons';
  readonly layer: number;
  /** The site whose tensor the activations are made of. */
  readonly reads: string;
  /** F, or the neurons of the layer. */
  readonly features: number;
}

/** The head of attention that a direction is pulled back through. */
export interface HeadPlace {
  readonly layer: number;
  readonly head: number;
}

/** Whether an owner is neurons. */
export const isNeurons = (owner: FeatureOwner): owner is NeuronBaseline => 'rest' in owner;

/** What an owner is, once it is known that the model has a place for it. */
export function originOf(model: HookedModel, owner: FeatureOwner): FeatureOrigin {
  const { width, mlpWidth } = model.info;
  if (isNeurons(owner)) return { kind: 'neurons', layer: owner.layer, reads: siteOf(owner), features: mlpWidth };
  checkFits({ outputWidth: width, skip: false, ...owner.config }, model.info);
  const { layer, features, input } = owner.config;
  const kind = !(owner instanceof Dictionary) ? 'cross-layer' : input === 'hook_mlp_out' ? 'sae' : 'transcoder';
  return { kind, layer, reads: owner.reads, features };
}

/** The site that an owner's activations are made of. */
export const siteOf = (owner: FeatureOwner): HookName =>
  isNeurons(owner) ? blockHook(owner.layer, 'mlp.hook_post') : owner.reads;

/** Numbers of features, each checked; all of them where none are named. */
export function checkFeatures({ features: F, kind, layer }: FeatureOrigin, given?: ArrayLike<number>): Uint32Array {
  const numbers = Array.from(given ?? { length: F }, (value, i) => (given ? (value as number) : i));
  const odd = numbers.find((feature) => !(Number.isInteger(feature) && feature >= 0 && feature < F));
  const twice = odd === undefined && new Set(numbers).size < numbers.length;
  if (odd === undefined && !twice && numbers.length > 0) return Uint32Array.from(numbers);
  throw new LimnError(
    'usage/features',
    odd !== undefined
      ? `There is no feature ${String(odd)} in the ${kind} of layer ${layer}.`
      : twice
        ? 'A feature was named twice.'
        : 'No feature was named.',
    { details: { feature: odd, features: F }, hint: `Name features from 0 to ${F - 1}, each once.` },
  );
}

/** Whether it is known what its features write. */
export const isWriter = (owner: FeatureOwner): boolean => isNeurons(owner) || owner.decoders !== undefined;

/** What features write into the stream, rows [n, C]: of W_dec, in all layers together, or of W_out. */
export function writtenRows(step: Step, model: HookedModel, owner: FeatureOwner, features: Uint32Array): Tensor {
  const ids = fromData(step, features, [features.length], { label: 'features' });
  return total(
    step,
    decodersOf(step, model, owner).map((decoder) => gatherRows(step, decoder, ids)),
  );
}

/** The same of all features: W_dec [F, C], Σ_l W_dec,l [F, C] of a cross-layer transcoder's layer, or W_out [M, C]. */
export const writers = (step: Step, model: HookedModel, owner: FeatureOwner): Tensor =>
  total(step, decodersOf(step, model, owner));

function decodersOf(step: Step, model: HookedModel, owner: FeatureOwner): readonly Tensor[] {
  if (isNeurons(owner)) return [neuronMap(step, model, owner, 'written')];
  if (owner.decoders) return owner.decoders;
  throw cannotRead(owner, 'this encoder names no decoders, and what its features write is not known');
}

const total = (step: Step, parts: readonly Tensor[]): Tensor => parts.reduce((sum, part) => add(step, sum, part));

/**
 * What features read of the stream but for 1/s, rows [n, C]: C(w∘γ) of encoder rows behind a normalisation, w itself of those that read
 * the stream. Through a head, C(γ_1∘W_V·W_O·v).
 */
export function readRows(
  step: Step,
  model: HookedModel,
  owner: FeatureOwner,
  features: Uint32Array,
  through?: HeadPlace,
): Tensor {
  const ids = fromData(step, features, [features.length], { label: 'features' });
  const own = gatherRows(step, readers(step, model, owner), ids);
  const behindNorm = isNeurons(owner) || owner.config.input === 'ln2.hook_normalized';
  const layer = layerOf(owner);
  const rows = behindNorm ? throughGain(step, model.norm(`blocks.${layer}.ln2`), own) : own;
  if (!through) return rows;
  const { wO, wV } = model.headWeights(step, through.layer, through.head);
  const values = matmul(step, matmul(step, rows, wO, { transposeB: true }), wV, { transposeB: true });
  return throughGain(step, model.norm(`blocks.${through.layer}.ln1`), values);
}

/** Refuses what reads no linear map of the stream, and heads that do not lie before it. */
export function checkReads(model: HookedModel, owner: FeatureOwner, through?: HeadPlace): void {
  const { info } = model;
  const layer = layerOf(owner);
  const last = info.block === 'sequential' ? layer : layer - 1;
  const isPlace = (value: number, most: number): boolean => Number.isInteger(value) && value >= 0 && value <= most;
  const problem =
    !isNeurons(owner) && owner.config.input === 'hook_mlp_out'
      ? "an SAE reads the MLP's output, which is no linear map of the stream"
      : through && !isPlace(through.layer, last)
        ? `the features of layer ${layer} read heads of ${last < 0 ? 'no layer' : `layers 0 to ${last}`}; layer ${through.layer} was named`
        : through && !isPlace(through.head, info.heads - 1)
          ? `heads are 0 to ${info.heads - 1}; ${through.head} was named`
          : undefined;
  if (problem !== undefined) throw cannotRead(owner, problem);
}

const cannotRead = (owner: FeatureOwner, problem: string): LimnError =>
  new LimnError('usage/feature-directions', `These weights do not say it: ${problem}.`, {
    details: { layer: layerOf(owner) },
    hint: 'Read features over text with featureDashboards.',
  });

/** Directions of the stream [n, C] as the unembedding sees them but for 1/s: C(d)∘γ of ln_final. */
export function beforeUnembedding(step: Step, model: HookedModel, directions: Tensor): Tensor {
  const { centred, gamma } = model.norm('ln_final');
  const offMean = centred ? sub(step, directions, mean(step, directions, { axes: -1, keepAxes: true })) : directions;
  return mul(step, offMean, gamma);
}

/** W_enc [F, C], or W_in of the neurons, [M, C]. */
function readers(step: Step, model: HookedModel, owner: FeatureOwner): Tensor {
  return isNeurons(owner) ? neuronMap(step, model, owner, 'read') : owner.tensor('wEnc');
}

/** The layer whose MLP an owner is about. */
export const layerOf = (owner: FeatureOwner): number => (isNeurons(owner) ? owner.layer : owner.config.layer);

function neuronMap(step: Step, model: HookedModel, { layer }: NeuronBaseline, side: 'read' | 'written'): Tensor {
  const site = blockHook(layer, side === 'read' ? 'mlp.hook_pre' : 'mlp.hook_post');
  const linear = model
    .linears()
    .find(({ input, outputs }) => (side === 'read' ? outputs.length === 1 && outputs[0] === site : input === site));
  if (!linear)
    throw new LimnError('hooks/unknown-site', `The model names no linear map at ${site}.`, {
      details: { site },
      hint: 'linears() lists the maps of a layer.',
    });
  const { weight } = linearMap(step, model, linear);
  return side === 'read' ? permute(step, weight, [1, 0]) : weight;
}
