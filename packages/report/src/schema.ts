// Small typed schemas: one description gives the TypeScript type, the check with the path of each fault, and the JSON Schema.
import { maskText } from './secrets.js';

/** A value that JSON can hold. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

/** One fault: where (JSON Pointer), what was given, what is allowed. */
export interface Issue {
  readonly path: string;
  readonly given: string;
  readonly allowed: string;
}

export interface Schema<T> {
  /** JSON Schema, draft 2020-12. */
  readonly json: Readonly<Record<string, Json>>;
  /** Adds a fault for everything in `value` that is not a T. */
  check(value: unknown, path: string, issues: Issue[]): void;
  /** Never set: carries the type. */
  readonly type?: T;
}

/**
 * The type that a schema describes.
 * @inline
 */
export type Infer<S> = S extends Schema<infer T> ? T : never;
type Shape = Readonly<Record<string, Schema<unknown>>>;
/** @inline */
type Fields<S extends Shape> = { readonly [K in keyof S]: Infer<S[K]> };
/** @inline */
type Simplify<T> = { [K in keyof T]: T[K] };

/** How a wrong value is shown in a message: its kind, and its start if it is short enough to help. */
function show(value: unknown): string {
  if (value === undefined) return 'nothing';
  if (typeof value === 'number' || typeof value === 'boolean' || value === null) return String(value);
  if (typeof value === 'string') return JSON.stringify(shorten(maskText(value.slice(0, 400))));
  return Array.isArray(value)
    ? `a list of ${value.length}`
    : typeof value === 'object'
      ? 'an object'
      : `a ${typeof value}`;
}

const shorten = (text: string): string => (text.length > 60 ? `${text.slice(0, 60)}…` : text);

const leaf = <T>(json: Record<string, Json>, allowed: string, accepts: (value: unknown) => boolean): Schema<T> => ({
  json,
  check(value, path, issues) {
    if (!accepts(value)) issues.push({ path, given: show(value), allowed });
  },
});

/** A string of at most `longest` UTF-16 units, matching `pattern` if there is one. */
export function text({ longest = 10_000, pattern }: { longest?: number; pattern?: RegExp } = {}): Schema<string> {
  const json = { type: 'string', maxLength: longest, ...(pattern ? { pattern: pattern.source } : {}) };
  const allowed = `text of at most ${longest} characters${pattern ? ` like ${pattern.source}` : ''}`;
  return leaf(json, allowed, (v) => typeof v === 'string' && v.length <= longest && (pattern?.test(v) ?? true));
}

/** A finite number: JSON has no NaN, so a missing number is null with a reason beside it. */
export const finite: Schema<number> = leaf({ type: 'number' }, 'a finite number', (v) => Number.isFinite(v));
export const yesNo: Schema<boolean> = leaf({ type: 'boolean' }, 'true or false', (v) => typeof v === 'boolean');

/** A number from `least` to `most`, both included. */
export function between(least: number, most: number): Schema<number> {
  const accepts = (v: unknown): boolean => typeof v === 'number' && v >= least && v <= most;
  return leaf({ type: 'number', minimum: least, maximum: most }, `a number from ${least} to ${most}`, accepts);
}

/** A whole number from `least` to `most`, both included. */
export function whole(least = 0, most = Number.MAX_SAFE_INTEGER): Schema<number> {
  const accepts = (v: unknown): boolean => Number.isSafeInteger(v) && Number(v) >= least && Number(v) <= most;
  return leaf({ type: 'integer', minimum: least, maximum: most }, `a whole number from ${least} to ${most}`, accepts);
}

export function oneOf<const T extends readonly (string | number)[]>(...values: T): Schema<T[number]> {
  return leaf({ enum: [...values] }, values.map((v) => JSON.stringify(v)).join(' or '), (v) =>
    values.includes(v as never),
  );
}

export function orNull<T>(inner: Schema<T>): Schema<T | null> {
  return {
    json: { anyOf: [inner.json, { type: 'null' }] },
    check(value, path, issues) {
      if (value !== null) inner.check(value, path, issues);
    },
  };
}

/** A value of either kind; a fault is told in the words of the second. */
export function either<A, B>(first: Schema<A>, second: Schema<B>): Schema<A | B> {
  return {
    json: { anyOf: [first.json, second.json] },
    check(value, path, issues) {
      const faults: Issue[] = [];
      first.check(value, path, faults);
      if (faults.length) second.check(value, path, issues);
    },
  };
}

export function list<T>(item: Schema<T>, { most = 100_000 }: { most?: number } = {}): Schema<readonly T[]> {
  const allowed = `a list of at most ${most} entries`;
  return {
    json: { type: 'array', items: item.json, maxItems: most },
    check(value, path, issues) {
      if (!Array.isArray(value) || value.length > most) issues.push({ path, given: show(value), allowed });
      else for (let i = 0; i < value.length && issues.length < 50; i++) item.check(value[i], `${path}/${i}`, issues);
    },
  };
}

type Entries<T extends readonly Schema<unknown>[]> = { readonly [K in keyof T]: Infer<T[K]> };

/** A list whose entries have their own schemas; the `optional` ones may be left out. */
export function row<const R extends readonly Schema<unknown>[], const O extends readonly Schema<unknown>[]>(
  required: R,
  optional: O,
): Schema<readonly [...Entries<R>, ...Partial<Entries<O>>]> {
  const items: readonly Schema<unknown>[] = [...required, ...optional];
  const [least, most] = [required.length, items.length];
  return {
    json: { type: 'array', prefixItems: items.map((item) => item.json), minItems: least, maxItems: most },
    check(value, path, issues) {
      if (!Array.isArray(value) || value.length < least || value.length > most)
        issues.push({ path, given: show(value), allowed: `a list of ${least} to ${most} entries` });
      else value.forEach((entry, i) => items[i]?.check(entry, `${path}/${i}`, issues));
    },
  };
}

/** An object with these fields and no others. */
export function object<R extends Shape, O extends Shape = Record<never, never>>(
  required: R,
  optional?: O,
): Schema<Simplify<Fields<R> & Partial<Fields<O>>>> {
  const fields = new Map<string, Schema<unknown>>(Object.entries({ ...required, ...optional }));
  const properties = Object.fromEntries([...fields].map(([key, schema]) => [key, schema.json]));
  return {
    json: { type: 'object', properties, required: Object.keys(required), additionalProperties: false },
    check(value, path, issues) {
      if (typeof value !== 'object' || value === null || Array.isArray(value))
        return void issues.push({ path, given: show(value), allowed: 'an object' });
      const given = new Map<string, unknown>(Object.entries(value));
      for (const key of given.keys())
        if (!fields.has(key))
          issues.push({
            path: `${path}/${pointer(key)}`,
            given: 'an unknown field',
            allowed: [...fields.keys()].join(', '),
          });
      for (const [key, schema] of fields)
        if (given.get(key) !== undefined || Object.hasOwn(required, key))
          schema.check(given.get(key), `${path}/${key}`, issues);
    },
  };
}

/** An object whose keys are free. */
export function record<T>(
  item: Schema<T>,
  { most = 1000 }: { most?: number } = {},
): Schema<Readonly<Record<string, T>>> {
  return {
    json: { type: 'object', additionalProperties: item.json, maxProperties: most },
    check(value, path, issues) {
      if (typeof value !== 'object' || value === null || Array.isArray(value) || Object.keys(value).length > most)
        issues.push({ path, given: show(value), allowed: `an object of at most ${most} fields` });
      else for (const [key, entry] of Object.entries(value)) item.check(entry, `${path}/${pointer(key)}`, issues);
    },
  };
}

/** Any JSON value of at most `depth` levels. */
export function anyJson(depth = 6): Schema<Json> {
  const fits = (value: unknown, left: number): boolean => {
    if (value === null || ['string', 'boolean'].includes(typeof value)) return true;
    if (typeof value === 'number') return Number.isFinite(value);
    return typeof value === 'object' && left > 0 && Object.values(value).every((inner) => fits(inner, left - 1));
  };
  return leaf({}, `JSON of at most ${depth} levels`, (value) => fits(value, depth));
}

const pointer = (key: string): string => key.slice(0, 60).replaceAll('~', '~0').replaceAll('/', '~1');
