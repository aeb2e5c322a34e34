// The features of one layer of a cross-layer transcoder: what they read there, and all that they write from there on.
import type { Gpu, Step } from '@limn/gpu';
import { blockHook, type HookName } from '@limn/hooks';
import type { Tensor } from '@limn/tensor';
import type { DictionaryConfig } from '../dictionary-config.js';
import {
  activationsOf,
  denseOf,
  preActivationsOf,
  type Activations,
  type EncodeOptions,
  type EncoderTensors,
  type FeatureEncoder,
} from '../encoder.js';
import { layerConfig, type CrossLayerDictionaryConfig, type CrossLayerTensorName } from './cross-layer-config.js';

/** Borrows the transcoder's tensors. */
export class LayerEncoder implements FeatureEncoder {
  readonly config: DictionaryConfig;
  readonly reads: HookName;

  constructor(
    readonly gpu: Gpu,
    private readonly whole: CrossLayerDictionaryConfig,
    private readonly layer: number,
    private readonly parameters: ReadonlyMap<CrossLayerTensorName, Tensor>,
  ) {
    this.config = layerConfig(whole, layer);
    this.reads = blockHook(layer, whole.input);
  }

  tensor(name: 'wEnc' | 'bEnc'): Tensor {
    return this.parameters.get(`${name}.${this.layer}`) as Tensor;
  }

  /** log θ [F] of this layer, of `jump-relu` and `batch-top-k`. */
  get logThreshold(): Tensor | undefined {
    return this.parameters.get(`logThreshold.${this.layer}`);
  }

  get decoders(): readonly Tensor[] {
    const { layers } = this.whole;
    return Array.from(
      { length: layers - this.layer },
      (_, behind) => this.parameters.get(`wDec.${this.layer}.${this.layer + behind}`) as Tensor,
    );
  }

  preActivations(step: Step, x: Tensor): Tensor {
    return preActivationsOf(step, this.#tensors, x);
  }

  encode(step: Step, x: Tensor, options: EncodeOptions = {}): Tensor {
    return denseOf(step, this.activations(step, x, options));
  }

  activations(step: Step, x: Tensor, options: EncodeOptions = {}): Activations {
    return activationsOf(step, this.#tensors, this.config.activation, x, options);
  }

  get #tensors(): EncoderTensors {
    return { wEnc: this.tensor('wEnc'), bEnc: this.tensor('bEnc'), logThreshold: this.logThreshold };
  }
}
