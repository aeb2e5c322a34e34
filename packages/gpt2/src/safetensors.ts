// The safetensors format, read with every check that its specification asks for before anything is allocated, and written.
import { LimnError } from '@limn/gpu';
import { shortFile, type ModelFiles } from './files.js';
import { JsonScanError, scanJson, type ScannedJson } from './scan-json.js';

/** Bits per element of every dtype the format knows. */
const dtypeBits = new Map(
  Object.entries({
    BOOL: 8, U8: 8, I8: 8, U16: 16, I16: 16, U32: 32, I32: 32, U64: 64, I64: 64, F16: 16, BF16: 16, F32: 32, F64: 64, C64: 64,
    F4: 4, F6_E2M3: 6, F6_E3M2: 6, F8_E5M2: 8, F8_E4M3: 8, F8_E8M0: 8, F8_E4M3FNUZ: 8, F8_E5M2FNUZ: 8,
  }), // prettier-ignore
);
const maxHeaderBytes = 100_000_000;
const maxInteger = 2 ** 48 - 1;
const maxTensors = 1_000_000;
const maxRank = 16;
const maxNameLength = 4096;

/** One tensor of a file; `begin` and `end` are absolute byte offsets in that file. */
export interface SafetensorsEntry {
  readonly name: string;
  readonly file: string;
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly begin: number;
  readonly end: number;
}

/** The header of a file. */
export interface SafetensorsHeader {
  readonly tensors: ReadonlyMap<string, SafetensorsEntry>;
  readonly metadata: ReadonlyMap<string, string>;
}

/**
 * Reads and checks the header of one file: 8 bytes of length, then that much JSON, then data without holes or overlaps.
 * @throws LimnError `safetensors/…`: too-small, header-too-large, not-utf8, not-json, duplicate-key, bad-metadata, bad-entry,
 * unknown-dtype, shape-mismatch, hole, overlap, trailing-bytes, truncated, too-many-tensors.
 */
export async function readSafetensorsHeader(files: ModelFiles, file: string): Promise<SafetensorsHeader> {
  const size = await files.size(file);
  const bad = (code: string, message: string, details: Record<string, unknown> = {}): LimnError =>
    new LimnError(`safetensors/${code}`, `${file} in ${files.label}: ${message}`, {
      details: { file, size, ...details },
      hint: 'The file is damaged or is not a safetensors file. Copy or download it again, or write it anew with a current library.',
    });
  if (size < 8) throw bad('too-small', `${size} bytes are too few to hold the header length (8 bytes)`);
  const first = await files.read(file, 0, 8);
  const length = new DataView(first.buffer, first.byteOffset, 8).getBigUint64(0, true);
  if (length > BigInt(maxHeaderBytes)) {
    throw bad('header-too-large', `says its header has ${length} bytes; at most ${maxHeaderBytes} are allowed`);
  }
  const dataStart = 8 + Number(length);
  if (dataStart > size) throw bad('truncated', `says its header has ${length} bytes, but the whole file has ${size}`);
  const header = await files.read(file, 8, dataStart);

  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(header);
  } catch (cause) {
    throw bad('not-utf8', 'the header is not UTF-8', { cause: String(cause) });
  }
  let root: ScannedJson;
  try {
    root = scanJson(text, 4);
  } catch (cause) {
    if (!(cause instanceof JsonScanError)) throw cause;
    throw bad(cause.reason === 'duplicate-key' ? 'duplicate-key' : 'not-json', `header: ${cause.message}`);
  }
  if (!isMap(root)) throw bad('not-json', 'the header is not a JSON object');
  if (root.size > maxTensors) throw bad('too-many-tensors', `${root.size} entries; at most ${maxTensors} are allowed`);

  const metadata = new Map<string, string>();
  const entries: SafetensorsEntry[] = [];
  for (const [name, value] of root) {
    if (name === '__metadata__') {
      if (!isMap(value)) throw bad('bad-metadata', '__metadata__ is not an object');
      for (const [key, item] of value) {
        if (typeof item !== 'string') throw bad('bad-metadata', `__metadata__ ${JSON.stringify(key)} is not a string`);
        metadata.set(key, item);
      }
      continue;
    }
    if (name.length > maxNameLength)
      throw bad('bad-entry', `a tensor name has ${name.length} characters; at most ${maxNameLength}`);
    entries.push(readEntry(name, value, file, dataStart, bad));
  }
  entries.sort((a, b) => a.begin - b.begin || a.end - b.end);
  let at = dataStart;
  for (const entry of entries) {
    const place = { tensor: entry.name, begin: entry.begin - dataStart, expected: at - dataStart };
    if (entry.begin > at) throw bad('hole', `${entry.begin - at} unused bytes before tensor ${entry.name}`, place);
    if (entry.begin < at)
      throw bad('overlap', `tensor ${entry.name} overlaps the one before it by ${at - entry.begin} bytes`, place);
    at = entry.end;
  }
  if (at > size) {
    throw bad('truncated', `the data should end at byte ${at}, but the file ends at byte ${size}`, { expected: at });
  }
  if (at < size) throw bad('trailing-bytes', `${size - at} bytes follow the last tensor`, { expected: at });
  return { tensors: new Map(entries.map((entry) => [entry.name, entry])), metadata };
}

const isMap = (value: ScannedJson | undefined): value is ReadonlyMap<string, ScannedJson> => value instanceof Map;
const isCount = (value: ScannedJson | undefined): value is number =>
  typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 && value <= maxInteger;

function readEntry(
  name: string,
  value: ScannedJson,
  file: string,
  dataStart: number,
  bad: (code: string, message: string, details?: Record<string, unknown>) => LimnError,
): SafetensorsEntry {
  const where = `tensor ${JSON.stringify(name)}`;
  if (!isMap(value)) throw bad('bad-entry', `${where} is not an object`);
  for (const key of value.keys()) {
    if (key !== 'dtype' && key !== 'shape' && key !== 'data_offsets') {
      throw bad(
        'bad-entry',
        `${where} has an unknown field ${JSON.stringify(key)}; allowed are dtype, shape, data_offsets`,
      );
    }
  }
  const dtype = value.get('dtype');
  const bits = typeof dtype === 'string' ? dtypeBits.get(dtype) : undefined;
  if (typeof dtype !== 'string' || bits === undefined) {
    throw bad(
      'unknown-dtype',
      `${where} has dtype ${JSON.stringify(dtype)}; known are ${[...dtypeBits.keys()].join(', ')}`,
    );
  }
  const shape = value.get('shape');
  if (!Array.isArray(shape) || shape.length > maxRank || !shape.every(isCount)) {
    throw bad(
      'bad-entry',
      `${where} has a shape that is not a list of at most ${maxRank} whole numbers from 0 to 2^48−1`,
    );
  }
  const offsets = value.get('data_offsets');
  if (!Array.isArray(offsets) || offsets.length !== 2 || !offsets.every(isCount)) {
    throw bad('bad-entry', `${where} has data_offsets that are not two whole numbers from 0 to 2^48−1`);
  }
  const [begin, end] = offsets as unknown as [number, number];
  if (end < begin) throw bad('bad-entry', `${where} ends at byte ${end}, before it begins at byte ${begin}`);
  let elements = 1;
  for (const extent of shape as number[]) elements *= extent;
  const bytes = (elements * bits) / 8;
  if (!Number.isSafeInteger(elements) || !Number.isInteger(bytes) || bytes !== end - begin) {
    throw bad(
      'shape-mismatch',
      `${where} of shape [${shape.join(', ')}] and dtype ${dtype} needs ${bytes} bytes, but has ${end - begin}`,
    );
  }
  return { name, file, dtype, shape: shape as number[], begin: dataStart + begin, end: dataStart + end };
}

/**
 * Reads one tensor as f32 (F32 as it is; F16 and BF16 widened, which is exact; F64 rounded).
 * @throws LimnError `safetensors/dtype` for a dtype that holds no real numbers.
 */
export async function readTensorF32(files: ModelFiles, entry: SafetensorsEntry): Promise<Float32Array<ArrayBuffer>> {
  if (!['F32', 'F16', 'BF16', 'F64'].includes(entry.dtype)) {
    throw new LimnError(
      'safetensors/dtype',
      `tensor ${entry.name} has dtype ${entry.dtype}; F32, F16, BF16 and F64 can be loaded`,
      {
        details: { tensor: entry.name, dtype: entry.dtype },
        hint: 'Convert the weights to one of these.',
      },
    );
  }
  const bytes = await files.read(entry.file, entry.begin, entry.end);
  if (bytes.length !== entry.end - entry.begin)
    throw shortFile(files.label, entry.file, entry.end, entry.begin + bytes.length);
  const aligned = bytes.slice().buffer;
  if (entry.dtype === 'F32') return new Float32Array(aligned);
  if (entry.dtype === 'F64') return Float32Array.from(new Float64Array(aligned));
  const halves = new Uint16Array(aligned);
  return entry.dtype === 'BF16' ? widenBf16(halves) : widenF16(halves);
}

/** bf16 is the upper half of an f32. */
export function widenBf16(halves: Uint16Array): Float32Array<ArrayBuffer> {
  const bits = new Uint32Array(halves.length);
  for (let i = 0; i < halves.length; i++) bits[i] = (halves[i] as number) << 16;
  return new Float32Array(bits.buffer);
}

/** IEEE binary16 → binary32, exact for every value including subnormals, infinities and NaN. */
export function widenF16(halves: Uint16Array): Float32Array<ArrayBuffer> {
  const values = new Float32Array(halves.length);
  for (let i = 0; i < halves.length; i++) {
    const half = halves[i] as number;
    const sign = half & 0x8000 ? -1 : 1;
    const exponent = (half >> 10) & 31;
    const mantissa = half & 1023;
    if (exponent === 31) values[i] = mantissa ? Number.NaN : sign * Infinity;
    else values[i] = sign * (exponent === 0 ? mantissa * 2 ** -24 : (1024 + mantissa) * 2 ** (exponent - 25));
  }
  return values;
}

/** A tensor to write: f32 values, or raw u32 words. */
export interface WritableTensor {
  readonly shape: readonly number[];
  readonly data: Float32Array | Uint32Array;
}

/** A safetensors file of F32 and U32 tensors in the given order; the header is padded with spaces to a multiple of 8. */
export function writeSafetensors(
  tensors: ReadonlyMap<string, WritableTensor>,
  metadata: Readonly<Record<string, string>> = {},
): Uint8Array<ArrayBuffer> {
  const parts: string[] = [];
  if (Object.keys(metadata).length > 0) parts.push(`"__metadata__":${JSON.stringify(metadata)}`);
  let end = 0;
  for (const [name, { shape, data }] of tensors) {
    const elements = shape.reduce((product, extent) => product * extent, 1);
    if (elements !== data.length) {
      throw new LimnError(
        'safetensors/shape-mismatch',
        `tensor ${name}: shape [${shape.join(', ')}] does not hold ${data.length} values`,
      );
    }
    const begin = end;
    end += data.byteLength;
    const dtype = data instanceof Float32Array ? 'F32' : 'U32';
    parts.push(
      `${JSON.stringify(name)}:{"dtype":"${dtype}","shape":${JSON.stringify(shape)},"data_offsets":[${begin},${end}]}`,
    );
  }
  const json = new TextEncoder().encode(`{${parts.join(',')}}`);
  const headerBytes = Math.ceil(json.length / 8) * 8;
  const bytes = new Uint8Array(8 + headerBytes + end);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(headerBytes), true);
  bytes.fill(0x20, 8, 8 + headerBytes).set(json, 8);
  let at = 8 + headerBytes;
  for (const { data } of tensors.values()) {
    bytes.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), at);
    at += data.byteLength;
  }
  return bytes;
}
