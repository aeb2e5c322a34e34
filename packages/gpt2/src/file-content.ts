// What is written into a file: contents of known length that are made piece by piece, so that no more than a piece is in memory.
import { LimnError, formatBytes } from '@limn/gpu';

/** Takes the bytes of one file. */
export interface FileSink {
  /**
   * Puts bytes at an offset. Offsets rise without holes from 0 on; at the end bytes that are already there may be put anew. The bytes are
   * the caller's again once the promise is settled.
   */
  write(bytes: Uint8Array, offset: number): Promise<void>;
}

/** The contents of a file. */
export interface FileContent {
  /** Length of the file. */
  readonly bytes: number;
  /** Writes all of it, each time it is called. */
  writeTo(sink: FileSink): Promise<void>;
}

/** A file that can be read by ranges. */
export interface StoredFile {
  /** Length of the file. */
  readonly bytes: number;
  /** Bytes [start, end). */
  read(start: number, end: number): Promise<Uint8Array<ArrayBuffer>>;
}

/** Contents that are all there. */
export function contentOf(bytes: Uint8Array): FileContent {
  return { bytes: bytes.length, writeTo: (sink) => sink.write(bytes, 0) };
}

/** Contents as one array, for places that take a file only whole. @throws LimnError `memory/file-size`, and what making them throws */
export async function gatherContent(content: FileContent): Promise<Uint8Array<ArrayBuffer>> {
  const whole = allocateBytes(content.bytes);
  await content.writeTo({ write: async (bytes, offset) => whole.set(bytes, offset) });
  return whole;
}

/** A file in memory. */
export function storedBytes(bytes: Uint8Array): StoredFile {
  return { bytes: bytes.length, read: async (start, end) => Uint8Array.from(bytes.subarray(start, end)) };
}

/** Zeros. @throws LimnError `memory/file-size` where this engine has no array of that length */
export function allocateBytes(bytes: number): Uint8Array<ArrayBuffer> {
  try {
    return new Uint8Array(bytes);
  } catch (cause) {
    throw new LimnError(
      'memory/file-size',
      `a file of ${formatBytes(bytes)} does not fit into one array of this engine`,
      {
        details: { bytes },
        hint: 'Write it to a folder of @limn/gpt2/node, which takes files in pieces.',
        cause,
      },
    );
  }
}
