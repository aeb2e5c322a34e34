// SHA-256 (FIPS 180-4) of a text, at once and everywhere: WebCrypto has it only as a promise. For the page's content policy.

const fractional = (x: number): number => ((x - Math.floor(x)) * 2 ** 32) >>> 0;
const primes = Array.from({ length: 312 }, (_, i) => i)
  .filter((n) => n > 1 && ![...Array(n).keys()].some((d) => d > 1 && n % d === 0))
  .slice(0, 64);
/** First 32 bits of the fractional parts of the cube roots and square roots of the first primes. */
const roundConstants = primes.map((p) => fractional(Math.cbrt(p)));
const initial = primes.slice(0, 8).map((p) => fractional(Math.sqrt(p)));
const rotate = (x: number, n: number): number => (x >>> n) | (x << (32 - n));

/** The 32 bytes of the digest of the text in UTF-8. */
export function sha256(text: string): Uint8Array {
  const message = new TextEncoder().encode(text);
  const padded = new Uint8Array(Math.ceil((message.length + 9) / 64) * 64);
  padded.set(message);
  padded[message.length] = 0x80;
  const view = new DataView(padded.buffer);
  view.setUint32(padded.length - 8, Math.floor(message.length / 2 ** 29));
  view.setUint32(padded.length - 4, message.length << 3);
  const hash = Uint32Array.from(initial);
  const w = new Uint32Array(64);
  for (let block = 0; block < padded.length; block += 64) {
    for (let t = 0; t < 64; t++) {
      const at = (i: number): number => w[t - i] ?? 0;
      const s0 = rotate(at(15), 7) ^ rotate(at(15), 18) ^ (at(15) >>> 3);
      const s1 = rotate(at(2), 17) ^ rotate(at(2), 19) ^ (at(2) >>> 10);
      w[t] = t < 16 ? view.getUint32(block + 4 * t) : s1 + at(7) + s0 + at(16);
    }
    let [a, b, c, d, e, f, g, h] = hash as unknown as [number, number, number, number, number, number, number, number];
    for (let t = 0; t < 64; t++) {
      const sum1 = rotate(e, 6) ^ rotate(e, 11) ^ rotate(e, 25);
      const first = (h + sum1 + ((e & f) ^ (~e & g)) + (roundConstants[t] ?? 0) + (w[t] ?? 0)) | 0;
      const second = ((rotate(a, 2) ^ rotate(a, 13) ^ rotate(a, 22)) + ((a & b) ^ (a & c) ^ (b & c))) | 0;
      [h, g, f, e, d, c, b, a] = [g, f, e, (d + first) | 0, c, b, a, (first + second) | 0];
    }
    [a, b, c, d, e, f, g, h].forEach((value, i) => (hash[i] = (hash[i] ?? 0) + value));
  }
  const digest = new Uint8Array(32);
  hash.forEach((word, i) => new DataView(digest.buffer).setUint32(4 * i, word));
  return digest;
}

/** The form that a content policy takes: 'sha256-…' in base 64. */
export const policyHash = (text: string): string => `sha256-${btoa(String.fromCharCode(...sha256(text)))}`;
