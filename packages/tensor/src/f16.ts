// f32 ↔ f16 on the CPU, rounded to nearest even: bit for bit what the pack_f16 and unpack_f16 kernels do.

const word = new Float32Array(1);
const wordBits = new Uint32Array(word.buffer);

/** IEEE 754 binary16 bits of a number first rounded to f32. NaN → 0x7e00 with its sign, |v| ≥ 65520 → infinity. */
export function halfBits(value: number): number {
  word[0] = value;
  return halfOfBits(wordBits[0] as number);
}

/** binary32 bits → binary16 bits. */
function halfOfBits(bits: number): number {
  const sign = (bits >>> 16) & 0x8000;
  const magnitude = bits & 0x7fffffff;
  if (magnitude > 0x7f800000) return sign | 0x7e00;
  if (magnitude >= 0x477ff000) return sign | 0x7c00;
  if (magnitude >= 0x38800000) {
    const rebased = magnitude - 0x38000000;
    return sign | ((rebased + 0xfff + ((rebased >>> 13) & 1)) >>> 13);
  }
  if (magnitude < 0x33000000) return sign;
  const shift = 126 - (magnitude >>> 23);
  const fraction = (magnitude & 0x7fffff) | 0x800000;
  const kept = fraction >>> shift;
  const rest = fraction & ((1 << shift) - 1);
  const middle = 1 << (shift - 1);
  return sign | (kept + (rest > middle || (rest === middle && (kept & 1) === 1) ? 1 : 0));
}

/** The number that binary16 bits stand for. */
export function halfValue(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >>> 10) & 31;
  const fraction = bits & 0x3ff;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction ? Number.NaN : sign * Number.POSITIVE_INFINITY;
  return sign * (1024 + fraction) * 2 ** (exponent - 25);
}

/** f32 values → words of two f16, low half first; an odd count leaves the last high half 0. */
export function packF16(values: Float32Array): Uint32Array {
  const bits = new Uint32Array(values.buffer, values.byteOffset, values.length);
  const words = new Uint32Array(Math.ceil(values.length / 2));
  const pairs = values.length >>> 1;
  for (let i = 0; i < pairs; i += 1)
    words[i] = halfOfBits(bits[2 * i] as number) | (halfOfBits(bits[2 * i + 1] as number) << 16);
  if (values.length % 2 === 1) words[pairs] = halfOfBits(bits[values.length - 1] as number);
  return words;
}

/** The number of every binary16, by its bits: made when the first words are unpacked. */
let halfValues: Float32Array | undefined;

/** Words of two f16 → `count` f32 values, exact. */
export function unpackF16(words: Uint32Array, count: number): Float32Array<ArrayBuffer> {
  const table = (halfValues ??= Float32Array.from({ length: 1 << 16 }, (_, bits) => halfValue(bits)));
  const values = new Float32Array(count);
  for (let i = 0; i < count; i += 1)
    values[i] = table[((words[i >>> 1] as number) >>> (16 * (i & 1))) & 0xffff] as number;
  return values;
}
