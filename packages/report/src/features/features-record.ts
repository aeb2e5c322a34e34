// What is written down about the features of dictionaries: a dashboard of each.
import { provenanceSchema } from '../provenance-record.js';
import { SCHEMA_NAME, SCHEMA_VERSION, checkAgainst, fromJson, toJson } from '../record-text.js';
import { list, object, oneOf, text, whole, yesNo } from '../schema.js';
import type { Infer, Json } from '../schema.js';
import { featureFaults, featureSchema } from './feature-record.js';

const featuresSchema = object(
  {
    schema: oneOf(SCHEMA_NAME),
    version: oneOf(SCHEMA_VERSION),
    kind: oneOf('features'),
    title: text({ longest: 500 }),
    provenance: provenanceSchema,
    /** What was read to make the dashboards: tokens in all, and from where. */
    corpus: object({ tokens: whole() }, { name: text({ longest: 1000 }), skip: whole() }),
    features: list(featureSchema, { most: 20_000 }),
  },
  {
    /** Whether the text of the examples was left out. */
    withoutText: yesNo,
    /** Features that the dictionaries have, of which `features` are some. */
    all: whole(),
  },
);

/**
 * The record of dashboards.
 * @useDeclaredType
 */
export type FeaturesRecord = Infer<typeof featuresSchema>;

/** The JSON Schema of dashboards, for other tools. */
export const featuresJsonSchema: Readonly<Record<string, Json>> = {
  $schema: 'https://json-schema.org/draft/2020-12/schema',
  title: 'limn features',
  ...featuresSchema.json,
};

/**
 * Returns `value` typed.
 * @throws ReportError `data/record-invalid` with every fault's JSON Pointer (the first 50), `data/record-version`
 */
export function checkFeatures(value: unknown): FeaturesRecord {
  return checkAgainst(featuresSchema, value, ({ features, withoutText = false }) => [
    ...featureFaults(features, '/features'),
    ...(withoutText
      ? features.flatMap(({ top = [], bands = [] }, i) =>
          [...top, ...bands.flatMap(({ examples }) => examples)].some(({ tokens, texts }) => tokens.length > 0 || texts)
            ? [{ path: `/features/${i}`, given: 'text', allowed: 'examples without tokens, as withoutText says' }]
            : [],
        )
      : []),
  ]);
}

/**
 * Checked, with access tokens masked, as JSON text with a final newline.
 * @throws ReportError as `checkFeatures`
 */
export function featuresToJson(features: FeaturesRecord): string {
  return toJson(checkFeatures(features));
}

/**
 * Parses and checks.
 * @throws ReportError `data/record-json` when the text is not JSON, and as `checkFeatures`
 */
export function featuresFromJson(json: string): FeaturesRecord {
  return checkFeatures(fromJson(json));
}
