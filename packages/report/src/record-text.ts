// What the records of every kind have in common: they are checked with the place of each fault, and written and read as JSON text.
import { ReportError } from './error.js';
import type { Issue, Schema } from './schema.js';
import { maskSecrets } from './secrets.js';

/** What the field `schema` of every record says. */
export const SCHEMA_NAME = 'limn.result';
/** The version of the schema that this code writes and reads. */
export const SCHEMA_VERSION = 1;

const fieldsOf = (value: unknown): ReadonlyMap<string, unknown> =>
  new Map<string, unknown>(typeof value === 'object' && value !== null ? Object.entries(value) : []);

/** A record of the right kind in another version is told by its version, before its fields are. */
function refuseVersion(version: unknown, read: number): void {
  if (typeof version !== 'number' || version === read) return;
  throw new ReportError(
    'data/record-version',
    `The record is of schema version ${version}; this version of limn reads ${read}.`,
    {
      details: { given: version, allowed: [read] },
      hint: version > read ? 'Update limn, or compute the result again.' : 'Compute the result again.',
    },
  );
}

/** Returns `value` typed, or throws with every fault of the schema, or, where there is none, of `further`. */
export function checkAgainst<T>(schema: Schema<T>, value: unknown, further: (result: T) => readonly Issue[]): T {
  const given = fieldsOf(value);
  if (given.get('schema') === SCHEMA_NAME) refuseVersion(given.get('version'), SCHEMA_VERSION);
  return withoutFaults(schema, value, further);
}

/** As `checkAgainst`, of a record whose field `format` says kind and version: 'limn-dit-reading/1'. */
export function checkFormat<T>(
  format: `${string}/${number}`,
  schema: Schema<T>,
  value: unknown,
  further: (result: T) => readonly Issue[],
): T {
  const [kind, read] = format.split('/');
  const given = fieldsOf(value).get('format');
  const [own, version = ''] = typeof given === 'string' ? given.split('/') : [];
  if (own === kind && /^\d{1,9}$/.test(version)) refuseVersion(Number(version), Number(read));
  return withoutFaults(schema, value, further);
}

function withoutFaults<T>(schema: Schema<T>, value: unknown, further: (result: T) => readonly Issue[]): T {
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
