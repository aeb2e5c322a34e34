// Reads the GGUF container (ggml-org, versions 2 and 3, little-endian) of small files: metadata and F32 or F16 tensors, every place checked.
import { unpackF16 } from '@limn/tensor';
import { badGguf, GgufCursor, type GgufValue } from './gguf-cursor.js';

/** A tensor; the first dimension is the one that lies together. f16 is widened. */
export interface GgufTensor {
  readonly name: string;
  readonly shape: readonly number[];
  readonly data: Float32Array;
}

/** What a file holds. */
export interface GgufFile {
  readonly version: 2 | 3;
  readonly metadata: ReadonlyMap<string, GgufValue>;
  readonly tensors: readonly GgufTensor[];
}

/** 'GGUF' as a little-endian word. */
export const GGUF_MAGIC = 0x46554747;
/** Of the data where the metadata says nothing else. */
export const GGUF_ALIGNMENT = 32;
const MOST_ALIGNMENT = 2 ** 20;
/** ggml's own limits of keys and of dimensions. */
const MOST_KEY_BYTES = 65_535;
const MOST_DIMENSIONS = 4;
/** Bytes that an entry of the metadata and the description of a tensor take at least. */
const LEAST_ENTRY = 13;
const LEAST_TENSOR = 32;
/** Bytes of an element by ggml's number of its type: F32 and F16, the only ones in which control vectors are kept. */
const TENSOR_BYTES: ReadonlyMap<number, number> = new Map([
  [0, 4],
  [1, 2],
]);

interface TensorPlace {
  readonly name: string;
  readonly shape: readonly number[];
  readonly size: number;
  readonly elementBytes: number;
  readonly offset: bigint;
}

/**
 * Reads a file. Tensors must lie one behind the other, each at a multiple of the alignment and padded to one, as ggml wants them.
 * @throws LimnError `data/steering-gguf`
 */
export function readGguf(bytes: Uint8Array): GgufFile {
  const cursor = new GgufCursor(bytes);
  if (cursor.u32('its first word') !== GGUF_MAGIC) throw badGguf("it does not begin with 'GGUF'", { at: 0 });
  const version = cursor.u32('its version');
  if (version !== 2 && version !== 3)
    throw badGguf(version % 65_536 === 0 && version > 0 ? 'it is big-endian' : `its version is ${version}`, {
      at: 4,
      version,
    });
  const tensorCount = cursor.count('its number of tensors', LEAST_TENSOR);
  const entryCount = cursor.count('its number of metadata entries', LEAST_ENTRY);
  const metadata = new Map<string, GgufValue>();
  const keys = new Set<string>();
  for (let i = 0; i < entryCount; i++) {
    const key = cursor.text(`key ${i}`, MOST_KEY_BYTES);
    if (keys.has(key)) throw badGguf(`${quoted(key)} stands in its metadata twice`, { at: cursor.at });
    keys.add(key);
    const what = `the value of ${quoted(key)}`;
    const value = cursor.value(cursor.type(what), what);
    if (value !== undefined) metadata.set(key, value);
  }
  const places = Array.from({ length: tensorCount }, (_, i) => readPlace(cursor, i));
  const names = new Set<string>();
  for (const { name } of places) {
    if (names.has(name)) throw badGguf(`it has two tensors ${quoted(name)}`, { tensors: tensorCount });
    names.add(name);
  }
  const alignment = alignmentOf(metadata);
  const start = alignUp(cursor.at, alignment);
  return { version, metadata, tensors: readTensors(bytes, places, start, alignment) };
}

function readPlace(cursor: GgufCursor, i: number): TensorPlace {
  const name = cursor.text(`the name of tensor ${i}`, MOST_KEY_BYTES);
  const what = `tensor ${quoted(name)}`;
  const dimensions = cursor.u32(what);
  if (dimensions < 1 || dimensions > MOST_DIMENSIONS)
    throw badGguf(`${what} has ${dimensions} dimensions; 1 to ${MOST_DIMENSIONS} are allowed`, {
      at: cursor.at,
      dimensions,
    });
  const extents = Array.from({ length: dimensions }, () => cursor.u64(what));
  const type = cursor.u32(what);
  const elementBytes = TENSOR_BYTES.get(type);
  if (elementBytes === undefined)
    throw badGguf(`${what} is of ggml's type ${type}; F32 (0) and F16 (1) can be read`, { at: cursor.at, type });
  const size = extents.reduce((product, extent) => product * extent, 1n);
  if (size < 1n || size * BigInt(elementBytes) > BigInt(cursor.bytes.length))
    throw badGguf(`${what} would have ${size} numbers in a file of ${cursor.bytes.length} bytes`, {
      at: cursor.at,
      shape: extents.map(String),
    });
  return { name, shape: extents.map(Number), size: Number(size), elementBytes, offset: cursor.u64(what) };
}

function alignmentOf(metadata: ReadonlyMap<string, GgufValue>): number {
  const given = metadata.get('general.alignment') ?? GGUF_ALIGNMENT;
  if (typeof given === 'number' && given >= 1 && given <= MOST_ALIGNMENT && Number.isInteger(Math.log2(given)))
    return given;
  throw badGguf(`its alignment is ${String(given).slice(0, 40)}; powers of two up to ${MOST_ALIGNMENT} are allowed`, {
    alignment: String(given).slice(0, 40),
  });
}

function readTensors(
  bytes: Uint8Array,
  places: readonly TensorPlace[],
  start: number,
  alignment: number,
): GgufTensor[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let end = start;
  const tensors = places.map(({ name, shape, size, elementBytes, offset }) => {
    const expected = end - start;
    const where = { tensor: name.slice(0, 100), offset: String(offset), expected };
    if (offset !== BigInt(expected))
      throw badGguf(
        `tensor ${quoted(name)} begins at byte ${offset} of the data; behind the one before it, ${expected}`,
        where,
      );
    const from = end;
    end = alignUp(from + size * elementBytes, alignment);
    if (end > bytes.length)
      throw badGguf(`tensor ${quoted(name)} ends at byte ${end}, the file at ${bytes.length}`, where);
    return { name, shape, data: elementBytes === 4 ? readF32(view, from, size) : readF16(view, from, size) };
  });
  if (places.length > 0 && end !== bytes.length)
    throw badGguf(`${bytes.length - end} bytes follow its last tensor`, { end, bytes: bytes.length });
  return tensors;
}

function readF32(view: DataView, from: number, size: number): Float32Array {
  return Float32Array.from({ length: size }, (_, i) => view.getFloat32(from + 4 * i, true));
}

function readF16(view: DataView, from: number, size: number): Float32Array {
  const words = new Uint32Array(Math.ceil(size / 2));
  for (let i = 0; i < size; i++)
    words[i >>> 1] = (words[i >>> 1] as number) | (view.getUint16(from + 2 * i, true) << (16 * (i & 1)));
  return unpackF16(words, size);
}

/** A name of the file for a message. */
export function quoted(name: string): string {
  return JSON.stringify(name.slice(0, 100));
}

/** The next multiple of an alignment. */
export function alignUp(at: number, alignment: number): number {
  return Math.ceil(at / alignment) * alignment;
}
