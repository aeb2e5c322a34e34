// The files of a GPT-2 of any shape with random F16 weights that are made as they are read: a model of any size, and nothing is stored.
import { formatConfig, newConfig, weightShapes, type ModelFiles, type NewGpt2Config } from '@limn/gpt2';

/** Two f16 from 2⁻⁷ to 2⁻⁵ of either sign, about GPT-2's initial deviation of 0.02: sign, exponent of 8 or 9, and mantissa. */
const SIGNS = 0x80008000;
const BASE = 0x20002000;
const BELOW_BASE = 0x07ff07ff;
const ONES = 0x3c003c00;

/** The word at `index` of the weights: a hash of the index (the finaliser of MurmurHash3), cut to such a pair. */
function pairAt(index: number): number {
  let x = (index + 0x9e3779b9) | 0;
  x = Math.imul(x ^ (x >>> 16), 0x85ebca6b);
  x = Math.imul(x ^ (x >>> 13), 0xc2b2ae35);
  x ^= x >>> 16;
  return (x & (SIGNS | BELOW_BASE)) + BASE;
}

/** config.json and model.safetensors, made up as they are read; LayerNorms have gains of 1. Sizes must be even. */
export function randomFiles(sizes: NewGpt2Config): ModelFiles {
  const config = newConfig(sizes);
  const header: Record<string, { dtype: 'F16'; shape: readonly number[]; data_offsets: readonly [number, number] }> =
    {};
  const gains: [begin: number, end: number][] = [];
  let end = 0;
  for (const [name, shape] of weightShapes(config, config.tied ?? true)) {
    const bytes = 2 * shape.reduce((product, extent) => product * extent, 1);
    if (bytes % 4 !== 0) throw new RangeError(`${name} has an odd number of values`);
    header[name] = { dtype: 'F16', shape, data_offsets: [end, end + bytes] };
    if (/ln_\w\.weight$/.test(name)) gains.push([end, end + bytes]);
    end += bytes;
  }
  const text = JSON.stringify(header);
  // The data begin on a whole word.
  const front = new TextEncoder().encode(`${' '.repeat(8)}${text}${' '.repeat((4 - (text.length % 4)) % 4)}`);
  new DataView(front.buffer).setBigUint64(0, BigInt(front.length - 8), true);
  const configText = new TextEncoder().encode(formatConfig(config));
  const only = (name: string): void => {
    if (name !== 'model.safetensors') throw new RangeError(`a random model has no ${name}`);
  };
  return {
    label: 'random',
    list: async () => ['config.json', 'model.safetensors'],
    async size(name) {
      if (name === 'config.json') return configText.length;
      only(name);
      return front.length + end;
    },
    async read(name, start = 0, stop) {
      if (name === 'config.json') return configText;
      only(name);
      if (start < front.length) return front.slice(start, stop);
      const from = start - front.length;
      const words = new Int32Array(((stop ?? front.length + end) - start) / 4);
      for (let i = 0; i < words.length; i++) words[i] = pairAt(from / 4 + i);
      for (const [begin, after] of gains)
        if (begin < from + words.byteLength && after > from)
          words.fill(ONES, Math.max(0, begin - from) / 4, Math.min(words.byteLength, after - from) / 4);
      return new Uint8Array(words.buffer);
    },
  };
}
