// A set of dictionaries that limn wrote, opened for the model it belongs to.
import { LimnError } from '@limn/gpu';
import {
  Dictionary,
  DICTIONARY_SET_FORMAT,
  openDictionarySet,
  type DictionarySet,
  type NamedDictionary,
} from '@limn/transcoders';
import { openDictionaryFolder } from './dictionary-files.js';
import { placeName } from './dictionary-settings.js';
import type { OpenModel } from './model-source.js';

/** Dictionaries on the GPU; disposing frees them. */
export interface OpenSet {
  readonly folder: string;
  readonly set: DictionarySet;
  /** One a layer and site, in the order of the set, each by `placeName`. */
  readonly dictionaries: readonly NamedDictionary[];
  [Symbol.dispose](): void;
}

/**
 * Opens a set that was made for this model: same weights, same processing of them.
 * @throws LimnError `data/dictionary-foreign` for another tool's folder and for another model's set; `data/dictionary-set`; `files/…`;
 * `usage/dictionary-layer` for a layer that it does not have; `memory/…` and `gpu/…` when the GPU has no room
 */
export async function openSet(
  { hooked, name }: OpenModel,
  folder: string,
  layers?: readonly number[],
): Promise<OpenSet> {
  const set = await ownSet(folder);
  const { model } = set.description;
  const { fingerprint, processing } = hooked.info;
  if (model.fingerprint !== fingerprint || model.processing !== processing)
    throw new LimnError(
      'data/dictionary-foreign',
      `${folder} was made for other weights than those of ${name}: ${short(model)} instead of ${short(hooked.info)}`,
      {
        details: { folder, made: model, given: { fingerprint, processing } },
        hint: 'open the model that it was trained on, with the same --processing; `limn transcode convert --model` measures whether it fits another',
      },
    );
  const missing = layers?.find((layer) => !set.dictionaries.some(({ config }) => config.layer === layer));
  if (missing !== undefined)
    throw new LimnError('usage/dictionary-layer', `${folder} has no dictionary of layer ${missing}`, {
      details: { missing, layers: set.dictionaries.map(({ config }) => config.layer) },
    });
  const dictionaries: NamedDictionary[] = [];
  const dispose = (): void => {
    for (const { dictionary } of dictionaries) dictionary.dispose();
  };
  try {
    for (const stored of set.dictionaries) {
      if (layers && !layers.includes(stored.config.layer)) continue;
      const { config, weights } = await stored.read();
      dictionaries.push({
        name: placeName(config.layer, config.input === 'hook_mlp_out'),
        dictionary: Dictionary.create(hooked.gpu, config, weights),
      });
    }
  } catch (error) {
    dispose();
    throw error;
  }
  return { folder, set, dictionaries, [Symbol.dispose]: dispose };
}

async function ownSet(folder: string): Promise<DictionarySet> {
  const files = await openDictionaryFolder(folder);
  if ((await files.names()).includes('config.json')) return openDictionarySet(files);
  throw new LimnError('data/dictionary-foreign', `${folder} has no config.json: it is no set in limn's format`, {
    details: { folder, format: DICTIONARY_SET_FORMAT },
    hint: 'bring a folder of another tool over with `limn transcode convert DIR --model NAME --to limn --out SET`',
  });
}

const short = ({ fingerprint, processing }: { readonly fingerprint: string; readonly processing: string }): string =>
  `${fingerprint.slice(0, 12)}… (${processing})`;
