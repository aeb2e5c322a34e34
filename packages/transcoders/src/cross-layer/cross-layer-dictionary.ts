// A cross-layer transcoder on the GPU: a_i = φ(x_i·W_enc,iᵀ + b_enc,i) at each layer, ŷ_l = Σ_{i ≤ l} a_i·W_dec,i→l + b_dec,l.
import type { Gpu, Step } from '@limn/gpu';
import { blockHook, intervene, type Extent, type Intervention } from '@limn/hooks';
import { add, concat, matmul, reshape, sparseDecode, type Tensor } from '@limn/tensor';
import type { Activations, EncodeOptions, FeatureEncoder } from '../encoder.js';
import type { CrossLayerSet, CrossLayerWeights } from '../formats/cross-layer-set.js';
import { partsOf, rowRange, rowsPerBinding } from '../row-parts.js';
import {
  checkCrossLayerConfig,
  type CrossLayerDictionaryConfig,
  type CrossLayerTensorName,
} from './cross-layer-config.js';
import { LayerEncoder } from './layer-encoder.js';
import { putLayer, takeLayer, type CrossLayerTensors } from './layer-tensors.js';
import { OncePerRun } from './once-per-run.js';

/** A cross-layer transcoder whose tensors are parameters: targets of `gradients` in training, constants elsewhere. */
export class CrossLayerDictionary implements Disposable {
  /** By layer: what its features read with. */
  readonly encoders: readonly LayerEncoder[];

  private constructor(
    readonly gpu: Gpu,
    readonly config: CrossLayerDictionaryConfig,
    /** By name; those of `crossLayerShapes`. */
    readonly parameters: ReadonlyMap<CrossLayerTensorName, Tensor>,
  ) {
    this.encoders = Array.from({ length: config.layers }, (_, i) => new LayerEncoder(gpu, config, i, parameters));
  }

  /**
   * Of the numbers of every layer, in the order of the layers.
   * @throws LimnError `usage/dictionary-config`; `data/dictionary-weights` for layers or tensors that are missing, of another size or not
   * finite; `memory/…` and `gpu/…` when the GPU has no room
   */
  static create(
    gpu: Gpu,
    config: CrossLayerDictionaryConfig,
    weights: readonly CrossLayerWeights[],
  ): CrossLayerDictionary {
    checkCrossLayerConfig(config);
    const made: CrossLayerTensors = new Map();
    try {
      for (let i = 0; i < config.layers; i++) putLayer(gpu, config, i, weights[i], made);
    } catch (error) {
      for (const tensor of made.values()) tensor.dispose();
      throw error;
    }
    return new CrossLayerDictionary(gpu, config, made);
  }

  /**
   * Of a set, a layer at a time, so that the host holds one layer's numbers.
   * @throws LimnError as `create`; as the format of the set; what the source of the files throws
   */
  static async read(gpu: Gpu, set: CrossLayerSet): Promise<CrossLayerDictionary> {
    const { layers, features, width, input, activation } = set.config;
    const config = checkCrossLayerConfig({ layers, features, width, input, activation });
    const made: CrossLayerTensors = new Map();
    try {
      for (let i = 0; i < layers; i++) putLayer(gpu, config, i, await set.read(i), made);
    } catch (error) {
      for (const tensor of made.values()) tensor.dispose();
      throw error;
    }
    return new CrossLayerDictionary(gpu, config, made);
  }

  /** What features of layer `from` write at layer `to` ≥ `from`, [F, d]. */
  decoder(from: number, to: number): Tensor {
    return this.parameters.get(`wDec.${from}.${to}`) as Tensor;
  }

  /** All that features of a layer write: at that layer, and at each behind it. */
  decoders(from: number): readonly Tensor[] {
    return (this.encoders[from] as LayerEncoder).decoders;
  }

  /** b_dec [d] of a layer. */
  bias(layer: number): Tensor {
    return this.parameters.get(`bDec.${layer}`) as Tensor;
  }

  /** Activations of x_i [N, d] of every layer, on the tape. */
  activations(step: Step, x: readonly Tensor[], options: EncodeOptions = {}): readonly Activations[] {
    return this.encoders.map((encoder, i) => encoder.activations(step, x[i] as Tensor, options));
  }

  /** ŷ_l [N, d] of the activations of layers 0 … l, of which more may be given. */
  decode(step: Step, l: number, activations: readonly Activations[]): Tensor {
    return activations.slice(0, l + 1).reduce<Tensor | undefined>((sum, { codes, a }, i) => {
      const w = this.decoder(i, l);
      const bias = sum ? {} : { bias: this.bias(l) };
      if (!codes) return matmul(step, a, w, { ...bias, ...(sum ? { residual: sum } : {}), label: 'decoded' });
      return sum ? add(step, sum, sparseDecode(step, codes, w)) : sparseDecode(step, codes, w, bias.bias);
    }, undefined) as Tensor;
  }

  /** ŷ [N, d] of every layer, each of x_i [N, d] of all layers up to it. */
  apply(step: Step, x: readonly Tensor[]): readonly Tensor[] {
    const parts = this.parts((x[0] as Tensor).shape[0] as number).map(([start, count]) => {
      const activations = this.activations(
        step,
        x.map((each) => rowRange(step, each, start, count)),
      );
      return this.encoders.map((_, l) => this.decode(step, l, activations));
    });
    return this.encoders.map((_, l) =>
      joined(
        step,
        parts.map((each) => each[l] as Tensor),
      ),
    );
  }

  /**
   * Puts ŷ in the place of every MLP's output: an intervention for each layer, which reads that layer's input and those before it, as the
   * replaced model has them. They belong to one another, in runs that start at the embeddings, and compose with every other intervention.
   */
  replacement(extent: Extent = {}): readonly Intervention[] {
    const { features, width, layers } = this.config;
    const ofRun = new OncePerRun<readonly Activations[]>();
    /** A layer is encoded once a run, whichever layers behind it ask. */
    const encoded = (step: Step, i: number, x: Tensor): readonly Activations[] =>
      ofRun.of(step, i, x, () => {
        const rows = reshape(x, [x.size / width, width]);
        return this.parts(x.size / width).map(([start, count]) =>
          (this.encoders[i] as FeatureEncoder).activations(step, rowRange(step, rows, start, count)),
        );
      });
    return Array.from({ length: layers }, (_, l) => {
      const reads = this.encoders.slice(0, l + 1).map((encoder) => encoder.reads);
      return intervene(
        blockHook(l, 'hook_mlp_out'),
        `rebuild with a cross-layer transcoder of ${features} features a layer`,
        (y, { step, at }) => {
          const layersRead = reads.map((name, i) => encoded(step, i, at(name)));
          const rebuilt = (layersRead[0] as readonly Activations[]).map((_, p) =>
            this.decode(
              step,
              l,
              layersRead.map((parts) => parts[p] as Activations),
            ),
          );
          return reshape(joined(step, rebuilt), y.shape);
        },
        { ...extent, reads },
      );
    });
  }

  /** The numbers of each layer, read after the steps submitted so far. */
  async weights(): Promise<readonly CrossLayerWeights[]> {
    const all: CrossLayerWeights[] = [];
    for (let i = 0; i < this.config.layers; i++) all.push(await takeLayer(this.gpu, this.config, i, this.parameters));
    return all;
  }

  /** Rows in parts of which a binding takes a layer's [N, F]; all at once where none is made. */
  parts(rows: number): (readonly [start: number, count: number])[] {
    const { activation, features } = this.config;
    return partsOf(rows, activation.kind === 'top-k' ? rows : rowsPerBinding(this.gpu, features));
  }

  /** Frees the parameters. */
  dispose(): void {
    for (const tensor of this.parameters.values()) tensor.dispose();
  }

  /** As `dispose`. */
  [Symbol.dispose](): void {
    this.dispose();
  }
}

const joined = (step: Step, parts: readonly Tensor[]): Tensor =>
  parts.length === 1 ? (parts[0] as Tensor) : concat(step, parts, 0);
