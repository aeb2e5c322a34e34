// Writes the safetensors format: F32 and U32 tensors in a given order, without holes.
import { LimnError } from '@limn/gpu';

/** A tensor to write: f32 values, or raw u32 words. */
export interface WritableTensor {
  readonly shape: readonly number[];
  readonly data: Float32Array | Uint32Array;
}

/**
 * A safetensors file of F32 and U32 tensors in the given order; the header is padded with spaces to a multiple of 8.
 * @throws LimnError `safetensors/shape-mismatch`
 */
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
