// What the records of every kind have in common: they are checked with the place of each fault, and written and read as JSON text.
import { ReportError } from './error.js';
import type { Issue, Schema } from './schema.js';
import { maskSecrets } from './secrets.js';

/** What the field `schema` of every record says. */
export const SCHEMA_NAME = 'limn.result';
/** The version of the schema that this code writes and reads. */
export const SCHEMA_VERSION = 1;

/** Returns `value` typed, or throws with every fault of the schema, or, where there is none, of `further`. */
export function checkAgainst<T>(schema: Schema<T>, value: unknown, further: (result: T) => readonly Issue[]): T {
  const given =
    typeof value === 'object' && value !== null ? new Map<string, unknown>(Object.entries(value)) : undefined;
  const version = given?.get('version');
  if (given?.get('schema') === SCHEMA_NAME && typeof version === 'number' && version !== SCHEMA_VERSION)
    throw new ReportError(
      'data/record-version',
      `The record is of schema version ${version}; this version of limn reads ${SCHEMA_VERSION}.`,
      {
        details: { given: version, allowed: [SCHEMA_VERSION] },
        hint: version > SCHEMA_VERSION ? 'Update limn, or compute the result again.' : 'Compute the result again.',
      },
    );
  const issues: Issue[] = [];
  schema.check(value, '', issues);
  if (!issues.length) issues.push(...further(value as T));
  const [first] = issues;
  if (!first) return value as T;
  throw new ReportError(
    'data/record-invalid',
    `The record is not a limn result: at ${first.path || 'its top'} it has ${first.given}, allowed is ${first.allowed}` +
      (issues.length > 1 ? ` (and ${issues.length - 1} more).` : '.'),
    {
      details: { issues: issues.slice(0, 50) },
      hint: 'Write records with this package’s functions, or compare with the JSON Schema of its kind.',
    },
  );
}

/** JSON text with a final newline, access tokens masked: the same record gives the same bytes anywhere. */
export const toJson = (checked: object): string => `${JSON.stringify(maskSecrets(checked), undefined, 1)}\n`;

/** The value of a JSON text, not yet checked. */
export function fromJson(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch (cause) {
    throw new ReportError('data/record-json', 'The record is not JSON.', {
      cause,
      hint: 'The file may be cut off: compute the result again.',
    });
  }
}
