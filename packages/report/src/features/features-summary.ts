// Dashboards in a few plain sentences.
import { numberText, percentText } from '../number-text.js';
import type { Summary } from '../summary.js';
import type { FeaturesRecord } from './features-record.js';

/** Says how many features of which layers there are and how often they fire; nothing that the record does not hold. */
export function summariseFeatures({ features, corpus, all, withoutText = false }: FeaturesRecord): Summary {
  const layers = [...new Set(features.map(({ origin }) => origin.layer))].sort((a, b) => a - b);
  const where = layers.length === 1 ? `layer ${layers[0]}` : `layers ${layers.join(', ')}`;
  const count = `${numberText(features.length, 9)}${all === undefined || all === features.length ? '' : ` of ${numberText(all, 9)}`}`;
  const often = features.map(({ frequency }) => frequency).sort((a, b) => a - b);
  const middle = often[Math.floor((often.length - 1) / 2)];
  const labelled = features.filter(({ label }) => label).length;
  const tokens = `${numberText(corpus.tokens, 9)} tokens${corpus.name === undefined ? '' : ` of ${corpus.name}`}`;
  return {
    headline: features.length
      ? `${count} feature${features.length === 1 ? '' : 's'} of ${where}, as they fire on ${tokens}.`
      : `No feature, on ${tokens}.`,
    sentences: [
      middle === undefined
        ? ''
        : `Half of them fire on ${percentText(middle)} of tokens or less, the rarest on ${percentText(often[0] ?? 0)}, the most frequent on ${percentText(often.at(-1) ?? 0)}.`,
      labelled ? `${numberText(labelled, 9)} ${labelled === 1 ? 'has' : 'have'} a label.` : '',
      withoutText ? 'The text of the examples was left out: ▢ stands for a token.' : '',
    ].filter(Boolean),
  };
}
