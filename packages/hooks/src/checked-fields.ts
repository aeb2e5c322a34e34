// Fields of a file that somebody else wrote, checked one by one: a refusal names the field, what it holds and what is allowed there.
import { LimnError, shownValue } from '@limn/gpu';

/** The fields of one kind of file. */
export class CheckedFields {
  /** What refusals are called, what the file is called, and what to do about them. */
  constructor(
    readonly code: string,
    readonly file: string,
    readonly cure: string,
  ) {}

  /** The refusal of one field. */
  refuse(field: string, given: unknown, allowed: string, cause?: unknown): LimnError {
    const shown = shownValue(given);
    return new LimnError(this.code, `${this.file}: '${field}' is ${shown}; it should be ${allowed}.`, {
      details: { field, given: shown, allowed },
      hint: this.cure,
      ...(cause === undefined ? {} : { cause }),
    });
  }

  /** The text as JSON: an object. */
  parse(text: string): Readonly<Record<string, unknown>> {
    let json: unknown;
    try {
      json = JSON.parse(text);
    } catch (cause) {
      throw this.refuse('the file', text, 'JSON from its first byte to its last', cause);
    }
    return this.record(json, 'the file');
  }

  /** An object; its fields are not looked at. */
  record(value: unknown, field: string): Readonly<Record<string, unknown>> {
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
    throw this.refuse(field, value, 'an object');
  }

  /** A list of whatever. */
  list(value: unknown, field: string, allowed = 'a list'): readonly unknown[] {
    if (Array.isArray(value)) return value;
    throw this.refuse(field, value, allowed);
  }

  /** A text that is not empty. */
  text(value: unknown, field: string, allowed = 'text of at least one character'): string {
    if (typeof value === 'string' && value.length > 0) return value;
    throw this.refuse(field, value, allowed);
  }

  /** A list of texts, which may be empty ones. */
  texts(value: unknown, field: string, allowed = 'a list of texts'): readonly string[] {
    const list = this.list(value, field, allowed);
    list.forEach((each, i) => {
      if (typeof each !== 'string') throw this.refuse(`${field}[${i}]`, each, 'text');
    });
    return list as readonly string[];
  }

  /** A whole number from `least` to `most`. */
  whole(value: unknown, field: string, least: number, most: number): number {
    if (typeof value === 'number' && Number.isInteger(value) && value >= least && value <= most) return value;
    throw this.refuse(field, value, `a whole number from ${least} to ${most}`);
  }

  /** true or false. */
  flag(value: unknown, field: string): boolean {
    if (typeof value === 'boolean') return value;
    throw this.refuse(field, value, 'true or false');
  }

  /** A number, neither infinite nor NaN. */
  finite(value: unknown, field: string, allowed = 'a finite number'): number {
    if (typeof value === 'number' && Number.isFinite(value)) return value;
    throw this.refuse(field, value, allowed);
  }

  /** One of the texts that are allowed. */
  oneOf<const T extends string>(value: unknown, field: string, allowed: readonly T[]): T {
    const found = allowed.find((each) => each === value);
    if (found !== undefined) return found;
    throw this.refuse(field, value, allowed.length === 1 ? `'${allowed[0]}'` : `one of ${allowed.join(', ')}`);
  }

  /** Finite numbers that f32 can hold, rounded to it. */
  floats(value: unknown, field: string, count: number): Float32Array {
    const allowed = `a list of ${count} numbers`;
    const list = this.list(value, field, allowed);
    if (list.length !== count) throw this.refuse(field, value, allowed);
    const floats = new Float32Array(count);
    list.forEach((each, i) => {
      floats[i] = typeof each === 'number' ? each : Number.NaN;
      if (!Number.isFinite(floats[i]))
        throw this.refuse(`${field}[${i}]`, each, 'a finite number within the range of f32');
    });
    return floats;
  }

  /** What a check of the library itself refuses, as a refusal of the field it was about. */
  within<T>(field: string, given: unknown, check: () => T): T {
    try {
      return check();
    } catch (cause) {
      if (!(cause instanceof LimnError)) throw cause;
      const reason = cause.hint === undefined ? cause.message : `${cause.message} ${cause.hint}`;
      throw new LimnError(this.code, `${this.file}: '${field}' cannot be used. ${reason}`, {
        details: { ...cause.details, field, given: shownValue(given), reason: cause.code },
        hint: this.cure,
        cause,
      });
    }
  }
}
