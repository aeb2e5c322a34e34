// The values of one tensor of a safetensors file as f32: F32 as it is, F16 and BF16 widened exactly, F64 rounded.
import { LimnError } from '@limn/gpu';
import { unpackF16 } from '@limn/tensor';
import { shortFile, type ModelFiles } from './files.js';
import type { SafetensorsEntry } from './safetensors-entry.js';

/** Bytes per stored value of the dtypes that can be loaded. */
const storedBytes = new Map([
  ['F32', 4],
  ['F16', 2],
  ['BF16', 2],
  ['F64', 8],
]);
/** Stored bytes that are in memory at once while a tensor is converted or compared; a multiple of every element size. */
export const chunkBytes = 4 * 2 ** 20;

/**
 * Reads one tensor as f32. Beside the result, at most 4 MiB are in memory: F32 is read in place, the others in pieces.
 * @throws LimnError `safetensors/dtype` for a dtype that holds no real numbers; `files/…`.
 */
export async function readTensorF32(files: ModelFiles, entry: SafetensorsEntry): Promise<Float32Array<ArrayBuffer>> {
  const width = storedBytes.get(entry.dtype);
  if (width === undefined) {
    throw new LimnError(
      'safetensors/dtype',
      `tensor ${entry.name} has dtype ${entry.dtype}; F32, F16, BF16 and F64 can be loaded`,
      {
        details: { tensor: entry.name, dtype: entry.dtype },
        hint: 'Convert the weights to one of these.',
      },
    );
  }
  if (entry.dtype === 'F32') return new Float32Array(await ownBytes(files, entry, entry.begin, entry.end));
  const values = new Float32Array((entry.end - entry.begin) / width);
  for (let at = entry.begin; at < entry.end; at += chunkBytes) {
    const stored = await ownBytes(files, entry, at, Math.min(at + chunkBytes, entry.end));
    const from = (at - entry.begin) / width;
    if (entry.dtype === 'F64') values.set(new Float64Array(stored), from);
    else values.set((entry.dtype === 'BF16' ? widenBf16 : widenF16)(new Uint16Array(stored)), from);
  }
  return values;
}

/** Whether two tensors hold the same bytes, compared in pieces. */
export async function sameValues(files: ModelFiles, a: SafetensorsEntry, b: SafetensorsEntry): Promise<boolean> {
  if (a.dtype !== b.dtype || a.shape.join() !== b.shape.join()) return false;
  for (let at = 0; at < a.end - a.begin; at += chunkBytes) {
    const until = Math.min(at + chunkBytes, a.end - a.begin);
    const [x, y] = [
      new Uint8Array(await ownBytes(files, a, a.begin + at, a.begin + until)),
      new Uint8Array(await ownBytes(files, b, b.begin + at, b.begin + until)),
    ];
    for (let i = 0; i < x.length; i++) if (x[i] !== y[i]) return false;
  }
  return true;
}

/** Bytes [begin, end) as a buffer that starts with them and is nobody else's: what was read, or a copy of it. */
async function ownBytes(files: ModelFiles, entry: SafetensorsEntry, begin: number, end: number): Promise<ArrayBuffer> {
  const bytes = await files.read(entry.file, begin, end);
  if (bytes.length !== end - begin) throw shortFile(files.label, entry.file, end, begin + bytes.length);
  return bytes.byteLength === bytes.buffer.byteLength ? bytes.buffer : bytes.slice().buffer;
}

/** bf16 is the upper half of an f32. */
export function widenBf16(halves: Uint16Array): Float32Array<ArrayBuffer> {
  const bits = new Uint32Array(halves.length);
  for (let i = 0; i < halves.length; i++) bits[i] = (halves[i] as number) << 16;
  return new Float32Array(bits.buffer);
}

/** IEEE binary16 → binary32, exact for every value including subnormals, infinities and NaN. */
export function widenF16(halves: Uint16Array): Float32Array<ArrayBuffer> {
  const words = new Uint32Array(Math.ceil(halves.length / 2));
  new Uint16Array(words.buffer).set(halves);
  return unpackF16(words, halves.length);
}
