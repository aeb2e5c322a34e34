// The file of a checkpoint, of any method's training: safetensors, whose header carries the sha256 of the header and of every tensor's bytes.
import { LimnError, sha256 } from '@limn/gpu';
import type { CheckpointContent, CheckpointFile, TrainingCheckpointStore } from './checkpoint-store.js';

/** One tensor of the file; its values are made when they are written. */
export interface StatedTensor {
  readonly name: string;
  readonly type: 'F32' | 'U32';
  readonly size: number;
  values(): Promise<Float32Array | Uint32Array>;
}

/** What `openCheckpoint` found. */
export interface OpenedCheckpoint {
  /** The JSON text that was written beside the tensors. */
  readonly about: string;
  readonly tensors: ReadonlyMap<string, { readonly type: string; readonly size: number }>;
  /** @throws LimnError `checkpoint/damaged` when there is none of that name and type */
  floats(name: string): Promise<Float32Array>;
  words(name: string): Promise<Uint32Array>;
}

const BLANK = '0'.repeat(64);
/** The longest header that is read: names and a JSON text, not data. */
const LONGEST_HEADER = 2 ** 28;

interface HeaderEntry {
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly data_offsets: readonly [number, number];
}

/** The refusal of a checkpoint that cannot be gone on from, before anything of it is used. */
export function damagedCheckpoint(reason: string, cause?: unknown): LimnError {
  return new LimnError('checkpoint/damaged', `The checkpoint is damaged: ${reason}.`, {
    hint: 'Delete it to start again, or restore a copy. Nothing was loaded from it.',
    ...(cause === undefined ? {} : { cause }),
  });
}

/** The file of some tensors and a JSON text; one tensor at a time is on the host. `format` names what the method makes of them. */
export function checkpointContent(format: string, tensors: readonly StatedTensor[], about: string): CheckpointContent {
  let end = 0;
  const entries = tensors.map(({ name, type, size }) => {
    const begin = end;
    end += 4 * size;
    return [name, { dtype: type, shape: [size], data_offsets: [begin, end] }] as const;
  });
  const header = JSON.stringify({
    __metadata__: { sha256: BLANK, format, about },
    ...Object.fromEntries(entries),
  });
  const text = new TextEncoder().encode(header);
  const padded = Math.ceil(text.length / 8) * 8;
  const head = new Uint8Array(8 + padded).fill(0x20);
  new DataView(head.buffer).setBigUint64(0, BigInt(padded), true);
  head.set(text, 8);
  return {
    bytes: head.length + end,
    writeTo: async (sink) => {
      await sink.write(head, 0);
      const digests = [await sha256(head)];
      let offset = head.length;
      for (const { name, size, values } of tensors) {
        const found = await values();
        if (found.length !== size) throw new RangeError(`${name} has ${found.length} values instead of ${size}`);
        const bytes = new Uint8Array(found.buffer, found.byteOffset, found.byteLength);
        digests.push(await sha256(bytes));
        await sink.write(bytes, offset);
        offset += bytes.length;
      }
      await sink.write(new TextEncoder().encode(await sha256(digests.join())), digestPlace(head));
    },
  };
}

/**
 * Reads a file's header and checks every bit of it against its sha256.
 * @throws LimnError `checkpoint/damaged`, `checkpoint/format`, and what reading the file throws
 */
export async function openCheckpoint(file: CheckpointFile, format: string): Promise<OpenedCheckpoint> {
  if (file.bytes < 8) throw damagedCheckpoint('it has no header');
  const first = await file.read(0, 8);
  const length = Number(new DataView(first.buffer, first.byteOffset, 8).getBigUint64(0, true));
  if (length > Math.min(LONGEST_HEADER, file.bytes - 8)) throw damagedCheckpoint('its header is longer than the file');
  const head = Uint8Array.from(await file.read(0, 8 + length));
  let header: Record<string, HeaderEntry>;
  let metadata: Readonly<Record<string, string>>;
  try {
    const { __metadata__, ...entries } = JSON.parse(new TextDecoder().decode(head.subarray(8))) as Record<
      string,
      HeaderEntry
    > & { readonly __metadata__: Readonly<Record<string, string>> };
    header = entries;
    metadata = __metadata__;
  } catch (cause) {
    throw damagedCheckpoint('its header is no JSON', cause);
  }
  if (metadata?.['format'] !== format)
    throw new LimnError('checkpoint/format', `The checkpoint is not in the format ${format}.`, {
      details: { format: metadata?.['format'], expected: format },
      hint: 'Go on with the version that wrote it, or start again in another place.',
    });
  const place = digestPlace(head);
  const stated = new TextDecoder().decode(head.subarray(place, place + 64));
  head.set(new TextEncoder().encode(BLANK), place);
  const digests = [await sha256(head)];
  let end = 0;
  for (const { data_offsets } of Object.values(header)) {
    const [begin, stop] = data_offsets;
    if (begin !== end || stop < begin || head.length + stop > file.bytes)
      throw damagedCheckpoint('its tensors do not fill it');
    digests.push(await sha256(await file.read(head.length + begin, head.length + stop)));
    end = stop;
  }
  if (head.length + end !== file.bytes) throw damagedCheckpoint('its tensors do not fill it');
  if ((await sha256(digests.join())) !== stated) throw damagedCheckpoint('its contents do not match its sha256');
  const bytesOf = async (name: string, type: string): Promise<ArrayBuffer> => {
    const entry = header[name];
    if (entry?.dtype !== type) throw damagedCheckpoint(`${name} is missing`);
    const [begin, stop] = entry.data_offsets;
    return Uint8Array.from(await file.read(head.length + begin, head.length + stop)).buffer;
  };
  return {
    about: metadata['about'] ?? '',
    tensors: new Map(
      Object.entries(header).map(([name, { dtype, shape }]) => [name, { type: dtype, size: shape[0] as number }]),
    ),
    floats: async (name) => new Float32Array(await bytesOf(name, 'F32')),
    words: async (name) => new Uint32Array(await bytesOf(name, 'U32')),
  };
}

/** Where the digest's 64 characters stand: behind the first `"sha256":"`. */
function digestPlace(head: Uint8Array): number {
  const mark = '"sha256":"';
  const found = new TextDecoder('latin1').decode(head.subarray(0, 256)).indexOf(mark);
  if (found < 0) throw damagedCheckpoint('it carries no sha256');
  return found + mark.length;
}

/**
 * The newest checkpoint of a store, or the one before where it is damaged; undefined where there is none.
 * @throws LimnError `checkpoint/damaged`, `checkpoint/format`, and what the store throws
 */
export async function newestSound(
  store: Pick<TrainingCheckpointStore, 'read' | 'readPrevious'>,
  format: string,
  onNotice?: (message: string) => void,
): Promise<OpenedCheckpoint | undefined> {
  const newest = await store.read();
  try {
    if (newest) return await openCheckpoint(newest, format);
  } catch (error) {
    const before =
      error instanceof LimnError && error.code === 'checkpoint/damaged' ? await store.readPrevious?.() : undefined;
    if (!before) throw error;
    onNotice?.(`${(error as LimnError).message} Going on from the one before it.`);
    return openCheckpoint(before, format);
  }
  const before = await store.readPrevious?.();
  return before && openCheckpoint(before, format);
}
