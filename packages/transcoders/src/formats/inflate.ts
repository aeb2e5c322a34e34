// Packs and unpacks gzip and zlib with the platform's own streams; what is unpacked never grows beyond what is allowed.
import { LimnError } from '@limn/gpu';

/** Bytes packed as gzip. */
export async function gzipped(bytes: Uint8Array): Promise<Uint8Array> {
  return new Uint8Array(await new Response(through(bytes, new CompressionStream('gzip'))).arrayBuffer());
}

/**
 * What gzip or zlib bytes unpack to. Unpacking stops as soon as there are more than `most` bytes.
 * @throws LimnError `data/packed` for bytes that are neither, are damaged or cut off, are followed by others, or unpack to more
 */
export async function inflated(bytes: Uint8Array, most: number): Promise<Uint8Array> {
  const [first = 0, second] = bytes;
  const format = first === 0x1f && second === 0x8b ? 'gzip' : (first & 0x0f) === 8 ? 'deflate' : undefined;
  if (format === undefined) throw refuse('are neither gzip nor zlib');
  try {
    return await collected(through(bytes, new DecompressionStream(format)), most);
  } catch (cause) {
    if (cause instanceof LimnError) throw cause;
    throw refuse('are damaged or cut off', cause);
  }
}

/** The stream's output for these bytes. A failure of either end is the reader's. */
function through(bytes: Uint8Array, stream: CompressionStream | DecompressionStream): ReadableStream<Uint8Array> {
  return new Blob([new Uint8Array(bytes)])
    .stream()
    .pipeThrough(stream as ReadableWritablePair<Uint8Array<ArrayBuffer>, Uint8Array<ArrayBuffer>>);
}

/** All that a stream gives, or the refusal of more than `most` bytes. */
async function collected(stream: ReadableStream<Uint8Array>, most: number): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  let length = 0;
  const reader = stream.getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    length += value.length;
    if (length > most) {
      await reader.cancel();
      throw refuse(`unpack to more than ${most} bytes`);
    }
    parts.push(value);
  }
  const whole = new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

function refuse(what: string, cause?: unknown): LimnError {
  return new LimnError('data/packed', `The packed bytes ${what}.`, {
    details: { what },
    hint: 'Copy or download the file again.',
    ...(cause === undefined ? {} : { cause }),
  });
}
