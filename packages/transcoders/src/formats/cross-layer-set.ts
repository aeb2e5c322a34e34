// Cross-layer transcoders as circuit-tracer keeps them: features of layer i read there and write at every layer from i on.
import { sizeOf } from '../checked-tensors.js';
import type { CrossLayerDictionaryConfig } from '../cross-layer/cross-layer-config.js';
import { hasThreshold } from '../dictionary-config.js';
import { cannotExport } from './cannot-export.js';
import {
  CIRCUIT_TRACER_EXPECTS,
  circuitTracerConfigText,
  circuitTracerFields,
  MOST_YAML_BYTES,
  readCircuitTracerConfig,
} from './circuit-tracer-config.js';
import { type DictionaryFile, type DictionaryFiles } from './dictionary-files.js';
import { TensorReader } from './read-tensors.js';
import type { DictionaryProvenance } from './stored-dictionary.js';
import { checkedThresholds } from './thresholds.js';

/** The shape of a cross-layer transcoder, with what its folder calls the model and the pages of its features. */
export interface CrossLayerConfig extends CrossLayerDictionaryConfig {
  readonly model?: string;
  readonly scan?: string;
}

/** ε of the straight-through gradients of a set that was read: nothing else depends on it. */
const READ_BANDWIDTH = 1;

/**
 * The part of a cross-layer transcoder that reads at layer i: a_i = φ(x_i·W_encᵀ + b_enc). What is written at layer l is
 * ŷ_l = b_dec,l + Σ_{i ≤ l} a_i·W_dec,i[:, l − i, :]: b_dec belongs to layer i as a place that is written, W_dec to it as one that is read.
 */
export interface CrossLayerWeights {
  /** i */
  readonly layer: number;
  /** [F, d] */
  readonly wEnc: Float32Array;
  /** [F] */
  readonly bEnc: Float32Array;
  /** [d] */
  readonly bDec: Float32Array;
  /** [F, L − i, d], of each feature a row for layer i, for layer i + 1, … */
  readonly wDec: Float32Array;
  /** θ [F] of `jump-relu`, as it is and not its logarithm. */
  readonly threshold?: Float32Array;
}

/** A cross-layer transcoder of which a layer at a time is read: the decoders of GPT-2 small with 10,000 features a layer are 2.4 GB. */
export interface CrossLayerSet {
  readonly config: CrossLayerConfig;
  /** The numbers of a layer. @throws LimnError as the format of the set; what the source of the files throws */
  read(layer: number): Promise<CrossLayerWeights>;
}

/** A set of a folder, of which only the config was read. */
export interface StoredCrossLayer extends CrossLayerSet {
  readonly provenance: DictionaryProvenance;
  readonly figures?: Readonly<Record<string, unknown>>;
}

const ENCODER = /^W_enc_(0|[1-9]\d{0,4})\.safetensors$/;

/**
 * Opens a folder of W_enc_{i}.safetensors {W_enc_i, b_enc_i, b_dec_i, threshold_i} and W_dec_{i}.safetensors {W_dec_i [F, L − i, d]}.
 * @throws LimnError `data/dictionary-circuit-tracer`; what the source of the files throws
 */
export async function openCrossLayerSet(files: DictionaryFiles): Promise<StoredCrossLayer> {
  const fields = circuitTracerFields;
  const { kind, input, reads, writes, model, scan } = readCircuitTracerConfig(
    await files.text('config.yaml', MOST_YAML_BYTES),
  );
  fields.oneOf(kind, 'model_kind', ['cross_layer_transcoder']);
  const names = await files.names();
  const found = new Set(
    names
      .map((name) => ENCODER.exec(name)?.[1])
      .filter((layer) => layer !== undefined)
      .map(Number),
  );
  const layers = found.size;
  for (let i = 0; i < Math.max(layers, 1); i++)
    if (!found.has(i)) throw fields.refuse(`W_enc_${i}.safetensors`, undefined, `a file: layers are 0 to ${layers}`);
  const first = await encoderOf(files, 0);
  const [features, width] = first.shape('W_enc_0', 2) as [number, number];
  const jump = first.has('threshold_0');
  const config: CrossLayerConfig = {
    layers,
    features,
    width,
    input,
    activation: jump ? { kind: 'jump-relu', bandwidth: READ_BANDWIDTH } : { kind: 'relu' },
    ...(model === undefined ? {} : { model }),
    ...(scan === undefined ? {} : { scan }),
  };
  const provenance: DictionaryProvenance = {
    format: 'circuit-tracer',
    file: 'config.yaml',
    reads,
    writes,
    ...(model === undefined ? {} : { model }),
    expects: CIRCUIT_TRACER_EXPECTS,
    notes: jump ? [`The files have no bandwidth; ${READ_BANDWIDTH} is taken, which only further training reads.`] : [],
  };
  return {
    config,
    provenance,
    read: async (layer) => {
      fields.whole(layer, 'layer', 0, layers - 1);
      const encoder = await encoderOf(files, layer);
      const decoder = new TensorReader(await files.tensors(`W_dec_${layer}.safetensors`), fields);
      const wDec = await decoder.read(`W_dec_${layer}`, [features, layers - layer, width]);
      const weights = {
        layer,
        wEnc: await encoder.read(`W_enc_${layer}`, [features, width]),
        bEnc: await encoder.read(`b_enc_${layer}`, [features]),
        bDec: await encoder.read(`b_dec_${layer}`, [width]),
        wDec,
        ...(jump
          ? {
              threshold: checkedThresholds(
                fields,
                `threshold_${layer}`,
                await encoder.read(`threshold_${layer}`, [features]),
              ),
            }
          : {}),
      };
      encoder.refuseOthers();
      decoder.refuseOthers();
      return weights;
    },
  };
}

/**
 * The files of a cross-layer transcoder, one after the other; `openCrossLayerSet` gives every number back to the bit. `batch-top-k` goes out
 * as `jump-relu` with the threshold that was learnt.
 * @throws LimnError `usage/dictionary-export` for `top-k`, in which features compete; `data/dictionary-circuit-tracer` for weights that are not
 * of its shape
 */
export async function* writeCrossLayerSet(
  { config, read }: CrossLayerSet,
  { model, scan }: { readonly model: string; readonly scan: string },
): AsyncGenerator<DictionaryFile> {
  const { layers, features, width, input, activation } = config;
  if (activation.kind === 'top-k')
    throw cannotExport("circuit-tracer's cross-layer set", activation.kind, 'relu, jump-relu and batch-top-k');
  yield {
    name: 'config.yaml',
    text: circuitTracerConfigText({
      model_name: model,
      model_kind: 'cross_layer_transcoder',
      feature_input_hook: input,
      feature_output_hook: 'hook_mlp_out',
      scan,
    }),
  };
  for (let i = 0; i < layers; i++) {
    const { wEnc, bEnc, bDec, wDec, threshold } = await read(i);
    const tensor = (name: string, data: Float32Array | undefined, shape: readonly number[]) => {
      const size = sizeOf(shape);
      if (data?.length === size) return { shape, data };
      throw circuitTracerFields.refuse(name, data && `${data.length} numbers`, `${size}: [${shape.join(', ')}]`);
    };
    const encoder = new Map([
      [`W_enc_${i}`, tensor(`W_enc_${i}`, wEnc, [features, width])],
      [`b_enc_${i}`, tensor(`b_enc_${i}`, bEnc, [features])],
      [`b_dec_${i}`, tensor(`b_dec_${i}`, bDec, [width])],
      ...(hasThreshold(activation)
        ? ([[`threshold_${i}`, tensor(`threshold_${i}`, threshold, [features])]] as const)
        : []),
    ]);
    yield { name: `W_enc_${i}.safetensors`, tensors: encoder, metadata: {} };
    const decoder = new Map([[`W_dec_${i}`, tensor(`W_dec_${i}`, wDec, [features, layers - i, width])]]);
    yield { name: `W_dec_${i}.safetensors`, tensors: decoder, metadata: {} };
  }
}

const encoderOf = async (files: DictionaryFiles, layer: number): Promise<TensorReader> =>
  new TensorReader(await files.tensors(`W_enc_${layer}.safetensors`), circuitTracerFields);
