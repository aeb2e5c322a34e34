// Labels of features as a file of their own, to stand beside a dictionary.
import type { FeatureRecord } from './feature-record.js';

/** What the file says it is. */
export const LABELS_FORMAT = 'limn-feature-labels';

/** JSON text of the labels that are not empty; `labels` has one for every feature. */
export function labelsToJson(features: readonly FeatureRecord[], labels: readonly string[]): string {
  const entries = features.flatMap(({ layer, feature, dictionary }, i) =>
    labels[i] ? [{ ...(dictionary === undefined ? {} : { dictionary }), layer, feature, label: labels[i] }] : [],
  );
  return `${JSON.stringify({ format: LABELS_FORMAT, version: 1, labels: entries }, undefined, 1)}\n`;
}
