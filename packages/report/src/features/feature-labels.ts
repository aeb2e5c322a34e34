// Labels of features as the files that stand beside dictionaries, `limn-feature-labels/1` of @limn/transcoders: one for each dictionary.
import type { FeatureRecord } from './feature-record.js';

/** What a file of labels says it is. */
export const LABELS_FORMAT = 'limn-feature-labels/1';

/** What somebody says of a feature. */
export type FeatureLabelRecord = NonNullable<FeatureRecord['label']>;

/** A file of labels, as it is called in the folder of its dictionary. */
export interface LabelFile {
  readonly name: string;
  readonly text: string;
}

/** A file for every dictionary that has a label; `labels` has one for every feature, undefined where it has none. */
export function labelFiles(
  features: readonly FeatureRecord[],
  labels: readonly (FeatureLabelRecord | undefined)[],
): LabelFile[] {
  const files = new Map<string, { readonly origin: FeatureRecord['origin']; readonly places: number[] }>();
  features.forEach(({ origin, dictionary = '' }, i) => {
    if (!labels[i]?.text) return;
    const key = JSON.stringify([dictionary, origin.kind, origin.reads]);
    files.set(key, { origin, places: [...(files.get(key)?.places ?? []), i] });
  });
  return [...files.values()].map(({ origin, places }) => {
    const input = origin.reads.replace(/^blocks\.\d+\./, '');
    const entries = places
      .map((i) => ({ feature: features[i]?.feature ?? 0, ...labels[i] }))
      .sort((a, b) => a.feature - b.feature);
    const dictionary = { layer: origin.layer, input, features: origin.features };
    return {
      name: `blocks.${origin.layer}.${input}.labels.json`,
      text: `${JSON.stringify({ format: LABELS_FORMAT, dictionary, labels: entries }, undefined, 2)}\n`,
    };
  });
}
