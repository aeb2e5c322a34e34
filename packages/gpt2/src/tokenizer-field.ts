// One value of a tokenizer's file and where it stands, read with complaints that name file, field, what is given and what is allowed.
import { LimnError, shownValue } from '@limn/gpu';

/** Which file is being read. */
export interface TokenizerFile {
  /** The folder, as in messages. */
  readonly label: string;
  readonly name: string;
}

/** Error for a file that no reader could use. */
export function damagedTokenizer(
  file: TokenizerFile,
  reason: string,
  details: Readonly<Record<string, unknown>> = {},
  cause?: unknown,
): LimnError {
  return new LimnError('tokenizer/damaged', `${file.name} in ${file.label} cannot be used: ${reason}`, {
    details: { file: file.name, ...details },
    hint: 'Download the tokenizer files again.',
    cause,
  });
}

/** A value of parsed JSON with its path, such as `model.merges[3]`. */
export class TokenizerField {
  constructor(
    private readonly file: TokenizerFile,
    readonly path: string,
    readonly value: unknown,
  ) {}

  /** Not there, or null. */
  get absent(): boolean {
    return this.value === undefined || this.value === null;
  }

  /** The error for a value that is not `allowed`. */
  wrong(allowed: string, given = shownValue(this.value)): LimnError {
    const what = this.path === '' ? 'it' : this.path;
    return damagedTokenizer(this.file, `${what} is ${given}; allowed: ${allowed}`, {
      field: this.path,
      given,
      allowed,
    });
  }

  /** The error for a sound value that limn does not read: `why` ends the sentence. */
  unsupported(why: string): LimnError {
    return new LimnError(
      'tokenizer/unsupported',
      `${this.file.name} in ${this.file.label}: ${this.path} is ${shownValue(this.value)}, ${why}`,
      {
        details: { file: this.file.name, field: this.path, given: shownValue(this.value) },
        hint: 'Give the model token ids: a copy of the folder without its tokenizer files opens without a tokenizer.',
      },
    );
  }

  /** A field of an object; undefined if the object has none of its own. */
  member(name: string): TokenizerField {
    const given = Object.hasOwn(this.object(), name) ? this.object()[name] : undefined;
    return new TokenizerField(this.file, this.path === '' ? name : `${this.path}.${name}`, given);
  }

  /** @throws LimnError `tokenizer/damaged` */
  object(allowed = 'an object'): Readonly<Record<string, unknown>> {
    const { value } = this;
    if (typeof value !== 'object' || value === null || Array.isArray(value)) throw this.wrong(allowed);
    return value as Readonly<Record<string, unknown>>;
  }

  /** @throws LimnError `tokenizer/damaged` */
  list(): TokenizerField[] {
    if (!Array.isArray(this.value)) throw this.wrong('a list');
    return this.value.map((item: unknown, i) => this.item(i, item));
  }

  /** One value of a list or of a map with many entries. */
  item(key: number | string, value: unknown): TokenizerField {
    return new TokenizerField(this.file, `${this.path}[${shownValue(key)}]`, value);
  }

  /** @throws LimnError `tokenizer/damaged` */
  text(): string {
    if (typeof this.value !== 'string') throw this.wrong('a text');
    return this.value;
  }

  /** The value, or `fallback` where there is none. @throws LimnError `tokenizer/damaged` */
  flag(fallback?: boolean): boolean {
    const value = this.value === undefined ? fallback : this.value;
    if (typeof value !== 'boolean') throw this.wrong('true or false');
    return value;
  }

  /** @throws LimnError `tokenizer/damaged` */
  whole(most: number): number {
    if (!isWhole(this.value, most)) throw this.wrong(`a whole number from 0 to ${most}`);
    return this.value;
  }

  /** @throws LimnError `tokenizer/damaged` */
  oneOf<Name extends string>(names: readonly Name[], fallback?: Name): Name {
    const found = names.find((name) => name === (this.value === undefined ? fallback : this.value));
    if (found === undefined) throw this.wrong(names.map((name) => JSON.stringify(name)).join(', '));
    return found;
  }
}

/** Whether a value is a whole number from 0 to `most`. */
export function isWhole(value: unknown, most: number): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= most;
}
