// A set of dictionaries that limn wrote, opened for the model it belongs to.
import { LimnError } from '@limn/gpu';
import {
  CrossLayerDictionary,
  Dictionary,
  DICTIONARY_SET_FORMAT,
  openDictionarySet,
  type DictionarySet,
  type NamedCrossLayer,
  type NamedDictionary,
} from '@limn/transcoders';
import { openDictionaryFolder } from './dictionary-files.js';
import { CROSS_LAYER_NAME, placeName } from './dictionary-settings.js';
import type { OpenModel } from './model-source.js';

/** Dictionaries on the GPU; disposing frees them. */
export interface OpenSet {
  readonly folder: string;
  readonly set: DictionarySet;
  /** One a layer and site, in the order of the set, each by `placeName`. */
  readonly dictionaries: readonly NamedDictionary[];
  /** Of a set that is a cross-layer transcoder, which has no dictionaries. */
  readonly crossLayer?: NamedCrossLayer;
  [Symbol.dispose](): void;
}

/**
 * Opens a set that was made for this model: same weights, same processing of them, whether LoRAs changed them since or not.
 * @throws LimnError `data/dictionary-foreign` for another tool's folder and for another model's set; `data/dictionary-set`; `files/…`;
 * `usage/dictionary-layer` for a layer that it does not have; `memory/…` and `gpu/…` when the GPU has no room
 */
export async function openSet(
  { hooked, name, baseProcessing }: OpenModel,
  folder: string,
  layers?: readonly number[],
): Promise<OpenSet> {
  const set = await ownSet(folder);
  const { model } = set.description;
  const { fingerprint, processing } = hooked.info;
  // A set of the base goes with LoRAs on it, as with any other edit.
  if (model.fingerprint !== fingerprint || ![processing, baseProcessing].includes(model.processing))
    throw new LimnError(
      'data/dictionary-foreign',
      `${folder} was made for other weights than those of ${name}: ${short(model)} instead of ${short(hooked.info)}`,
      {
        details: { folder, made: model, given: { fingerprint, processing } },
        hint: 'open the model that it was trained on, with the same --processing; `limn transcode convert --model` measures whether it fits another',
      },
    );
  const present = layersIn(set);
  const missing = layers?.find((layer) => !present.includes(layer));
  if (missing !== undefined)
    throw new LimnError('usage/dictionary-layer', `${folder} has no dictionary of layer ${missing}`, {
      details: { missing, layers: present },
    });
  if (set.crossLayer) {
    const dictionary = await CrossLayerDictionary.read(hooked.gpu, set.crossLayer);
    const crossLayer = { name: CROSS_LAYER_NAME, dictionary };
    return { folder, set, dictionaries: [], crossLayer, [Symbol.dispose]: () => dictionary.dispose() };
  }
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

/** The layers of a set, as often as they are there. */
const layersIn = ({ dictionaries, crossLayer }: DictionarySet): readonly number[] =>
  crossLayer
    ? Array.from({ length: crossLayer.config.layers }, (_, layer) => layer)
    : dictionaries.map(({ config }) => config.layer);

/**
 * Refuses a set that is a cross-layer transcoder where a layer's MLP is taken apart by itself.
 * @throws LimnError `usage/dictionary-cross-layer`, with what can be done instead
 */
export function expectOfOneLayer(
  { crossLayer, folder }: { readonly crossLayer?: unknown; readonly folder: string },
  hint: string,
): void {
  if (crossLayer === undefined) return;
  throw new LimnError(
    'usage/dictionary-cross-layer',
    `${folder} is a cross-layer transcoder: what it puts in the place of an MLP is made of features of every layer up to it`,
    { details: { folder }, hint },
  );
}

/** What a folder says of its set; numbers stay where they are. @throws LimnError as `openSet` but for its model and the GPU */
export async function ownSet(folder: string): Promise<DictionarySet> {
  const files = await openDictionaryFolder(folder);
  if ((await files.names()).includes('config.json')) return openDictionarySet(files);
  throw new LimnError('data/dictionary-foreign', `${folder} has no config.json: it is no set in limn's format`, {
    details: { folder, format: DICTIONARY_SET_FORMAT },
    hint: 'bring a folder of another tool over with `limn transcode convert DIR --model NAME --to limn --out SET`',
  });
}

const short = ({ fingerprint, processing }: { readonly fingerprint: string; readonly processing: string }): string =>
  `${fingerprint.slice(0, 12)}… (${processing})`;
