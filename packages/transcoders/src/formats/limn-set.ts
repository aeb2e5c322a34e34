// limn's own format: a folder with config.json, which says everything but the numbers, and a safetensors file for each dictionary.
import { blockHook, tryParseHookName } from '@limn/hooks';
import { checkConfig, READABLE_SITES, type DictionaryConfig } from '../dictionary-config.js';
import { dictionaryShapes, type DictionaryTensorName, type DictionaryWeights } from '../dictionary.js';
import { MOST_CONFIG_BYTES, type DictionaryFile, type DictionaryFiles } from './dictionary-files.js';
import {
  CROSS_LAYER_KIND,
  CROSS_LAYER_SET_FORMAT,
  crossLayerFiles,
  openCrossLayerMember,
  type CrossLayerMember,
} from './limn-cross-layer.js';
import { TensorReader } from './read-tensors.js';
import { MOST_WIDTH } from './saelens-config.js';
import {
  checkActivation,
  describedBy,
  entryJson,
  entryOf,
  setConfig,
  setFields as fields,
  setTensors,
  type SetDescription,
  type SetEntry,
  type SetModel,
} from './set-fields.js';
import type { StoredCrossLayer } from './cross-layer-set.js';
import type { DictionaryProvenance, LoadedDictionary, StoredDictionary } from './stored-dictionary.js';

/** The name of the format, and its version for dictionaries of one layer each; `CROSS_LAYER_SET_FORMAT` is the other. */
export const DICTIONARY_SET_FORMAT = 'limn-dictionaries/1';

/** One dictionary of a set to be written. */
export interface SetMember extends SetEntry {
  readonly config: DictionaryConfig;
  /** The numbers, or how to get them when their file's turn comes. */
  readonly weights: DictionaryWeights | (() => Promise<DictionaryWeights>);
}

/** A set that was read: dictionaries of one layer each, or a cross-layer transcoder and none of these. */
export interface DictionarySet {
  readonly description: SetDescription;
  readonly crossLayer?: StoredCrossLayer;
  readonly dictionaries: readonly (StoredDictionary & { readonly figures?: Readonly<Record<string, unknown>> })[];
}

const TENSOR_NAMES: Readonly<Record<DictionaryTensorName, string>> = {
  wEnc: 'W_enc',
  bEnc: 'b_enc',
  wDec: 'W_dec',
  bDec: 'b_dec',
  logThreshold: 'log_threshold',
  wSkip: 'W_skip',
};

/** The file of a dictionary in its set. */
const fileOf = ({ layer, input }: DictionaryConfig): string => `blocks.${layer}.${input}.safetensors`;

/**
 * The files of a set, config.json first; numbers are asked for when their file's turn comes. `openDictionarySet` gives them back to the bit.
 * @throws LimnError `data/dictionary-set` for two dictionaries of one place, and for numbers that are not of their config's shapes or not finite;
 * `usage/dictionary-config`; what getting the numbers throws
 */
export async function* writeDictionarySet(
  members: readonly SetMember[] | CrossLayerMember,
  description: SetDescription,
): AsyncGenerator<DictionaryFile> {
  if ('crossLayer' in members) {
    yield* crossLayerFiles(members, description);
    return;
  }
  const names = new Set<string>();
  const dictionaries = members.map(({ config, ...entry }) => {
    const file = fileOf(checkConfig(config));
    if (names.has(file)) throw fields.refuse('dictionaries', file, 'one dictionary for each place');
    names.add(file);
    const { layer, input, inputWidth, outputWidth, features, activation, skip } = config;
    return {
      file,
      reads: blockHook(layer, input),
      writes: blockHook(layer, 'hook_mlp_out'),
      inputWidth,
      outputWidth,
      features,
      activation,
      skip,
      ...entryJson(entry),
    };
  });
  yield setConfig(DICTIONARY_SET_FORMAT, description, { dictionaries });
  for (const { config, weights } of members) {
    const name = fileOf(config);
    const held = typeof weights === 'function' ? await weights() : weights;
    yield {
      name,
      tensors: setTensors(name, dictionaryShapes(config), TENSOR_NAMES, held),
      metadata: { format: DICTIONARY_SET_FORMAT, reads: blockHook(config.layer, config.input) },
    };
  }
}

/**
 * Opens a set.
 * @throws LimnError `data/dictionary-set`, naming the field, what it holds and what is allowed; `usage/dictionary-config`; what the source
 * of the files throws
 */
export async function openDictionarySet(files: DictionaryFiles): Promise<DictionarySet> {
  const config = fields.parse(await files.text('config.json', MOST_CONFIG_BYTES));
  const format = fields.oneOf(config.format, 'format', [DICTIONARY_SET_FORMAT, CROSS_LAYER_SET_FORMAT]);
  const description = describedBy(config);
  const { model } = description;
  if (format === CROSS_LAYER_SET_FORMAT) {
    fields.oneOf(config.kind, 'kind', [CROSS_LAYER_KIND]);
    return { description, dictionaries: [], crossLayer: await openCrossLayerMember(files, config, description) };
  }
  const list = fields.list(config.dictionaries, 'dictionaries');
  const names = await files.names();
  const seen = new Set<string>();
  const dictionaries: DictionarySet['dictionaries'][number][] = [];
  for (const [i, given] of list.entries()) {
    const at = `dictionaries[${i}]`;
    const entry = fields.record(given, at);
    const own = checkEntry(entry, at, model);
    const file = fields.text(entry.file, `${at}.file`);
    if (!names.includes(file) || seen.has(file))
      throw fields.refuse(`${at}.file`, file, 'a file of the folder, named once');
    seen.add(file);
    dictionaries.push(await openMember(files, file, own, entry, description, at));
  }
  return { description, dictionaries };
}

async function openMember(
  files: DictionaryFiles,
  file: string,
  config: DictionaryConfig,
  entry: Readonly<Record<string, unknown>>,
  { model, training: common }: SetDescription,
  at: string,
): Promise<DictionarySet['dictionaries'][number]> {
  const tensors = new TensorReader(await files.tensors(file), fields);
  const { metadata } = tensors.stored;
  fields.oneOf(metadata.get('format'), `${file} format`, [DICTIONARY_SET_FORMAT]);
  fields.oneOf(metadata.get('reads'), `${file} reads`, [String(entry.reads)]);
  const shapes = dictionaryShapes(config);
  for (const [name, shape] of shapes) tensors.expect(TENSOR_NAMES[name], shape);
  tensors.refuseOthers();
  const { expects, figures, training: own } = entryOf(entry, at);
  const provenance: DictionaryProvenance = {
    format: 'limn',
    file,
    model: model.fingerprint,
    reads: String(entry.reads),
    writes: String(entry.writes),
    expects,
    notes: [],
    ...(common || own ? { training: { ...common, ...own } } : {}),
  };
  const read = async (): Promise<LoadedDictionary> => {
    const weights: Partial<Record<DictionaryTensorName, Float32Array>> = {};
    for (const [name, shape] of shapes) weights[name] = await tensors.read(TENSOR_NAMES[name], shape);
    return { config, provenance, weights: weights as unknown as DictionaryWeights };
  };
  return { config, provenance, read, ...(figures && { figures }) };
}

function checkEntry(entry: Readonly<Record<string, unknown>>, at: string, model: SetModel): DictionaryConfig {
  const reads = fields.text(entry.reads, `${at}.reads`);
  const place = tryParseHookName(reads);
  const input = READABLE_SITES.find((site) => site === place?.site);
  if (place?.layer === undefined || input === undefined || place.layer >= model.layers)
    throw fields.refuse(
      `${at}.reads`,
      reads,
      `a place of the model that an MLP reads, layers 0 to ${model.layers - 1}`,
    );
  fields.oneOf(entry.writes, `${at}.writes`, [blockHook(place.layer, 'hook_mlp_out')]);
  const whole = (name: string): number => fields.whole(entry[name], `${at}.${name}`, 1, MOST_WIDTH);
  const config: DictionaryConfig = {
    layer: place.layer,
    input,
    inputWidth: whole('inputWidth'),
    outputWidth: whole('outputWidth'),
    features: whole('features'),
    activation: checkActivation(entry.activation, `${at}.activation`),
    skip: fields.flag(entry.skip, `${at}.skip`),
  };
  return fields.within(at, entry, () => checkConfig(config));
}
