// Writes the safetensors format: F32 and U32 tensors in a given order, without holes; whole in memory, or piece by piece.
import { LimnError } from '@limn/gpu';
import { allocateBytes, type FileContent, type FileSink } from './file-content.js';

/** A tensor to write: f32 values, or raw u32 words. */
export interface WritableTensor {
  readonly shape: readonly number[];
  readonly data: Float32Array | Uint32Array;
}

/** A tensor of f32 values that are made when their turn comes. */
export interface TensorPieces {
  readonly shape: readonly number[];
  /** The values in row-major order, in pieces of any length; each piece may be forgotten when the next is asked for. */
  pieces(): AsyncIterable<Float32Array>;
}

/** Bytes of small tensors that are written together. */
const gatheredBytes = 2 ** 22;
/** Bytes of one write at most, so that other work gets its turn in between. */
const pieceBytes = 2 ** 24;

/**
 * A safetensors file of F32 and U32 tensors in the given order; the header is padded with spaces to a multiple of 8.
 * @throws LimnError `safetensors/shape-mismatch`, `memory/file-size`
 */
export function writeSafetensors(
  tensors: ReadonlyMap<string, WritableTensor>,
  metadata: Readonly<Record<string, string>> = {},
): Uint8Array<ArrayBuffer> {
  for (const [name, { shape, data }] of tensors)
    if (sizeOf(shape) !== data.length) throw mismatch(name, shape, data.length);
  const dtypes = Array.from(tensors.values(), ({ data }) => (data instanceof Float32Array ? 'F32' : 'U32'));
  const { header, bytes } = layOut(tensors, dtypes, metadata);
  const file = allocateBytes(bytes);
  file.set(header);
  let at = header.length;
  for (const { data } of tensors.values()) {
    file.set(bytesOf(data), at);
    at += data.byteLength;
  }
  return file;
}

/**
 * The same file of F32 tensors as contents that never are in memory whole: beside a tensor's own piece there are at most 4 MiB.
 * Writing throws `safetensors/shape-mismatch` when a tensor's pieces are not as many values as its shape says, and what making them throws.
 */
export function safetensorsContent(
  tensors: ReadonlyMap<string, TensorPieces>,
  metadata: Readonly<Record<string, string>> = {},
): FileContent {
  const dtypes = Array.from(tensors, () => 'F32');
  const { header, bytes } = layOut(tensors, dtypes, metadata);
  return {
    bytes,
    writeTo: async (sink) => {
      const out = new Gatherer(sink);
      await out.add(header);
      for (const [name, { shape, pieces }] of tensors) {
        let values = 0;
        for await (const piece of pieces()) {
          values += piece.length;
          await out.add(bytesOf(piece));
        }
        if (values !== sizeOf(shape)) throw mismatch(name, shape, values);
      }
      await out.flush();
    },
  };
}

/** The length of the header, the header, and the file's length. */
function layOut(
  tensors: ReadonlyMap<string, { readonly shape: readonly number[] }>,
  dtypes: readonly string[],
  metadata: Readonly<Record<string, string>>,
): { readonly header: Uint8Array; readonly bytes: number } {
  const parts: string[] = [];
  if (Object.keys(metadata).length > 0) parts.push(`"__metadata__":${JSON.stringify(metadata)}`);
  let end = 0;
  [...tensors].forEach(([name, { shape }], i) => {
    const begin = end;
    // Both dtypes have four bytes.
    end += 4 * sizeOf(shape);
    const entry = `"dtype":"${dtypes[i]}","shape":${JSON.stringify(shape)},"data_offsets":[${begin},${end}]`;
    parts.push(`${JSON.stringify(name)}:{${entry}}`);
  });
  const json = new TextEncoder().encode(`{${parts.join(',')}}`);
  const headerBytes = Math.ceil(json.length / 8) * 8;
  const header = new Uint8Array(8 + headerBytes).fill(0x20, 8);
  new DataView(header.buffer).setBigUint64(0, BigInt(headerBytes), true);
  header.set(json, 8);
  return { header, bytes: header.length + end };
}

/** Joins small pieces into one write and cuts large ones. */
class Gatherer {
  readonly #sink: FileSink;
  readonly #held = new Uint8Array(gatheredBytes);
  #holds = 0;
  #written = 0;

  constructor(sink: FileSink) {
    this.#sink = sink;
  }

  async add(bytes: Uint8Array): Promise<void> {
    if (this.#holds + bytes.length > gatheredBytes) await this.flush();
    if (bytes.length <= gatheredBytes) {
      this.#held.set(bytes, this.#holds);
      this.#holds += bytes.length;
      return;
    }
    for (let at = 0; at < bytes.length; at += pieceBytes) await this.#write(bytes.subarray(at, at + pieceBytes));
  }

  async flush(): Promise<void> {
    if (this.#holds > 0) await this.#write(this.#held.subarray(0, this.#holds));
    this.#holds = 0;
  }

  async #write(bytes: Uint8Array): Promise<void> {
    await this.#sink.write(bytes, this.#written);
    this.#written += bytes.length;
  }
}

const sizeOf = (shape: readonly number[]): number => shape.reduce((product, extent) => product * extent, 1);

const bytesOf = (data: Float32Array | Uint32Array): Uint8Array =>
  new Uint8Array(data.buffer, data.byteOffset, data.byteLength);

function mismatch(name: string, shape: readonly number[], values: number): LimnError {
  return new LimnError(
    'safetensors/shape-mismatch',
    `tensor ${name}: shape [${shape.join(', ')}] does not hold ${values} values`,
    { details: { name, shape, values } },
  );
}
