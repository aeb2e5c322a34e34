// A strict JSON reader for headers written by strangers: objects become Maps; repeated keys, lone surrogates and deep nesting are errors.

/**
 * A JSON value whose objects are Maps, so that a key such as `__proto__` is an ordinary key. A whole number of at most 20 digits
 * is a bigint, exact; every other number (`1.0`, `1e3`, `-0`, longer ones) is a number.
 */
export type ScannedJson =
  string | bigint | number | boolean | null | readonly ScannedJson[] | ReadonlyMap<string, ScannedJson>;

/** How much of it there may be. The reader stops at the first value beyond. */
export interface JsonLimits {
  /** Objects and arrays open at once. */
  readonly depth: number;
  /** Keys of one object. */
  readonly keys: number;
  /** Values of one array. */
  readonly items: number;
}

/** What was wrong with the text, and how far it was read; `offset` counts UTF-16 units. */
export class JsonScanError extends Error {
  constructor(
    readonly reason: 'syntax' | 'duplicate-key' | 'limit',
    message: string,
    readonly offset: number,
  ) {
    super(`${message} at character ${offset}`);
  }
}

/** Reads one JSON value. @throws JsonScanError */
export function scanJson(text: string, limits: JsonLimits): ScannedJson {
  let at = 0;
  const tooMany = (most: number, what: string): never => {
    throw new JsonScanError('limit', `more than ${most} ${what}`, at);
  };
  const fail = (message: string): never => {
    throw new JsonScanError('syntax', message, at);
  };
  const space = (): void => {
    while (at < text.length && ' \t\n\r'.includes(text[at] as string)) at++;
  };
  const expect = (sign: string): void => {
    if (text[at] !== sign) fail(`expected ${JSON.stringify(sign)}`);
    at++;
  };
  const string = (): string => {
    const from = at;
    expect('"');
    while (at < text.length && text[at] !== '"') {
      if (text.charCodeAt(at) < 0x20) fail('control character in a string');
      at += text[at] === '\\' ? 2 : 1;
    }
    expect('"');
    const quoted = text.slice(from, at);
    let value: string;
    try {
      value = JSON.parse(quoted) as string;
    } catch {
      at = from;
      return fail('malformed string');
    }
    // Only an escape can bring in half a surrogate pair, which no UTF-8 text can hold.
    if (quoted.includes('\\u') && /\p{Surrogate}/u.test(value)) {
      at = from;
      return fail('half a surrogate pair in a string');
    }
    return value;
  };
  const scalarPattern = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null/y;
  const scalar = (): bigint | number | boolean | null => {
    scalarPattern.lastIndex = at;
    const word = scalarPattern.exec(text)?.[0] ?? fail('expected a value');
    at += word.length;
    if (/^(?:0|-?[1-9]\d{0,19})$/.test(word)) return BigInt(word);
    return JSON.parse(word) as number | boolean | null;
  };
  const object = (depth: number): Map<string, ScannedJson> => {
    const result = new Map<string, ScannedJson>();
    at++;
    space();
    if (text[at] === '}') {
      at++;
      return result;
    }
    for (;;) {
      space();
      if (result.size === limits.keys) tooMany(limits.keys, 'keys in one object');
      const keyAt = at;
      const key = string();
      if (result.has(key))
        throw new JsonScanError('duplicate-key', `the key ${JSON.stringify(key)} is there twice`, keyAt);
      space();
      expect(':');
      result.set(key, value(depth));
      space();
      if (text[at] === '}') {
        at++;
        return result;
      }
      expect(',');
    }
  };
  const array = (depth: number): ScannedJson[] => {
    const result: ScannedJson[] = [];
    at++;
    space();
    if (text[at] === ']') {
      at++;
      return result;
    }
    for (;;) {
      if (result.length === limits.items) tooMany(limits.items, 'values in one list');
      result.push(value(depth));
      space();
      if (text[at] === ']') {
        at++;
        return result;
      }
      expect(',');
    }
  };
  const value = (depth: number): ScannedJson => {
    space();
    const sign = text[at];
    if (sign === '"') return string();
    if (sign !== '{' && sign !== '[') return scalar();
    if (depth >= limits.depth) tooMany(limits.depth, 'nested objects or arrays');
    return sign === '{' ? object(depth + 1) : array(depth + 1);
  };
  const result = value(0);
  space();
  if (at !== text.length) fail('text after the end of the value');
  return result;
}
