// The half of a dictionary that reads: h = x·W_encᵀ + b_enc, a = φ(h).
import type { Gpu, Step } from '@limn/gpu';
import type { HookName } from '@limn/hooks';
import {
  detach,
  encodeTopK,
  encodeTopKEach,
  jumpRelu,
  matmul,
  relu,
  sparseToDense,
  type EncodeSelection,
  type SparseCodes,
  type Tensor,
} from '@limn/tensor';
import type { DictionaryActivation, DictionaryConfig } from './dictionary-config.js';

/** How rows are encoded. */
export interface EncodeOptions {
  /** `batch-top-k` selects from the rows given instead of by its threshold. Default false. */
  readonly training?: boolean;
}

/** Activations as an encoder gives them: codes, or h and a [N, F]. */
export type Activations =
  | { readonly codes: SparseCodes; readonly h?: undefined; readonly a?: undefined }
  | { readonly codes?: undefined; readonly h: Tensor; readonly a: Tensor };

/** The tensors of an encoder. */
export interface EncoderTensors {
  /** [F, I] */
  readonly wEnc: Tensor;
  /** [F] */
  readonly bEnc: Tensor;
  /** log θ [F], of `jump-relu` and `batch-top-k`. */
  readonly logThreshold?: Tensor | undefined;
}

/** What has features that read a site: a dictionary, and a layer of a cross-layer transcoder. */
export interface FeatureEncoder {
  readonly gpu: Gpu;
  readonly config: Pick<DictionaryConfig, 'layer' | 'input' | 'inputWidth' | 'features' | 'activation'>;
  /** The site that is read. */
  readonly reads: HookName;
  /** W_enc [F, I] or b_enc [F]. */
  tensor(name: 'wEnc' | 'bEnc'): Tensor;
  /** What its features write at `hook_mlp_out` of its own layer and, of a cross-layer transcoder, of each layer behind it: [F, C] each. */
  readonly decoders?: readonly Tensor[];
  /** h [N, F] of x [N, I]. */
  preActivations(step: Step, x: Tensor): Tensor;
  /** a [N, F] of x [N, I], dense and on the tape. */
  encode(step: Step, x: Tensor, options?: EncodeOptions): Tensor;
  /** The same as codes where the activation itself keeps few, else with h. */
  activations(step: Step, x: Tensor, options?: EncodeOptions): Activations;
}

/** h [N, F] of x [N, I]. */
export function preActivationsOf(step: Step, { wEnc, bEnc }: EncoderTensors, x: Tensor): Tensor {
  return matmul(step, x, wEnc, { transposeB: true, bias: bEnc, label: 'pre-activations' });
}

/** Which pre-activations fire, where the activation itself keeps few: of `top-k`, and of `batch-top-k` in training. */
export function selectionOf(activation: DictionaryActivation, training: boolean): EncodeSelection | undefined {
  if (activation.kind === 'top-k') return { k: activation.k, over: 'row' };
  return activation.kind === 'batch-top-k' && training ? { k: activation.k, over: 'batch' } : undefined;
}

/**
 * Activations of x [N, I], on the tape: as codes where the activation itself keeps few (`top-k`, and `batch-top-k` in training), so that
 * no [N, F] is ever held; else h and a [N, F].
 */
export function activationsOf(
  step: Step,
  tensors: EncoderTensors,
  activation: DictionaryActivation,
  x: Tensor,
  { training = false }: EncodeOptions = {},
): Activations {
  const { wEnc, bEnc, logThreshold } = tensors;
  const selection = selectionOf(activation, training);
  if (selection) return { codes: encodeTopK(step, x, wEnc, bEnc, selection) };
  const h = preActivationsOf(step, tensors, x);
  if (activation.kind === 'relu') return { h, a: relu(step, h) };
  return activation.kind === 'jump-relu'
    ? { h, a: jumpRelu(step, h, logThreshold as Tensor, activation) }
    : // A running mean: no gradient reaches it, whatever the bandwidth.
      { h, a: jumpRelu(step, h, detach(logThreshold as Tensor), { bandwidth: 1 }) };
}

/** a [N, F], whichever way it was made. */
export const denseOf = (step: Step, { codes, a }: Activations): Tensor => (codes ? sparseToDense(step, codes) : a);

/**
 * Activations of x [N, I] in training and, where other features are to be revived, their codes: both from the same pre-activations, whose
 * product is most of an update. Only activations that keep few have such features.
 */
export function activationsToTrain(
  step: Step,
  encoder: FeatureEncoder,
  x: Tensor,
  revives: EncodeSelection | undefined,
): { readonly fires: Activations; readonly revived?: SparseCodes | undefined } {
  const selection = selectionOf(encoder.config.activation, true);
  if (!selection || !revives) return { fires: encoder.activations(step, x, { training: true }) };
  const [codes, revived] = encodeTopKEach(step, x, encoder.tensor('wEnc'), encoder.tensor('bEnc'), [
    selection,
    revives,
  ]) as readonly [SparseCodes, SparseCodes];
  return { fires: { codes }, revived };
}
