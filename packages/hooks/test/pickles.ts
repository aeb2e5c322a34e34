// Pickles spelt out opcode by opcode, and zips around them: what torch would never write, for the reader to refuse.
import { storedZip } from '../src/torch-file/stored-zip.js';
import { readTorchFile, type TorchFile } from '../src/torch-file/torch-file.js';

const ascii = (text: string): number[] => Array.from(text, (sign) => sign.charCodeAt(0));
const u32 = (value: number): number[] => [0, 8, 16, 24].map((bits) => (value >>> bits) & 0xff);

/** Opcodes, by the names of Python's pickletools. */
export const op = {
  proto: [0x80, 2],
  stop: ascii('.'),
  mark: ascii('('),
  none: ascii('N'),
  emptyDict: ascii('}'),
  emptyList: ascii(']'),
  emptyTuple: ascii(')'),
  tuple: ascii('t'),
  tuple1: [0x85],
  append: ascii('a'),
  appends: ascii('e'),
  setItem: ascii('s'),
  reduce: ascii('R'),
  newObject: [0x81],
  build: ascii('b'),
  persistentId: ascii('Q'),
  text: (text: string, length = new TextEncoder().encode(text).length): number[] => [
    ...ascii('X'),
    ...u32(length),
    ...new TextEncoder().encode(text),
  ],
  int: (value: number): number[] => [...ascii('J'), ...u32(value)],
  global: (module: string, name: string): number[] => ascii(`c${module}\n${name}\n`),
  put: (index: number): number[] => [...ascii('r'), ...u32(index)],
  get: (index: number): number[] => [...ascii('j'), ...u32(index)],
};

/** A pickle of these opcodes, from PROTO to STOP. */
export const pickle = (...parts: readonly (readonly number[])[]): Uint8Array =>
  Uint8Array.from([...op.proto, ...parts.flat(), ...op.stop]);

/** A tensor of a storage by _rebuild_tensor_v2. */
export function tensor(
  {
    kind = 'FloatStorage',
    key = '0',
    count,
  }: { readonly kind?: string; readonly key?: string; readonly count: number },
  shape: readonly number[],
  strides: readonly number[],
  offset = 0,
): number[] {
  const list = (values: readonly number[]): number[] => [...op.mark, ...values.flatMap(op.int), ...op.tuple];
  return [
    ...op.global('torch._utils', '_rebuild_tensor_v2'),
    ...op.mark,
    ...op.mark,
    ...op.text('storage'),
    ...op.global('torch', kind),
    ...op.text(key),
    ...op.text('cpu'),
    ...op.int(count),
    ...op.tuple,
    ...op.persistentId,
    ...op.int(offset),
    ...list(shape),
    ...list(strides),
    ...op.tuple,
    ...op.reduce,
  ];
}

/** A file around a pickle, with storages of these sizes in bytes. */
export const torchBytes = (data: Uint8Array, ...storages: readonly number[]): Uint8Array =>
  storedZip([
    ['archive/data.pkl', data],
    ...storages.map((bytes, i) => [`archive/data/${i}`, new Uint8Array(bytes)] as const),
    ['archive/version', Uint8Array.of(0x33, 0x0a)],
  ]);

/** Reads bytes, counting those that the reader asks for. */
export async function readBytes(bytes: Uint8Array): Promise<TorchFile & { readonly taken: () => number }> {
  let taken = 0;
  const file = await readTorchFile({
    name: 'a.pt',
    size: bytes.length,
    bytes: async (from, to) => {
      taken += to - from;
      return bytes.subarray(from, to);
    },
  });
  return { ...file, taken: () => taken };
}
