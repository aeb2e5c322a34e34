// What is written down about one feature: how often and where it fires, what it reads and writes, and what people say that it stands for.
import { finite, list, object, oneOf, text, whole, yesNo } from '../schema.js';
import type { Infer, Issue } from '../schema.js';
import { featureKey } from './feature-key.js';

const token = text({ longest: 1000 });

/** Tokens around one on which the feature fires; the fields of a `DashboardExample` of @limn/transcoders. */
const example = object(
  {
    /** Ids; none where the text was taken out. */
    tokens: list(whole(), { most: 2000 }),
    /** a of every token. */
    activations: list(finite, { most: 2000 }),
    /** The place of the token that the example is of. */
    at: whole(),
  },
  {
    texts: list(token, { most: 2000 }),
    sequence: whole(),
    position: whole(),
    value: finite,
    /** Whether the same tokens stand in an example before it. */
    repeated: yesNo,
  },
);

/** An interval of activations: the share of all tokens in it, and some of them at equal steps. */
const band = object({ from: finite, to: finite, share: finite, examples: list(example, { most: 200 }) });

/** Tokens of the vocabulary with their scores, each list from the outside in. */
const score = list(object({ token: whole(), value: finite }, { text: token }), { most: 500 });
const scored = object({ most: score, least: score });

/** The fields of a `FeatureDashboard` of @limn/transcoders, with its label and its norms. */
export const featureSchema = object(
  {
    origin: object({
      kind: oneOf('transcoder', 'sae', 'cross-layer', 'neurons'),
      layer: whole(0, 10_000),
      /** The site that is read. */
      reads: token,
      /** Features that there are. */
      features: whole(1),
    }),
    feature: whole(),
    /** Share of all tokens on which it fires. */
    frequency: finite,
    min: finite,
    max: finite,
  },
  {
    /** The dictionary that it is of, where one record has several of one layer. */
    dictionary: token,
    /** A `FeatureLabel`. */
    label: object({ text: text(), author: text(), time: text({ longest: 100 }) }, { evidence: text() }),
    /** Tokens that were read, and those on which it fires. */
    tokens: whole(),
    fired: whole(),
    quantiles: list(object({ share: finite, value: finite }), { most: 200 }),
    /** Firings in equal bins from 0 to max. */
    histogram: list(whole(), { most: 1000 }),
    /** Where it fires most. */
    top: list(example, { most: 200 }),
    bands: list(band, { most: 20 }),
    /** Logits that its decoder row raises and lowers most. */
    logits: scored,
    /** Tokens whose embedding its encoder row reads most and least. */
    deEmbedding: scored,
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
export function featureFaults(features: readonly FeatureRecord[], root: string): Issue[] {
  const issues: Issue[] = [];
  const seen = new Set<string>();
  const checkExample = (path: string, { tokens, texts = [], activations, at }: FeatureExample): void => {
    for (const [field, given] of Object.entries({ tokens, texts }))
      if (given.length > 0 && given.length !== activations.length)
        issues.push({
          path: `${path}/${field}`,
          given: `${given.length} entries`,
          allowed: `one per activation, ${activations.length}`,
        });
    if (at >= activations.length)
      issues.push({ path: `${path}/at`, given: String(at), allowed: `places below ${activations.length}` });
  };
  features.forEach((feature, i) => {
    const path = `${root}/${i}`;
    const { top = [], bands = [], frequency, origin } = feature;
    if (frequency < 0 || frequency > 1)
      issues.push({ path: `${path}/frequency`, given: String(frequency), allowed: 'a share from 0 to 1' });
    if (feature.feature >= origin.features)
      issues.push({ path: `${path}/feature`, given: String(feature.feature), allowed: `below ${origin.features}` });
    top.forEach((each, t) => checkExample(`${path}/top/${t}`, each));
    bands.forEach(({ from, to, examples }, b) => {
      if (from > to) issues.push({ path: `${path}/bands/${b}/to`, given: String(to), allowed: `at least ${from}` });
      examples.forEach((each, x) => checkExample(`${path}/bands/${b}/examples/${x}`, each));
    });
    const name = featureKey(feature);
    if (seen.has(name)) issues.push({ path, given: `${name} for the second time`, allowed: 'each feature once' });
    seen.add(name);
  });
  return issues;
}
