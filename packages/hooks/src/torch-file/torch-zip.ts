// The container of torch's `.pt`: a zip whose members are stored, never compressed, read by ranges; whatever a header claims is held against the file first.
import { LimnError } from '@limn/gpu';
import { crc32 } from './crc32.js';

/** A file read by ranges. */
export interface RangedFile {
  readonly name: string;
  readonly size: number;
  /** Bytes [from, to). */
  bytes(from: number, to: number): Promise<Uint8Array>;
}

/** A member, read when it is asked for. */
export interface ZipMember {
  readonly name: string;
  readonly bytes: number;
  /** All of it. @throws LimnError `data/torch-…` */
  read(): Promise<Uint8Array>;
}

const END = 0x06054b50;
const END_BYTES = 22;
const WIDE_END = 0x06064b50;
const WIDE_END_BYTES = 56;
const WIDE_LOCATOR = 0x07064b50;
const WIDE_LOCATOR_BYTES = 20;
const ENTRY = 0x02014b50;
const ENTRY_BYTES = 46;
const LOCAL = 0x04034b50;
const LOCAL_BYTES = 30;
/** What a field of 32 (or 16) bits holds when the number is in the zip64 extra field. */
const WIDE_32 = 0xff_ff_ff_ff;
const WIDE_16 = 0xff_ff;
/** Of a state_dict with thousands of tensors the directory has under a megabyte. */
const MOST_DIRECTORY_BYTES = 2 ** 24;
const MOST_MEMBERS = 100_000;

/** The refusal of a file: `data/torch-{code}`. */
export function badTorch(file: string, code: string, what: string, details: Record<string, unknown> = {}): LimnError {
  return new LimnError(`data/torch-${code}`, `${file} cannot be read: ${what}.`, {
    details: { file, ...details },
    hint: 'Give a file that torch.save of PyTorch 1.6 or later wrote, whole; other files load in PyTorch and can be saved again from there.',
  });
}

interface Directory {
  readonly count: number;
  readonly from: number;
  readonly bytes: number;
}

interface Entry {
  readonly name: string;
  readonly size: number;
  readonly crc: number;
  readonly at: number;
  /** Where the next member or the directory begins. */
  end: number;
}

/**
 * The members of a zip by name. Members lie one behind the other without overlap, each stored; nothing of them is read yet.
 * @throws LimnError `data/torch-not-zip`, `data/torch-truncated`, `data/torch-zip`, `data/torch-limit`, `data/torch-compressed`,
 * `data/torch-encrypted`, `data/torch-duplicate`, `data/torch-overlap`; what the source of the bytes throws
 */
export async function readTorchZip(file: RangedFile): Promise<ReadonlyMap<string, ZipMember>> {
  const directory = await findDirectory(file);
  const entries = parseDirectory(file, directory, view(await cut(file, directory.from, directory.bytes)));
  const sorted = [...entries.values()].sort((a, b) => a.at - b.at);
  sorted.forEach((entry, i) => {
    entry.end = sorted[i + 1]?.at ?? directory.from;
    if (entry.at + LOCAL_BYTES + entry.size > entry.end)
      throw badTorch(
        file.name,
        'overlap',
        `${quoted(entry.name)} with its ${entry.size} bytes reaches into what follows it`,
        {
          member: entry.name.slice(0, 100),
          at: entry.at,
          next: entry.end,
        },
      );
  });
  return new Map(
    [...entries].map(([name, entry]) => [name, { name, bytes: entry.size, read: () => readMember(file, entry) }]),
  );
}

/** The record at the very end of the file, and its wide form before it. A comment behind it, which torch never writes, is refused. */
async function findDirectory(file: RangedFile): Promise<Directory> {
  const { name, size } = file;
  if (size < END_BYTES) throw badTorch(name, 'not-zip', `its ${size} bytes are no zip`, { size });
  const first = view(await cut(file, 0, 4)).getUint32(0, true);
  if (first !== LOCAL)
    throw badTorch(name, 'not-zip', 'it does not begin as a zip does; PyTorch before 1.6 wrote another container', {
      first,
    });
  const end = view(await cut(file, size - END_BYTES, END_BYTES));
  if (end.getUint32(0, true) !== END || end.getUint16(20, true) !== 0)
    throw badTorch(
      name,
      'truncated',
      'it does not end with the directory of a zip: it is cut off, or something follows',
      { size },
    );
  const [count, bytes, from] = [end.getUint16(10, true), end.getUint32(12, true), end.getUint32(16, true)];
  const narrow = { count, bytes, from };
  const wide = count === WIDE_16 || bytes === WIDE_32 || from === WIDE_32 ? await findWide(file) : undefined;
  const directory = wide ?? narrow;
  const until = size - END_BYTES - (wide ? WIDE_END_BYTES + WIDE_LOCATOR_BYTES : 0);
  // torch writes the wide record for small files as well; then it lies between the directory and the end.
  const gap = until - directory.from - directory.bytes;
  if (
    end.getUint16(4, true) !== end.getUint16(6, true) ||
    (gap !== 0 && (wide || gap !== WIDE_END_BYTES + WIDE_LOCATOR_BYTES))
  )
    throw badTorch(
      name,
      'zip',
      `its directory of ${directory.bytes} bytes at ${directory.from} does not end where the file does`,
      {
        ...directory,
        size,
      },
    );
  if (directory.count > MOST_MEMBERS || directory.bytes > MOST_DIRECTORY_BYTES)
    throw badTorch(name, 'limit', `its directory has ${directory.count} members in ${directory.bytes} bytes`, {
      ...directory,
      most: MOST_MEMBERS,
    });
  return directory;
}

async function findWide(file: RangedFile): Promise<Directory> {
  const { name, size } = file;
  const at = size - END_BYTES - WIDE_LOCATOR_BYTES - WIDE_END_BYTES;
  if (at < 0) throw badTorch(name, 'zip', 'it has no room for the wide directory that it speaks of', { size });
  const both = view(await cut(file, at, WIDE_END_BYTES + WIDE_LOCATOR_BYTES));
  if (
    both.getUint32(0, true) !== WIDE_END ||
    both.getUint32(WIDE_END_BYTES, true) !== WIDE_LOCATOR ||
    both.getBigUint64(WIDE_END_BYTES + 8, true) !== BigInt(at)
  )
    throw badTorch(name, 'zip', 'its wide directory is not where it should be', { at });
  const number = (offset: number, what: string): number => within(file, both.getBigUint64(offset, true), what);
  return {
    count: number(32, 'count of members'),
    bytes: number(40, 'directory'),
    from: number(48, "directory's place"),
  };
}

function parseDirectory(file: RangedFile, { count, bytes }: Directory, data: DataView): Map<string, Entry> {
  const { name: label } = file;
  const entries = new Map<string, Entry>();
  let at = 0;
  for (let i = 0; i < count; i++) {
    if (at + ENTRY_BYTES > bytes || data.getUint32(at, true) !== ENTRY)
      throw badTorch(label, 'zip', `member ${i} of ${count} is not in its directory`, { member: i, count });
    const [flags, method] = [data.getUint16(at + 8, true), data.getUint16(at + 10, true)];
    const [nameBytes, extraBytes, commentBytes] = [28, 30, 32].map((offset) => data.getUint16(at + offset, true)) as [
      number,
      number,
      number,
    ];
    const next = at + ENTRY_BYTES + nameBytes + extraBytes + commentBytes;
    if (next > bytes) throw badTorch(label, 'zip', `member ${i} reaches beyond its directory`, { member: i });
    const name = textOf(file, data, at + ENTRY_BYTES, nameBytes);
    const member = name.slice(0, 100);
    if ((flags & 1) !== 0) throw badTorch(label, 'encrypted', `${quoted(name)} is encrypted`, { member });
    const { size, packed, place } = wideFields(file, data, at, { nameBytes, extraBytes, name });
    if (method !== 0 || packed !== size)
      throw badTorch(label, 'compressed', `${quoted(name)} is compressed; torch stores members as they are`, {
        member,
        method,
      });
    if (entries.has(name)) throw badTorch(label, 'duplicate', `two members are called ${quoted(name)}`, { member });
    entries.set(name, { name, size, crc: data.getUint32(at + 16, true), at: place, end: 0 });
    at = next;
  }
  if (at !== bytes) throw badTorch(label, 'zip', `${bytes - at} bytes of its directory belong to no member`, { count });
  return entries;
}

/** Size, packed size and place of an entry; those whose narrow field is full stand in the zip64 extra field, in this order. */
function wideFields(
  file: RangedFile,
  data: DataView,
  at: number,
  { nameBytes, extraBytes, name }: { readonly nameBytes: number; readonly extraBytes: number; readonly name: string },
): { readonly size: number; readonly packed: number; readonly place: number } {
  let extra = at + ENTRY_BYTES + nameBytes;
  const end = extra + extraBytes;
  let [wide, wideEnd] = [0, 0];
  while (extra + 4 <= end && wide === 0) {
    const bytes = data.getUint16(extra + 2, true);
    if (data.getUint16(extra, true) === 1) [wide, wideEnd] = [extra + 4, Math.min(extra + 4 + bytes, end)];
    extra += 4 + bytes;
  }
  const field = (offset: number): number => {
    const narrow = data.getUint32(at + offset, true);
    if (narrow !== WIDE_32) return within(file, BigInt(narrow), `size of ${quoted(name)}`);
    if (wide === 0 || wide + 8 > wideEnd)
      throw badTorch(file.name, 'zip', `${quoted(name)} lacks its wide sizes`, { member: name.slice(0, 100) });
    wide += 8;
    return within(file, data.getBigUint64(wide - 8, true), `size of ${quoted(name)}`);
  };
  const size = field(24);
  const packed = field(20);
  return { size, packed, place: field(42) };
}

/** Reads a member, with its own header held against the directory, and its checksum against its bytes. */
async function readMember(file: RangedFile, { name, size, crc, at, end }: Entry): Promise<Uint8Array> {
  const member = name.slice(0, 100);
  const header = view(await cut(file, at, LOCAL_BYTES));
  const nameBytes = header.getUint16(26, true);
  const from = at + LOCAL_BYTES + nameBytes + header.getUint16(28, true);
  if (header.getUint32(0, true) !== LOCAL || header.getUint16(8, true) !== 0 || from + size > end)
    throw badTorch(file.name, 'zip', `the header of ${quoted(name)} says something else than the directory`, {
      member,
      at,
    });
  if (textOf(file, view(await cut(file, at + LOCAL_BYTES, nameBytes)), 0, nameBytes) !== name)
    throw badTorch(file.name, 'zip', `the header of ${quoted(name)} has another name`, { member, at });
  const bytes = await cut(file, from, size);
  if (crc32(bytes) !== crc)
    throw badTorch(file.name, 'checksum', `the bytes of ${quoted(name)} are not those that were written`, { member });
  return bytes;
}

/** A number of 64 bits that must lie within the file. */
function within(file: RangedFile, value: bigint, what: string): number {
  if (value <= BigInt(file.size)) return Number(value);
  throw badTorch(file.name, 'zip', `the ${what} is ${value} in a file of ${file.size} bytes`, { given: String(value) });
}

async function cut(file: RangedFile, from: number, bytes: number): Promise<Uint8Array> {
  if (from + bytes > file.size)
    throw badTorch(file.name, 'truncated', `bytes ${from} to ${from + bytes} are beyond its end`, { size: file.size });
  const found = await file.bytes(from, from + bytes);
  if (found.length === bytes) return found;
  throw badTorch(file.name, 'truncated', `it changed while it was read`, { from, bytes, found: found.length });
}

function textOf(file: RangedFile, data: DataView, at: number, bytes: number): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(
      new Uint8Array(data.buffer, data.byteOffset + at, bytes),
    );
  } catch (cause) {
    throw badTorch(file.name, 'zip', 'a name in it is not UTF-8', { cause: String(cause) });
  }
}

const view = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

/** A name of the file for a message. */
export const quoted = (name: string): string => JSON.stringify(name.slice(0, 100));
