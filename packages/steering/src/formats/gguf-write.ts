// Writes the GGUF container, version 3: metadata and F32 tensors, one behind the other; the same input gives the same bytes.
import { GGUF_STRING } from './gguf-cursor.js';
import { alignUp, GGUF_ALIGNMENT, GGUF_MAGIC, type GgufTensor } from './gguf-read.js';

/** One entry of the metadata to write. */
export interface GgufEntry {
  readonly key: string;
  readonly type: keyof typeof TYPES;
  readonly value: string | number;
}

const TYPES = { u32: 4, f32: 6, string: GGUF_STRING } as const;

/** A file of these entries and tensors in the given order. */
export function writeGguf(entries: readonly GgufEntry[], tensors: readonly GgufTensor[]): Uint8Array<ArrayBuffer> {
  const parts: Uint8Array[] = [];
  let bytes = 0;
  const add = (part: Uint8Array): void => {
    parts.push(part);
    bytes += part.length;
  };
  const put = (count: number, write: (view: DataView) => void): void => {
    const view = new DataView(new ArrayBuffer(count));
    write(view);
    add(new Uint8Array(view.buffer));
  };
  const u32 = (value: number): void => put(4, (view) => view.setUint32(0, value, true));
  const u64 = (value: number): void => put(8, (view) => view.setBigUint64(0, BigInt(value), true));
  const text = (value: string): void => {
    const part = new TextEncoder().encode(value);
    u64(part.length);
    add(part);
  };
  const pad = (): void => add(new Uint8Array(alignUp(bytes, GGUF_ALIGNMENT) - bytes));
  u32(GGUF_MAGIC);
  u32(3);
  u64(tensors.length);
  u64(entries.length);
  for (const { key, type, value } of entries) {
    text(key);
    u32(TYPES[type]);
    if (typeof value === 'string') text(value);
    else if (type === 'u32') u32(value);
    else put(4, (view) => view.setFloat32(0, value, true));
  }
  let offset = 0;
  for (const { name, shape, data } of tensors) {
    text(name);
    u32(shape.length);
    shape.forEach(u64);
    u32(0);
    u64(offset);
    offset = alignUp(offset + 4 * data.length, GGUF_ALIGNMENT);
  }
  pad();
  for (const { data } of tensors) {
    put(4 * data.length, (view) => data.forEach((value, i) => view.setFloat32(4 * i, value, true)));
    pad();
  }
  const file = new Uint8Array(bytes);
  let at = 0;
  for (const part of parts) {
    file.set(part, at);
    at += part.length;
  }
  return file;
}
