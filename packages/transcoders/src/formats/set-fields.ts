// What limn's own sets have in common, whichever kind they are of: the fields of config.json that say of what and how a set was made.
import { CheckedFields, type ModelInfo } from '@limn/hooks';
import { sizeOf } from '../checked-tensors.js';
import type { DictionaryActivation } from '../dictionary-config.js';
import type { DictionaryFile, NamedTensor } from './dictionary-files.js';
import { firstNonFinite } from './read-tensors.js';
import { MOST_WIDTH } from './saelens-config.js';
import type { DictionaryConvention } from './stored-dictionary.js';

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

/** What a set says of a dictionary beside its shape. */
export interface SetEntry {
  readonly expects?: Partial<DictionaryConvention>;
  /** What was measured: L0, FVU, …. */
  readonly figures?: object;
  /** Settings of the training that are this dictionary's own. */
  readonly training?: object;
}

type Fields = Readonly<Record<string, unknown>>;

const MOST_LAYERS = 10_000;
const ORIGIN = ['training', 'data', 'versions', 'adapter', 'command'] as const;

/** The fields of a set's config.json and of its files. */
export const setFields = new CheckedFields(
  'data/dictionary-set',
  'The dictionary set',
  'Give a folder that limn wrote: config.json and the safetensors files that it names.',
);

/** config.json: what the set says of itself, and `rest`, its dictionaries. */
export function setConfig(format: string, { model, ...origin }: SetDescription, rest: object): DictionaryFile {
  const { architecture, layers, width, vocabulary, processing, fingerprint } = model;
  const own = { architecture, layers, width, vocabulary, processing, fingerprint };
  const config = { format, model: own, ...origin, ...rest };
  return { name: 'config.json', text: `${JSON.stringify(config, undefined, 2)}\n` };
}

/** What a config.json says of its set. */
export const describedBy = (config: Fields): SetDescription => ({
  model: checkModel(config.model),
  ...originOf(config),
});

/** The part of an entry that says what its dictionary expects and what was measured, as it is written. */
export const entryJson = ({ expects, figures, training }: SetEntry): object => ({
  ...(expects && { expects }),
  ...(figures && { figures }),
  ...(training && { training }),
});

/** The same as it is read. */
export function entryOf({ expects, figures, training }: Fields, at: string) {
  const recordOf = (value: unknown, name: string): Fields | undefined =>
    value === undefined ? undefined : setFields.record(value, `${at}.${name}`);
  return {
    expects: expects === undefined ? {} : expectation(expects, `${at}.expects`),
    figures: recordOf(figures, 'figures'),
    training: recordOf(training, 'training'),
  };
}

/** The tensors of a file by the names that it has for them, once their numbers are as many as their shapes say and finite. */
export function setTensors<Name extends string>(
  file: string,
  shapes: ReadonlyMap<Name, readonly number[]>,
  names: Readonly<Record<Name, string>>,
  held: Readonly<Partial<Record<Name, Float32Array>>>,
): ReadonlyMap<string, NamedTensor> {
  return new Map(
    Array.from(shapes, ([name, shape]) => {
      const data: Float32Array | undefined = held[name];
      const size = sizeOf(shape);
      if (data?.length !== size)
        throw setFields.refuse(`${file} ${names[name]}`, data && `${data.length} numbers`, `${size} numbers`);
      const odd = firstNonFinite(data);
      if (odd >= 0) throw setFields.refuse(`${file} ${names[name]}[${odd}]`, data[odd], 'a finite number');
      return [names[name], { shape, data }] as const;
    }),
  );
}

/** φ as config.json has it. */
export function checkActivation(given: unknown, at: string): DictionaryActivation {
  const { kind: named, k, bandwidth } = setFields.record(given, at);
  const kind = setFields.oneOf(named, `${at}.kind`, ['relu', 'top-k', 'batch-top-k', 'jump-relu']);
  if (kind === 'relu') return { kind };
  if (kind === 'jump-relu') return { kind, bandwidth: setFields.finite(bandwidth, `${at}.bandwidth`) };
  return { kind, k: setFields.whole(k, `${at}.k`, 1, MOST_WIDTH) };
}

function expectation(given: unknown, at: string): Partial<DictionaryConvention> {
  const { gain, output, preBias, bos } = setFields.record(given, at);
  return {
    ...(gain === undefined ? {} : { gain: setFields.oneOf(gain, `${at}.gain`, ['kept', 'folded']) }),
    ...(output === undefined ? {} : { output: setFields.oneOf(output, `${at}.output`, ['plain', 'centred']) }),
    ...(preBias === undefined ? {} : { preBias: setFields.oneOf(preBias, `${at}.preBias`, ['none', 'subtracted']) }),
    ...(bos === undefined ? {} : { bos: setFields.flag(bos, `${at}.bos`) }),
  };
}

function checkModel(given: unknown): SetModel {
  const model = setFields.record(given, 'model');
  for (const name of ['architecture', 'processing', 'fingerprint'] as const)
    setFields.text(model[name], `model.${name}`);
  setFields.whole(model.layers, 'model.layers', 1, MOST_LAYERS);
  for (const name of ['width', 'vocabulary'] as const) setFields.whole(model[name], `model.${name}`, 1, MOST_WIDTH);
  return model as unknown as SetModel;
}

function originOf(config: Readonly<Record<string, unknown>>): Omit<SetDescription, 'model'> {
  const origin: Record<string, unknown> = {};
  for (const name of ORIGIN) {
    const value = config[name];
    if (value === undefined) continue;
    origin[name] =
      name === 'adapter' || name === 'command' ? setFields.text(value, name) : setFields.record(value, name);
  }
  return origin as Omit<SetDescription, 'model'>;
}
