// The dictionaries of a set through which a prompt is read, and the labels of their features that lie beside them.
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { LimnError } from '@limn/gpu';
import { FeatureLabels, type Dictionary, type LabelledPlace } from '@limn/transcoders';
import type { OpenSet } from './dictionary-set.js';
import { setFolder } from './set-folder.js';

/**
 * The transcoders of a set. SAEs, which may lie beside them, read the MLP's output and are left out.
 * @throws LimnError `usage/graph-dictionary` where there is none
 */
export function transcodersOf({ dictionaries, folder }: OpenSet): readonly Dictionary[] {
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

/** The label of a feature by its layer, '' where it has none. @throws LimnError as `readLabels` */
export async function labelsOf(
  folder: string,
  dictionaries: readonly Dictionary[],
): Promise<(layer: number, feature: number) => string> {
  const byLayer = new Map(
    await Promise.all(
      dictionaries.map(async ({ config }) => [config.layer, await readLabels(folder, config)] as const),
    ),
  );
  return (layer, feature) => byLayer.get(layer)?.get(feature)?.text ?? '';
}
