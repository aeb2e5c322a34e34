// Finding features: by the tokens on which they fire, the logits that they move, their label, their layer; and in an order.
import { scoreText } from './feature-card.js';
import type { FeatureRecord } from './feature-record.js';
import { exampleWords } from './token-window.js';

/** What is looked for; empty texts ask for nothing. */
export interface FeatureQuery {
  /** In a token on which it fires. */
  readonly fires: string;
  /** In a logit that it raises or lowers. */
  readonly logit: string;
  readonly label: string;
  readonly layer: number | undefined;
}

/** By what features are ordered. */
export const featureOrders = ['given', 'most', 'frequent', 'rare', 'layer', 'norm', 'labelled'] as const;
/** By what features are ordered. */
export type FeatureOrder = (typeof featureOrders)[number];

/** Case and the space in front of a token do not matter; without them it is part of the token. */
const has = (token: string, wanted: string): boolean => token.toLowerCase().includes(wanted);

/** Tokens at the peaks of examples, of all that were kept. */
const peaksOf = ({ top = [], bands = [] }: FeatureRecord): string[] =>
  [...top, ...bands.flatMap(({ examples }) => examples)].flatMap((each) => exampleWords(each)?.[each.at] ?? []);

export function meetsQuery(feature: FeatureRecord, label: string, query: FeatureQuery): boolean {
  const [fires, logit, name] = [query.fires, query.logit, query.label].map((each) => each.trim().toLowerCase());
  const { most = [], least = [] } = feature.logits ?? {};
  return (
    (query.layer === undefined || feature.origin.layer === query.layer) &&
    (!fires || peaksOf(feature).some((token) => has(token, fires))) &&
    (!logit || [...most, ...least].some((each) => has(scoreText(each), logit))) &&
    (!name || has(label, name))
  );
}

/** Places of features in an order; ties as they are given. */
export function inOrder(features: readonly FeatureRecord[], labels: readonly string[], order: FeatureOrder): number[] {
  const places = features.map((_, i) => i);
  if (order === 'given') return places;
  const value = (i: number): number => {
    const feature = features[i] as FeatureRecord;
    switch (order) {
      case 'most':
        return -feature.max;
      case 'frequent':
        return -feature.frequency;
      case 'rare':
        return feature.frequency;
      case 'layer':
        return feature.origin.layer * 2 ** 32 + feature.feature;
      case 'norm':
        return -(feature.decoderNorm ?? 0);
      case 'labelled':
        return labels[i] ? 0 : 1;
    }
  };
  return places.sort((a, b) => value(a) - value(b) || a - b);
}
