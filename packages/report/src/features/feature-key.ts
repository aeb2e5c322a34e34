// The name of a feature by which pages, addresses and labels call it.
import type { FeatureRecord } from './feature-record.js';

const kinds: Readonly<Record<FeatureRecord['origin']['kind'], string>> = {
  transcoder: 'tc',
  sae: 'sae',
  'cross-layer': 'clt',
  neurons: 'neuron',
};

/** 'tc8[89]', with the dictionary in front where features of several stand together: no two of a record are the same. */
export const featureKey = ({
  origin,
  feature,
  dictionary,
}: Pick<FeatureRecord, 'origin' | 'feature' | 'dictionary'>): string =>
  `${dictionary === undefined ? '' : `${dictionary} `}${kinds[origin.kind]}${origin.layer}[${feature}]`;
