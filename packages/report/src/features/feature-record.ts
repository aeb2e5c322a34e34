// What is written down about one feature: how often and where it fires, and what it reads and writes.
import { finite, list, object, orNull, text, whole, yesNo } from '../schema.js';
import type { Infer, Issue } from '../schema.js';
import { featureKey } from './feature-key.js';

const token = text({ longest: 1000 });
/** A token of the vocabulary with its score, the most extreme first. */
const scored = list(object({ token, value: finite }), { most: 200 });

/** Tokens around one on which the feature fires. */
const example = object(
  {
    /** null where the dashboard was made without text. */
    tokens: orNull(list(token, { most: 2000 })),
    /** a of every token. */
    activations: list(finite, { most: 2000 }),
    /** The place of the token that the example is of. */
    peak: whole(),
  },
  {
    /** Whether the same tokens stand in an example before it. */
    repeated: yesNo,
  },
);

/** An interval of activations: the share of all tokens in it, and some of them, sampled at equal distances. */
const band = object({ from: finite, to: finite, share: orNull(finite), examples: list(example, { most: 200 }) });

export const featureSchema = object(
  {
    layer: whole(0, 10_000),
    feature: whole(),
    /** Share of all tokens on which it fires. */
    activationFrequency: finite,
    actMax: finite,
  },
  {
    /** The dictionary that it is of, where features of several stand in one record. */
    dictionary: text({ longest: 1000 }),
    label: text({ longest: 2000 }),
    /** Left out, 0. */
    actMin: finite,
    histogram: list(object({ from: finite, to: finite, count: whole() }), { most: 500 }),
    /** Where it fires most. */
    top: list(example, { most: 200 }),
    bands: list(band, { most: 20 }),
    /** Logits that its decoder row raises and lowers most. */
    promoted: scored,
    suppressed: scored,
    /** Tokens whose embedding its encoder row reads most and least. */
    deEmbedding: object({ top: scored, bottom: scored }),
    encoderNorm: finite,
    decoderNorm: finite,
  },
);

/**
 * The dashboard of one feature.
 * @useDeclaredType
 */
export type FeatureRecord = Infer<typeof featureSchema>;
/**
 * Tokens around one on which a feature fires.
 * @useDeclaredType
 */
export type FeatureExample = Infer<typeof example>;

/** Examples whose lists do not fit, intervals that run backwards, and features that stand twice. */
export function featureFaults(features: readonly FeatureRecord[], at: string): Issue[] {
  const issues: Issue[] = [];
  const seen = new Set<string>();
  const checkExample = (path: string, { tokens, activations, peak }: FeatureExample): void => {
    if (tokens && tokens.length !== activations.length)
      issues.push({
        path: `${path}/activations`,
        given: `${activations.length} entries`,
        allowed: `one per token, ${tokens.length}`,
      });
    if (peak >= activations.length)
      issues.push({ path: `${path}/peak`, given: String(peak), allowed: `places below ${activations.length}` });
  };
  features.forEach((feature, i) => {
    const path = `${at}/${i}`;
    const { top = [], bands = [], histogram = [], activationFrequency: often } = feature;
    if (often < 0 || often > 1)
      issues.push({ path: `${path}/activationFrequency`, given: String(often), allowed: 'a share from 0 to 1' });
    top.forEach((each, t) => checkExample(`${path}/top/${t}`, each));
    bands.forEach((each, b) => each.examples.forEach((e, x) => checkExample(`${path}/bands/${b}/examples/${x}`, e)));
    for (const [name, parts] of Object.entries({ bands, histogram }))
      parts.forEach(({ from, to }, p) => {
        if (from > to) issues.push({ path: `${path}/${name}/${p}/to`, given: String(to), allowed: `at least ${from}` });
      });
    const name = featureKey(feature);
    if (seen.has(name)) issues.push({ path, given: `${name} for the second time`, allowed: 'each feature once' });
    seen.add(name);
  });
  return issues;
}
