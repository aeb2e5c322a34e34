// The files of a GPT-2 of any shape whose weights are all zero: enough to plan steps without a device, and nothing is stored.
import { formatConfig, newConfig, weightShapes, type ModelFiles, type NewGpt2Config } from '@limn/gpt2';

/** config.json and model.safetensors, made up as they are read. */
export function zeroModel(sizes: NewGpt2Config): ModelFiles {
  const config = newConfig(sizes);
  const header: Record<string, { dtype: 'F32'; shape: readonly number[]; data_offsets: readonly [number, number] }> =
    {};
  let end = 0;
  for (const [name, shape] of weightShapes(config, config.tied ?? true)) {
    const bytes = 4 * shape.reduce((product, extent) => product * extent, 1);
    header[name] = { dtype: 'F32', shape, data_offsets: [end, end + bytes] };
    end += bytes;
  }
  const text = new TextEncoder().encode(JSON.stringify(header));
  const front = new Uint8Array(8 + text.length);
  new DataView(front.buffer).setBigUint64(0, BigInt(text.length), true);
  front.set(text, 8);
  const files = new Map([
    ['config.json', { front: new TextEncoder().encode(formatConfig(config)), size: 0 }],
    ['model.safetensors', { front, size: end }],
  ]);
  const file = (name: string): { front: Uint8Array<ArrayBuffer>; size: number } => {
    const found = files.get(name);
    if (found === undefined) throw new RangeError(`a zero model has no ${name}`);
    return found;
  };
  return {
    label: 'zeros',
    list: async () => [...files.keys()],
    size: async (name) => file(name).front.length + file(name).size,
    async read(name, start = 0, stop) {
      const { front, size } = file(name);
      const bytes = new Uint8Array((stop ?? front.length + size) - start);
      if (start < front.length) bytes.set(front.subarray(start, start + bytes.length));
      return bytes;
    },
  };
}
