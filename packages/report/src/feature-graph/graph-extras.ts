// What a graph file holds of a record besides what viewers read, so that the record comes back from it: under `limn` of its metadata.
import { checkAgainst } from '../record-text.js';
import { list, object, text } from '../schema.js';
import type { Infer } from '../schema.js';
import type { FeatureGraphRecord } from './graph-record.js';
import { graphFields, outputFields } from './graph-schema-parts.js';

const name = text({ longest: 1000 });
const extrasSchema = object({}, { ...graphFields, outputs: list(object({ id: name }, outputFields), { most: 1000 }) });

/**
 * What a graph file holds of a record besides what viewers read.
 * @useDeclaredType
 */
export type GraphExtras = Infer<typeof extrasSchema>;

/** Of a record. */
export function graphExtras(record: Omit<FeatureGraphRecord, 'schema' | 'version' | 'kind'>): GraphExtras {
  const { title, layers, scores, accounting, activeFeatures, whole, withoutDictionary, nodes } = record;
  return {
    title,
    layers,
    scores,
    ...(accounting === undefined ? {} : { accounting }),
    ...(activeFeatures === undefined ? {} : { activeFeatures }),
    ...(whole === undefined ? {} : { whole }),
    ...(withoutDictionary === undefined ? {} : { withoutDictionary }),
    outputs: nodes.flatMap(({ id, kind, label, token, value, weight, probability }) =>
      kind === 'output'
        ? [
            {
              id,
              ...(label === undefined ? {} : { label }),
              ...(token === undefined ? {} : { token }),
              ...(value === undefined ? {} : { value }),
              ...(weight === undefined ? {} : { weight }),
              ...(probability === undefined ? {} : { probability }),
            },
          ]
        : [],
    ),
  };
}

/**
 * Of a file; nothing where it is of another program.
 * @throws ReportError `data/record-invalid` where there is something of another form, `data/record-version`
 */
export function checkGraphExtras(value: unknown): GraphExtras {
  return value === undefined ? {} : checkAgainst(extrasSchema, value, () => []);
}
