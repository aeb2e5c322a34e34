// Which dictionaries of a set, and which of their features, are read.
import { LimnError } from '@limn/gpu';
import type { FeatureEncoder } from '@limn/transcoders';
import type { OpenSet } from './dictionary-set.js';

/** A feature by its layer. */
export interface FeaturePlace {
  readonly layer: number;
  readonly feature: number;
}

/** Which dictionaries. */
export interface DictionaryChoice {
  /** SAEs instead of transcoders. Default false. */
  readonly sae?: boolean | undefined;
  /** Default: all. */
  readonly layers?: readonly number[] | 'all' | undefined;
}

/** `LAYER:FEATURE`. @throws LimnError `usage/features` */
export function featureOption(text: string): FeaturePlace {
  const [, layer, feature] = /^\s*(\d{1,9}):(\d{1,9})\s*$/.exec(text) ?? [];
  if (feature !== undefined) return { layer: Number(layer), feature: Number(feature) };
  throw new LimnError('usage/features', `${JSON.stringify(text)} names no feature: expected LAYER:FEATURE`, {
    details: { given: text },
    hint: 'for example 8:89, feature 89 of layer 8',
  });
}

/** `LAYER:FEATURE,…`. @throws LimnError `usage/features` */
export const featuresOption = (text: string): FeaturePlace[] => text.split(',').map(featureOption);

/**
 * The dictionaries of a set that a choice means, or the layers of a cross-layer transcoder, by layer.
 * @throws LimnError `usage/dictionary-layer` for a layer that the set has none of, or more than one
 */
export function chosenDictionaries(
  { dictionaries, crossLayer, folder }: Pick<OpenSet, 'dictionaries' | 'crossLayer' | 'folder'>,
  { sae = false, layers = 'all' }: DictionaryChoice,
): FeatureEncoder[] {
  const kind = sae ? 'SAE' : 'transcoder';
  const all: readonly FeatureEncoder[] =
    crossLayer?.dictionary.encoders ?? dictionaries.map(({ dictionary }) => dictionary);
  const own = all
    .filter(({ config }) => (config.input === 'hook_mlp_out') === sae)
    .sort((a, b) => a.config.layer - b.config.layer);
  const refuse = (problem: string): LimnError =>
    new LimnError('usage/dictionary-layer', `${folder} has ${problem}`, {
      details: { folder, sae, layers: own.map(({ config }) => config.layer) },
      ...(own.length === 0 && all.length > 0 ? { hint: `${sae ? 'leave out' : 'add'} --sae` } : {}),
    });
  const twice = own.find(({ config }, i) => own[i + 1]?.config.layer === config.layer);
  if (twice) throw refuse(`two ${kind}s of layer ${twice.config.layer}`);
  if (own.length === 0) throw refuse(`no ${kind}`);
  if (layers === 'all') return own;
  return [...new Set(layers)]
    .sort((a, b) => a - b)
    .map((layer) => {
      const found = own.find(({ config }) => config.layer === layer);
      if (found) return found;
      throw refuse(`no ${kind} of layer ${layer}`);
    });
}
