// Cross-layer transcoders as circuit-tracer keeps them: features of layer i read there and write at every layer from i on.
import type { ReadableSite } from '../dictionary-config.js';
import {
  circuitTracerConfigText,
  circuitTracerFields,
  MOST_YAML_BYTES,
  readCircuitTracerConfig,
} from './circuit-tracer-config.js';
import { type DictionaryFile, type DictionaryFiles } from './dictionary-files.js';
import { TensorReader } from './read-tensors.js';
import { checkedThresholds } from './thresholds.js';

/** The shape of a cross-layer transcoder. */
export interface CrossLayerConfig {
  /** L */
  readonly layers: number;
  /** F: features of each layer. */
  readonly features: number;
  /** d: width of what is read and written. */
  readonly width: number;
  readonly input: ReadableSite;
  /** a = max(h, 0), or h·1[h > θ]. */
  readonly activation: 'relu' | 'jump-relu';
  readonly model?: string;
  readonly scan?: string;
}

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
  /** @throws LimnError `data/dictionary-circuit-tracer`; what the source of the files throws */
  read(layer: number): Promise<CrossLayerWeights>;
}

const ENCODER = /^W_enc_(0|[1-9]\d{0,4})\.safetensors$/;

/**
 * Opens a folder of W_enc_{i}.safetensors {W_enc_i, b_enc_i, b_dec_i, threshold_i} and W_dec_{i}.safetensors {W_dec_i [F, L − i, d]}.
 * @throws LimnError `data/dictionary-circuit-tracer`; what the source of the files throws
 */
export async function openCrossLayerSet(files: DictionaryFiles): Promise<CrossLayerSet> {
  const fields = circuitTracerFields;
  const { kind, input, model, scan } = readCircuitTracerConfig(await files.text('config.yaml', MOST_YAML_BYTES));
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
    activation: jump ? 'jump-relu' : 'relu',
    ...(model === undefined ? {} : { model }),
    ...(scan === undefined ? {} : { scan }),
  };
  return {
    config,
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
 * The files of a cross-layer transcoder, one after the other; `openCrossLayerSet` gives every number back to the bit.
 * @throws LimnError `data/dictionary-circuit-tracer` for weights that are not of its shape
 */
export async function* writeCrossLayerSet(
  { config, read }: CrossLayerSet,
  { model, scan }: { readonly model: string; readonly scan: string },
): AsyncGenerator<DictionaryFile> {
  const { layers, features, width, input, activation } = config;
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
      const size = shape.reduce((product, n) => product * n, 1);
      if (data?.length === size) return { shape, data };
      throw circuitTracerFields.refuse(name, data && `${data.length} numbers`, `${size}: [${shape.join(', ')}]`);
    };
    const encoder = new Map([
      [`W_enc_${i}`, tensor(`W_enc_${i}`, wEnc, [features, width])],
      [`b_enc_${i}`, tensor(`b_enc_${i}`, bEnc, [features])],
      [`b_dec_${i}`, tensor(`b_dec_${i}`, bDec, [width])],
      ...(activation === 'jump-relu'
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
