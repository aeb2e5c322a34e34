// limn's own format: a folder with config.json, which says everything but the numbers, and a safetensors file for each dictionary.
import { blockHook, CheckedFields, tryParseHookName, type ModelInfo } from '@limn/hooks';
import { checkConfig, READABLE_SITES, type DictionaryActivation, type DictionaryConfig } from '../dictionary-config.js';
import { dictionaryShapes, type DictionaryTensorName, type DictionaryWeights } from '../dictionary.js';
import { MOST_CONFIG_BYTES, type DictionaryFile, type DictionaryFiles } from './dictionary-files.js';
import { firstNonFinite, TensorReader } from './read-tensors.js';
import { MOST_WIDTH } from './saelens-config.js';
import type {
  DictionaryConvention,
  DictionaryProvenance,
  LoadedDictionary,
  StoredDictionary,
} from './stored-dictionary.js';

/** The name of the format and of its one version. */
export const DICTIONARY_SET_FORMAT = 'limn-dictionaries/1';

/** The model that a set was trained on: `model.info` will do. */
export type SetModel = Pick<
  ModelInfo,
  'architecture' | 'layers' | 'width' | 'vocabulary' | 'processing' | 'fingerprint'
>;

/** What a set says of itself; all but the model may be unknown, and what is `object` here is any JSON. */
export interface SetDescription {
  readonly model: SetModel;
  /** Settings of the training, the same for all of its dictionaries, its seed among them. */
  readonly training?: object;
  /** What was trained on: `sha256`, and what else is to be said of it. */
  readonly data?: object;
  readonly versions?: Readonly<Record<string, string>>;
  /** The GPU, in words. */
  readonly adapter?: string;
  readonly command?: string;
}

/** One dictionary of a set to be written. */
export interface SetMember {
  readonly config: DictionaryConfig;
  /** The numbers, or how to get them when their file's turn comes. */
  readonly weights: DictionaryWeights | (() => Promise<DictionaryWeights>);
  readonly expects?: Partial<DictionaryConvention>;
  /** What was measured: L0, FVU, …. */
  readonly figures?: object;
  /** Settings of the training that are this dictionary's own. */
  readonly training?: object;
}

/** A set that was read. */
export interface DictionarySet {
  readonly description: SetDescription;
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
const MOST_LAYERS = 10_000;
const ORIGIN = ['training', 'data', 'versions', 'adapter', 'command'] as const;

const fields = new CheckedFields(
  'data/dictionary-set',
  'The dictionary set',
  'Give a folder that limn wrote: config.json and the safetensors files that it names.',
);

/** The file of a dictionary in its set. */
const fileOf = ({ layer, input }: DictionaryConfig): string => `blocks.${layer}.${input}.safetensors`;

/**
 * The files of a set, config.json first; numbers are asked for when their file's turn comes. `openDictionarySet` gives them back to the bit.
 * @throws LimnError `data/dictionary-set` for two dictionaries of one place, and for numbers that are not of their config's shapes or not finite;
 * `usage/dictionary-config`; what getting the numbers throws
 */
export async function* writeDictionarySet(
  members: readonly SetMember[],
  { model, ...origin }: SetDescription,
): AsyncGenerator<DictionaryFile> {
  const names = new Set<string>();
  const dictionaries = members.map(({ config, expects, figures, training }) => {
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
      ...(expects && { expects }),
      ...(figures && { figures }),
      ...(training && { training }),
    };
  });
  const { architecture, layers, width, vocabulary, processing, fingerprint } = model;
  const config = {
    format: DICTIONARY_SET_FORMAT,
    model: { architecture, layers, width, vocabulary, processing, fingerprint },
    ...origin,
    dictionaries,
  };
  yield { name: 'config.json', text: `${JSON.stringify(config, undefined, 2)}\n` };
  for (const { config: each, weights } of members) {
    const held = typeof weights === 'function' ? await weights() : weights;
    const tensors = new Map(
      Array.from(dictionaryShapes(each), ([name, shape]) => {
        const data = held[name];
        const size = shape.reduce((product, n) => product * n, 1);
        if (data?.length !== size)
          throw fields.refuse(
            `${fileOf(each)} ${TENSOR_NAMES[name]}`,
            data && `${data.length} numbers`,
            `${size} numbers`,
          );
        const odd = firstNonFinite(data);
        if (odd >= 0)
          throw fields.refuse(`${fileOf(each)} ${TENSOR_NAMES[name]}[${odd}]`, data[odd], 'a finite number');
        return [TENSOR_NAMES[name], { shape, data }] as const;
      }),
    );
    yield {
      name: fileOf(each),
      tensors,
      metadata: { format: DICTIONARY_SET_FORMAT, reads: blockHook(each.layer, each.input) },
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
  fields.oneOf(config.format, 'format', [DICTIONARY_SET_FORMAT]);
  const model = checkModel(config.model);
  const description = { model, ...originOf(config) };
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
  const own = entry.training === undefined ? undefined : fields.record(entry.training, `${at}.training`);
  const provenance: DictionaryProvenance = {
    format: 'limn',
    file,
    model: model.fingerprint,
    reads: String(entry.reads),
    writes: String(entry.writes),
    expects: entry.expects === undefined ? {} : expectation(entry.expects, `${at}.expects`),
    notes: [],
    ...(common || own ? { training: { ...common, ...own } } : {}),
  };
  const read = async (): Promise<LoadedDictionary> => {
    const weights: Partial<Record<DictionaryTensorName, Float32Array>> = {};
    for (const [name, shape] of shapes) weights[name] = await tensors.read(TENSOR_NAMES[name], shape);
    return { config, provenance, weights: weights as unknown as DictionaryWeights };
  };
  const figures = entry.figures === undefined ? undefined : fields.record(entry.figures, `${at}.figures`);
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

function checkActivation(given: unknown, at: string): DictionaryActivation {
  const { kind: named, k, bandwidth } = fields.record(given, at);
  const kind = fields.oneOf(named, `${at}.kind`, ['relu', 'top-k', 'batch-top-k', 'jump-relu']);
  if (kind === 'relu') return { kind };
  if (kind === 'jump-relu') return { kind, bandwidth: fields.finite(bandwidth, `${at}.bandwidth`) };
  return { kind, k: fields.whole(k, `${at}.k`, 1, MOST_WIDTH) };
}

function expectation(given: unknown, at: string): Partial<DictionaryConvention> {
  const { gain, output, preBias, bos } = fields.record(given, at);
  return {
    ...(gain === undefined ? {} : { gain: fields.oneOf(gain, `${at}.gain`, ['kept', 'folded']) }),
    ...(output === undefined ? {} : { output: fields.oneOf(output, `${at}.output`, ['plain', 'centred']) }),
    ...(preBias === undefined ? {} : { preBias: fields.oneOf(preBias, `${at}.preBias`, ['none', 'subtracted']) }),
    ...(bos === undefined ? {} : { bos: fields.flag(bos, `${at}.bos`) }),
  };
}

function checkModel(given: unknown): SetModel {
  const model = fields.record(given, 'model');
  for (const name of ['architecture', 'processing', 'fingerprint'] as const) fields.text(model[name], `model.${name}`);
  fields.whole(model.layers, 'model.layers', 1, MOST_LAYERS);
  for (const name of ['width', 'vocabulary'] as const) fields.whole(model[name], `model.${name}`, 1, MOST_WIDTH);
  return model as unknown as SetModel;
}

function originOf(config: Readonly<Record<string, unknown>>): Omit<SetDescription, 'model'> {
  const origin: Record<string, unknown> = {};
  for (const name of ORIGIN) {
    const value = config[name];
    if (value === undefined) continue;
    origin[name] = name === 'adapter' || name === 'command' ? fields.text(value, name) : fields.record(value, name);
  }
  return origin as Omit<SetDescription, 'model'>;
}
