// The name of a feature by which pages, addresses and labels call it.
import type { FeatureRecord } from './feature-record.js';

/** 'tc8[89]', with the dictionary in front where features of several stand together: no two of a record are the same. */
export const featureKey = ({
  layer,
  feature,
  dictionary,
}: Pick<FeatureRecord, 'layer' | 'feature' | 'dictionary'>): string =>
  `${dictionary === undefined ? '' : `${dictionary} `}tc${layer}[${feature}]`;
