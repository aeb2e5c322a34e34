// Writes a zip whose members are stored as they are, each at a multiple of 64 bytes: the container of torch's `.pt`.
import { crc32 } from './crc32.js';

const ALIGNMENT = 64;
/** The id of extra fields that pad, as torch's writer has it. */
const PADDING_ID = 0x4246;
/** 1 January 1980: the same file each time. */
const DOS_DATE = 0x21;

/** A zip of the members in their order, each less than 4 GiB. */
export function storedZip(members: readonly (readonly [name: string, content: Uint8Array])[]): Uint8Array {
  const parts: Uint8Array[] = [];
  const entries: Uint8Array[] = [];
  let at = 0;
  for (const [name, content] of members) {
    const title = new TextEncoder().encode(name);
    const bare = at + 30 + title.length + 4;
    const extra = 4 + (Math.ceil(bare / ALIGNMENT) * ALIGNMENT - bare);
    // What the local header and the directory's entry have in common: version, flags, method, time, date, checksum, sizes, lengths.
    const common = new DataView(new ArrayBuffer(26));
    common.setUint16(0, 20, true);
    common.setUint16(2, 0x0800, true);
    common.setUint16(8, DOS_DATE, true);
    common.setUint32(10, crc32(content), true);
    common.setUint32(14, content.length, true);
    common.setUint32(18, content.length, true);
    common.setUint16(22, title.length, true);
    const local = new Uint8Array(30 + title.length + extra);
    local.set([0x50, 0x4b, 3, 4]);
    local.set(new Uint8Array(common.buffer), 4);
    local.set(title, 30);
    const header = new DataView(local.buffer);
    header.setUint16(28, extra, true);
    header.setUint16(30 + title.length, PADDING_ID, true);
    header.setUint16(32 + title.length, extra - 4, true);
    const entry = new Uint8Array(46 + title.length);
    entry.set([0x50, 0x4b, 1, 2, 20, 0]);
    entry.set(new Uint8Array(common.buffer), 6);
    entry.set(title, 46);
    new DataView(entry.buffer).setUint32(42, at, true);
    entries.push(entry);
    parts.push(local, content);
    at += local.length + content.length;
  }
  const directory = joined(entries);
  const end = new DataView(new ArrayBuffer(22));
  end.setUint32(0, 0x06054b50, true);
  end.setUint16(8, members.length, true);
  end.setUint16(10, members.length, true);
  end.setUint32(12, directory.length, true);
  end.setUint32(16, at, true);
  return joined([...parts, directory, new Uint8Array(end.buffer)]);
}

/** Bytes one behind the other. */
export function joined(parts: readonly Uint8Array[]): Uint8Array {
  const all = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}
