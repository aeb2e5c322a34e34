// The tensors of a cross-layer transcoder: from the numbers of a layer, which hold its decoders side by side, and back.
import { LimnError, type Gpu } from '@limn/gpu';
import { persistent, type Tensor } from '@limn/tensor';
import { checkTensors } from '../checked-tensors.js';
import { hasThreshold } from '../dictionary-config.js';
import type { CrossLayerWeights } from '../formats/cross-layer-set.js';
import { logThresholds, thresholds } from '../formats/thresholds.js';
import type { CrossLayerDictionaryConfig, CrossLayerTensorName } from './cross-layer-config.js';

/** Tensors by name. A decoder for each pair of layers: all of a layer's together are more than one binding takes. */
export type CrossLayerTensors = Map<CrossLayerTensorName, Tensor>;

/**
 * Puts the numbers of layer i on the GPU and adds them to `into`.
 * @throws LimnError `data/dictionary-weights` for tensors that are missing, of another size or not finite; `memory/…` and `gpu/…` when the
 * GPU has no room
 */
export function putLayer(
  gpu: Gpu,
  config: CrossLayerDictionaryConfig,
  i: number,
  given: CrossLayerWeights | undefined,
  into: CrossLayerTensors,
): void {
  const weights = checkedLayer(config, i, given);
  const { layers: L, features: F, width: d } = config;
  const put = (name: CrossLayerTensorName, shape: readonly number[], data: Float32Array): void => {
    into.set(name, persistent(gpu, shape, data, { label: name }));
  };
  const { wEnc, bEnc, bDec, wDec, threshold } = weights;
  put(`wEnc.${i}`, [F, d], wEnc);
  put(`bEnc.${i}`, [F], bEnc);
  if (threshold) put(`logThreshold.${i}`, [F], logThresholds(threshold));
  for (let to = i; to < L; to++) {
    const rows = new Float32Array(F * d);
    for (let f = 0; f < F; f++) {
      const from = (f * (L - i) + to - i) * d;
      rows.set(wDec.subarray(from, from + d), f * d);
    }
    put(`wDec.${i}.${to}`, [F, d], rows);
  }
  put(`bDec.${i}`, [d], bDec);
}

/** The numbers of layer i, read after the steps submitted so far. */
export async function takeLayer(
  gpu: Gpu,
  { layers: L, features: F, width: d }: CrossLayerDictionaryConfig,
  i: number,
  tensors: ReadonlyMap<CrossLayerTensorName, Tensor>,
): Promise<CrossLayerWeights> {
  const read = (name: CrossLayerTensorName): Promise<Float32Array> =>
    gpu.read((tensors.get(name) as Tensor).storage, 'f32');
  const wDec = new Float32Array(F * (L - i) * d);
  for (let to = i; to < L; to++) {
    const rows = await read(`wDec.${i}.${to}`);
    for (let f = 0; f < F; f++) wDec.set(rows.subarray(f * d, (f + 1) * d), (f * (L - i) + to - i) * d);
  }
  const [wEnc, bEnc, bDec] = await Promise.all([read(`wEnc.${i}`), read(`bEnc.${i}`), read(`bDec.${i}`)]);
  return {
    layer: i,
    wEnc,
    bEnc,
    bDec,
    wDec,
    ...(tensors.has(`logThreshold.${i}`) ? { threshold: thresholds(await read(`logThreshold.${i}`)) } : {}),
  };
}

/** Shapes of a layer's numbers as they are kept on the host. */
export function layerShapes(
  { layers: L, features: F, width: d, activation }: CrossLayerDictionaryConfig,
  i: number,
): ReadonlyMap<LayerTensorName, readonly number[]> {
  return new Map<LayerTensorName, readonly number[]>([
    ['wEnc', [F, d]],
    ['bEnc', [F]],
    ...(hasThreshold(activation) ? ([['threshold', [F]]] as const) : []),
    ['wDec', [F, L - i, d]],
    ['bDec', [d]],
  ]);
}

/** Names of a layer's tensors on the host. */
export type LayerTensorName = Exclude<keyof CrossLayerWeights, 'layer'>;

function checkedLayer(
  config: CrossLayerDictionaryConfig,
  i: number,
  weights: CrossLayerWeights | undefined,
): CrossLayerWeights {
  const problem =
    weights === undefined
      ? 'is missing'
      : weights.layer === i
        ? undefined
        : `says it is that of layer ${weights.layer}`;
  if (weights === undefined || problem !== undefined)
    throw new LimnError('data/dictionary-weights', `The part of layer ${i} ${problem}.`, { details: { layer: i } });
  const { layer, ...tensors } = weights;
  const shapes = layerShapes(config, i);
  checkTensors(tensors, { shapes, of: 'a cross-layer transcoder', layer, notNegative: ['threshold'] });
  return weights;
}
