// The dictionaries of a set through which a prompt is read, and the labels of their features that lie beside them.
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { LimnError } from '@limn/gpu';
import {
  CrossLayerDictionary,
  FeatureLabels,
  type Dictionaries,
  type Dictionary,
  type DictionarySet,
  type LabelledPlace,
} from '@limn/transcoders';
import { expectOfOneLayer, type OpenSet } from './dictionary-set.js';
import { featuresIn } from './trained-set.js';
import { setFolder } from './bundled-folders.js';

/** Features of a set's dictionaries by their names, and of each layer of a cross-layer transcoder. */
export const featuresOfSet =
  ({ dictionaries, crossLayer }: OpenSet): ((name: string) => number | undefined) =>
  (name) =>
    featuresIn(dictionaries)(name) ?? crossLayer?.dictionary.config.features;

/**
 * What of a set explains MLPs: its transcoders, or the cross-layer transcoder that it is.
 * @throws LimnError as `transcodersOf`
 */
export const explainersOf = (set: OpenSet): Dictionaries => set.crossLayer?.dictionary ?? transcodersOf(set);

/**
 * The transcoders of a set. SAEs, which may lie beside them, read the MLP's output and are left out.
 * @throws LimnError `usage/graph-dictionary` where there is none; `usage/dictionary-cross-layer`
 */
export function transcodersOf(set: OpenSet): readonly Dictionary[] {
  const { dictionaries, folder } = set;
  expectOfOneLayer(
    set,
    'see what its features bring to a prompt with `limn features graph`, or take a set of transcoders',
  );
  const found = dictionaries.flatMap(({ dictionary }) =>
    dictionary.config.input === 'hook_mlp_out' ? [] : [dictionary],
  );
  if (found.length > 0) return found;
  throw new LimnError('usage/graph-dictionary', `${folder} has no transcoder`, {
    details: { folder },
    hint: "an SAE reads the MLP's output, which is no linear map of what lies before it: give a set of transcoders",
  });
}

/** Where the labels of one dictionary of a set lie. */
export const labelsFile = (set: string, place: LabelledPlace): string =>
  path.join(setFolder(set), FeatureLabels.fileName(place));

/**
 * The labels that lie in a folder for one of its dictionaries; empty where there is no file.
 * @throws LimnError `data/feature-labels` for a file that cannot be read or is of another dictionary
 */
export async function readLabels(folder: string, place: LabelledPlace): Promise<FeatureLabels> {
  const file = labelsFile(folder, place);
  if (!existsSync(file)) return new FeatureLabels(place);
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (cause) {
    throw new LimnError('data/feature-labels', `${file} cannot be read: ${(cause as Error).message}`, {
      cause,
      details: { file },
    });
  }
  return FeatureLabels.parse(text, place);
}

/** The places that labels of a set are of: its dictionaries', or every layer's of a cross-layer transcoder. */
export const placesOfSet = ({ dictionaries, crossLayer }: DictionarySet): readonly LabelledPlace[] =>
  crossLayer
    ? Array.from({ length: crossLayer.config.layers }, (_, layer) => ({ ...crossLayer.config, layer }))
    : dictionaries.map(({ config }) => config);

const placesOf = (dictionaries: Dictionaries): readonly LabelledPlace[] =>
  (dictionaries instanceof CrossLayerDictionary ? dictionaries.encoders : dictionaries).map(({ config }) => config);

/** The label of a feature by its layer, '' where it has none. @throws LimnError as `readLabels` */
export async function labelsOf(
  folder: string,
  dictionaries: Dictionaries,
): Promise<(layer: number, feature: number) => string> {
  const byLayer = new Map(
    await Promise.all(
      placesOf(dictionaries).map(async (place) => [place.layer, await readLabels(folder, place)] as const),
    ),
  );
  return (layer, feature) => byLayer.get(layer)?.get(feature)?.text ?? '';
}
