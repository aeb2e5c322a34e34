// Damages valid safetensors files, byte by byte and token by token; some of the damage is harmless, so that both verdicts occur.
import { entryOf, fileOf } from './bytes.js';
import { numberedDamage, type Damage } from './numbered-damage.js';

/** A file taken apart. */
interface Parts {
  tokens: string[];
  data: Uint8Array;
  /** Added to the true header length. */
  lengthDelta: number;
  /** Bytes put in place of those of the finished header. */
  patches: [number, number][];
}

const numbers =
  '0 1 2 3 4 6 8 12 24 -1 -0 1.0 1e0 1.5 01 281474976710655 281474976710656 9007199254740993 18446744073709551615 18446744073709551616'.split(
    ' ',
  );
// prettier-ignore
const words = [
  'F32', 'F16', 'BF16', 'F64', 'I64', 'U8', 'BOOL', 'F4', 'F6_E2M3', 'F8_E8M0', 'C64', 'f32', 'F33', 'toString',
  '__proto__', '__metadata__', 'constructor', 'dtype', 'shape', 'data_offsets', 'a', 'weight', '', 'é', '\\u0061',
  '\\ud800', '\\ud83d\\ude00', '\\u0000', '\\x', '\u007f', '\u0001',
].map((word) => `"${word}"`);
const inserted = ['{', '}', '[', ']', ',', ':', ' ', '\n', '\t', '\u00a0', '\ufeff', '\0', 'null', 'true', '0', '"x"'];

/** Valid files to start from. */
export const bases: readonly Uint8Array[] = [
  fileOf(`{"a":${entryOf(0, 24, '[2,3]')},"weight":${entryOf(24, 32, '[1,2]')}}   `, 32),
  fileOf(
    `{"__metadata__":{"format":"pt","a":"b"},"h.0.é":${entryOf(0, 12, '[6]', 'BF16')},"n":${entryOf(12, 16, '[]')}}`,
    16,
  ),
  fileOf(
    `{"b":${entryOf(8, 16, '[1]', 'F64')},"a":${entryOf(0, 8, '[2,2,2]', 'U8')},"e":${entryOf(16, 16, '[0,3]')}}`,
    16,
  ),
  fileOf(
    `{"q":${entryOf(0, 3, '[4]', 'F6_E3M2')},"r":${entryOf(3, 5, '[2,2]', 'F4')},"s":${entryOf(5, 6, '[1]', 'BOOL')}}`,
    6,
  ),
  fileOf(
    `{"__metadata__":{},"__proto__":${entryOf(0, 4, '[1]', 'I32')},"toString":${entryOf(4, 12, '[1]', 'C64')}}`,
    12,
  ),
  fileOf('{}', 0),
];

const isNumber = (token: string): boolean => /^-?\d/.test(token);
const isString = (token: string): boolean => token.startsWith('"');

const kinds: readonly ((parts: Parts, a: number, b: number) => void)[] = [
  // One byte of the header, and one bit of it.
  (parts, a, b) => void parts.patches.push([a, b % 256]),
  (parts, a, b) => void parts.patches.push([a, 256 + 2 ** (b % 7)]),
  // The stated header length.
  (parts, a, b) => void (parts.lengthDelta += [1, -1, 8, -8, 2 ** 31, 2 ** 32][a % 6]! * ((b % 3) + 1)),
  // Data cut off or added, and data changed.
  (parts, a) => void (parts.data = parts.data.slice(0, Math.max(0, parts.data.length - 1 - (a % 9)))),
  (parts, a) => void (parts.data = Uint8Array.from([...parts.data, ...Array.from({ length: 1 + (a % 9) }, () => 0)])),
  (parts, a, b) => void (parts.data.length > 0 && (parts.data[a % parts.data.length] = b % 256)),
  // A number, a string, any token by another, twice.
  (parts, a, b) => replace(parts, isNumber, a, numbers[b % numbers.length]!),
  (parts, a, b) => replace(parts, isNumber, a, numbers[b % 9]!),
  (parts, a, b) => replace(parts, isString, a, words[b % words.length]!),
  (parts, a, b) => replace(parts, (token) => isString(token) && /^"[BF]?\d|^"[A-Z]/.test(token), a, words[b % 14]!),
  // A token taken out, put in, swapped, doubled.
  (parts, a) => void parts.tokens.splice(a % (parts.tokens.length + 1), 1),
  (parts, a, b) => void parts.tokens.splice(a % (parts.tokens.length + 1), 0, inserted[b % inserted.length]!),
  (parts, a, b) => {
    const [i, j] = [a % parts.tokens.length, b % parts.tokens.length];
    [parts.tokens[i], parts.tokens[j]] = [parts.tokens[j] ?? '', parts.tokens[i] ?? ''];
  },
  // White space between tokens, and a character written as an escape: both harmless.
  (parts, a, b) => void parts.tokens.splice(a % (parts.tokens.length + 1), 0, ' \t\n\r'[b % 4]!.repeat(1 + (a % 5))),
  (parts, a) =>
    replace(
      parts,
      (token) => isString(token) && /^"[a-z]/.test(token),
      a,
      (token) => {
        return `"\\u${token.charCodeAt(1).toString(16).padStart(4, '0')}${token.slice(2)}`;
      },
    ),
  // A shape with the same product, a metadata entry, an entry twice, an entry moved to the front.
  (parts, a) => {
    const at = nth(parts, (token, i) => token === '[' && isNumber(parts.tokens[i + 1] ?? ''), a);
    if (at >= 0) parts.tokens.splice(at + 1, 0, '1', ',');
  },
  (parts, a, b) => edit(parts, (text) => text.replace('{', `{"__metadata__":{"${a % 10}":${words[b % 8]}},`)),
  (parts, a) => edit(parts, (text) => text.replace(pick(text, a), (entry) => `${entry},${entry}`)),
  (parts, a) =>
    edit(parts, (text) => {
      const entry = pick(text, a);
      return entry === ''
        ? text
        : `{${entry},${text
            .slice(1)
            .replace(entry, '')
            .replace(/^,|,(?=\s*}\s*$)/, '')}`;
    }),
  // A number a little larger or smaller.
  (parts, a, b) =>
    replace(parts, isNumber, a, (token) => String(Math.max(0, Number(token) + [1, -1, 4, -4, 8, -8][b % 6]!))),
  // One tensor moved.
  (parts, a, b) =>
    edit(parts, (text) => {
      const entry = pick(text, a);
      const by = [1, 4, 8, -4][b % 4] as number;
      const move = (number: string): string => String(Math.max(0, Number(number) + by));
      const moved = entry.replace(/\[(\d+),(\d+)\]\}$/, (_all, x: string, y: string) => `[${move(x)},${move(y)}]}`);
      return text.replace(entry, moved);
    }),
  // A field more in an entry.
  (parts, a) => edit(parts, (text) => text.replace('{"dtype"', `{"x":${inserted[12 + (a % 4)]},"dtype"`)),
];

/** The file that these acts make of a base; each kind, place and value is taken modulo what there is. */
export function mutate(base: number, mutations: readonly Damage[]): Uint8Array {
  const bytes = bases[base % bases.length] as Uint8Array;
  const headerEnd = 8 + Number(new DataView(bytes.buffer).getBigUint64(0, true));
  const parts: Parts = {
    tokens: tokensOf(new TextDecoder().decode(bytes.subarray(8, headerEnd))),
    data: bytes.slice(headerEnd),
    lengthDelta: 0,
    patches: [],
  };
  for (const { kind, a, b } of mutations) kinds[kind % kinds.length]!(parts, a, b);
  const header = new TextEncoder().encode(parts.tokens.join(''));
  for (const [at, byte] of parts.patches) {
    const place = at % Math.max(1, header.length);
    header[place] = byte < 256 ? byte : (header[place] ?? 0) ^ (byte - 256);
  }
  return fileOf(header, parts.data, BigInt.asUintN(64, BigInt(header.length + parts.lengthDelta)));
}

/** File `index` of the recorded series: always the same bytes. */
export function numberedMutant(index: number): Uint8Array {
  const { base, acts } = numberedDamage(index);
  return mutate(base, acts);
}

function tokensOf(text: string): string[] {
  return text.match(/"(?:[^"\\]|\\.)*"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?|[a-z]+|\s+|[^]/g) ?? [];
}

function edit(parts: Parts, change: (text: string) => string): void {
  parts.tokens = tokensOf(change(parts.tokens.join('')));
}

/** One `"name":{…}` of the header that holds no braces inside. */
function pick(text: string, a: number): string {
  const found = text.match(/"[^"]*":\{[^{}]*\}/g) ?? [''];
  return found[a % found.length] as string;
}

function nth(parts: Parts, test: (token: string, index: number) => boolean, a: number): number {
  const places = parts.tokens.flatMap((token, i) => (test(token, i) ? [i] : []));
  return places.length === 0 ? -1 : (places[a % places.length] as number);
}

function replace(
  parts: Parts,
  test: (token: string) => boolean,
  a: number,
  by: string | ((token: string) => string),
): void {
  const at = nth(parts, test, a);
  if (at >= 0) parts.tokens[at] = typeof by === 'string' ? by : by(parts.tokens[at] as string);
}
