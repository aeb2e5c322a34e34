// A cross-layer transcoder in limn's own format: config.json of version 2, which says its kind, and a safetensors file for each layer.
import { blockHook } from '@limn/hooks';
import { checkCrossLayerConfig, type CrossLayerDictionaryConfig } from '../cross-layer/cross-layer-config.js';
import { layerShapes, type LayerTensorName } from '../cross-layer/layer-tensors.js';
import { READABLE_SITES, type ReadableSite } from '../dictionary-config.js';
import type { CrossLayerSet, CrossLayerWeights, StoredCrossLayer } from './cross-layer-set.js';
import type { DictionaryFile, DictionaryFiles } from './dictionary-files.js';
import { TensorReader } from './read-tensors.js';
import { MOST_WIDTH } from './saelens-config.js';
import {
  checkActivation,
  entryJson,
  entryOf,
  setConfig,
  setFields as fields,
  setTensors,
  type SetDescription,
  type SetEntry,
} from './set-fields.js';
import type { DictionaryProvenance } from './stored-dictionary.js';
import { checkedThresholds } from './thresholds.js';

/** The format of a set that is a cross-layer transcoder: the version from which on a set says its kind. */
export const CROSS_LAYER_SET_FORMAT = 'limn-dictionaries/2';
/** The one kind that version 2 has. */
export const CROSS_LAYER_KIND = 'cross-layer';

/** A cross-layer transcoder to be written. */
export interface CrossLayerMember extends SetEntry {
  /** Its config, and its numbers a layer at a time: of `crossLayerSetOf`, or of a set that was opened. */
  readonly crossLayer: CrossLayerSet;
}

/** θ is kept as it is and not its logarithm, so that numbers come back to the bit. */
const TENSOR_NAMES: Readonly<Record<LayerTensorName, string>> = {
  wEnc: 'W_enc',
  bEnc: 'b_enc',
  threshold: 'threshold',
  wDec: 'W_dec',
  bDec: 'b_dec',
};
const AT = 'crossLayer';
const WRITES = 'hook_mlp_out';

const fileOf = (layer: number, input: ReadableSite): string => `blocks.${layer}.${input}.safetensors`;

/** Its files, config.json first. @throws LimnError `data/dictionary-set`, `usage/dictionary-config`; what getting the numbers throws */
export async function* crossLayerFiles(
  { crossLayer, ...entry }: CrossLayerMember,
  description: SetDescription,
): AsyncGenerator<DictionaryFile> {
  const { layers, width, features, input, activation } = checkCrossLayerConfig(crossLayer.config);
  const config: CrossLayerDictionaryConfig = { layers, width, features, input, activation };
  expectModel(config, description);
  const files = Array.from({ length: layers }, (_, layer) => fileOf(layer, input));
  const own = { reads: input, writes: WRITES, layers, width, features, activation, files, ...entryJson(entry) };
  yield setConfig(CROSS_LAYER_SET_FORMAT, description, { kind: CROSS_LAYER_KIND, [AT]: own });
  for (const [layer, name] of files.entries()) {
    const { layer: said, ...held } = await crossLayer.read(layer);
    if (said !== layer) throw fields.refuse(name, `the numbers of layer ${said}`, `those of layer ${layer}`);
    if (held.threshold) checkedThresholds(fields, `${name} threshold`, held.threshold);
    yield {
      name,
      tensors: setTensors(name, layerShapes(config, layer), TENSOR_NAMES, held),
      metadata: { format: CROSS_LAYER_SET_FORMAT, reads: blockHook(layer, input) },
    };
  }
}

/** What a config.json of version 2 describes, once every file that it names was looked at. @throws LimnError `data/dictionary-set` */
export async function openCrossLayerMember(
  files: DictionaryFiles,
  { [AT]: given }: Readonly<Record<string, unknown>>,
  description: SetDescription,
): Promise<StoredCrossLayer> {
  const entry = fields.record(given, AT);
  const whole = (name: string): number => fields.whole(entry[name], `${AT}.${name}`, 1, MOST_WIDTH);
  const config: CrossLayerDictionaryConfig = {
    layers: whole('layers'),
    width: whole('width'),
    features: whole('features'),
    input: fields.oneOf(entry.reads, `${AT}.reads`, READABLE_SITES),
    activation: checkActivation(entry.activation, `${AT}.activation`),
  };
  fields.within(AT, entry, () => checkCrossLayerConfig(config));
  fields.oneOf(entry.writes, `${AT}.writes`, [WRITES]);
  expectModel(config, description);
  const readers = await layerReaders(files, fields.texts(entry.files, `${AT}.files`), config);
  const { expects, figures, training: own } = entryOf(entry, AT);
  const { model, training: common } = description;
  const provenance: DictionaryProvenance = {
    format: 'limn',
    file: 'config.json',
    model: model.fingerprint,
    reads: config.input,
    writes: WRITES,
    expects,
    notes: [],
    ...(common || own ? { training: { ...common, ...own } } : {}),
  };
  return {
    config,
    provenance,
    ...(figures && { figures }),
    read: async (layer) => {
      fields.whole(layer, 'layer', 0, config.layers - 1);
      const weights: Partial<Record<LayerTensorName, Float32Array>> = {};
      for (const [name, shape] of layerShapes(config, layer))
        weights[name] = await (readers[layer] as TensorReader).read(TENSOR_NAMES[name], shape);
      const { threshold, ...others } = weights;
      return {
        layer,
        ...(others as Omit<CrossLayerWeights, 'layer' | 'threshold'>),
        ...(threshold ? { threshold: checkedThresholds(fields, TENSOR_NAMES.threshold, threshold) } : {}),
      };
    },
  };
}

/** The file of each layer, its tensors held against their shapes. */
async function layerReaders(
  files: DictionaryFiles,
  listed: readonly string[],
  config: CrossLayerDictionaryConfig,
): Promise<readonly TensorReader[]> {
  const { layers, input } = config;
  if (listed.length !== layers)
    throw fields.refuse(`${AT}.files`, `${listed.length} files`, `${layers}: one for each layer`);
  const names = await files.names();
  const readers: TensorReader[] = [];
  for (const [layer, file] of listed.entries()) {
    if (!names.includes(file) || listed.indexOf(file) < layer)
      throw fields.refuse(`${AT}.files[${layer}]`, file, 'a file of the folder, named once');
    const tensors = new TensorReader(await files.tensors(file), fields);
    const { metadata } = tensors.stored;
    fields.oneOf(metadata.get('format'), `${file} format`, [CROSS_LAYER_SET_FORMAT]);
    fields.oneOf(metadata.get('reads'), `${file} reads`, [blockHook(layer, input)]);
    for (const [name, shape] of layerShapes(config, layer)) tensors.expect(TENSOR_NAMES[name], shape);
    tensors.refuseOthers();
    readers.push(tensors);
  }
  return readers;
}

/** Refuses one that has other layers, or another width, than the model that it is said to be for. */
function expectModel({ layers, width }: CrossLayerDictionaryConfig, { model }: SetDescription): void {
  if (layers !== model.layers) throw fields.refuse(`${AT}.layers`, layers, `${model.layers}: those of its model`);
  if (width !== model.width) throw fields.refuse(`${AT}.width`, width, `${model.width}: that of its model`);
}
