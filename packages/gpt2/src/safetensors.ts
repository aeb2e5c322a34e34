// The header of a safetensors file, read with every check that its specification asks for before anything is allocated.
import { LimnError } from '@limn/gpu';
import { JsonScanError, scanJson, type ScannedJson } from '@limn/hooks';
import { shortFile, type ModelFiles } from './files.js';
import { headerLimits, isJsonObject, readEntry, type Complaint, type SafetensorsEntry } from './safetensors-entry.js';

const maxHeaderBytes = 100_000_000;
const scanCodes = { syntax: 'not-json', 'duplicate-key': 'duplicate-key', limit: 'limit' } as const;

/** The header of a file. */
export interface SafetensorsHeader {
  readonly tensors: ReadonlyMap<string, SafetensorsEntry>;
  readonly metadata: ReadonlyMap<string, string>;
}

/**
 * Where this reader refuses what the reference reader (Hugging Face's safetensors) accepts, by code. Everything else is alike:
 * it accepts what the reference accepts and refuses what the reference refuses.
 */
export const stricterThanReference: ReadonlyMap<string, string> = new Map([
  [
    'safetensors/duplicate-key',
    'the last of two equal names wins silently there, so that two readers can see two files',
  ],
  ['safetensors/unknown-field', 'fields of an entry that the format does not define are ignored there'],
  [
    'safetensors/entry-form',
    'an entry as a list, or a dtype as an object, passes there by accident of its JSON library',
  ],
  [
    'safetensors/limit',
    'at most 10^6 tensors, 16 dimensions, names of 4,096 characters, 4 nested levels, numbers below 2^48',
  ],
]);

/**
 * Reads and checks the header of one file: 8 bytes of length N, N bytes of JSON, then data without holes or overlaps up to the
 * last byte. No more than 8 + min(N, 10^8, size) bytes are read.
 * @throws LimnError `safetensors/…`: too-small, header-too-large, truncated, not-utf8, not-json, duplicate-key, limit,
 * bad-metadata, bad-entry, entry-form, unknown-field, unknown-dtype, overflow, misaligned, shape-mismatch, hole, overlap,
 * trailing-bytes; `files/…`.
 */
export async function readSafetensorsHeader(files: ModelFiles, file: string): Promise<SafetensorsHeader> {
  const size = await files.size(file);
  const bad: Complaint = (code, message, details = {}) =>
    new LimnError(`safetensors/${code}`, `${file} in ${files.label}: ${message}`, {
      details: { file, size, ...details },
      hint: 'The file is damaged or is not a safetensors file. Copy or download it again, or write it anew with a current library.',
    });
  const read = async (begin: number, end: number): Promise<Uint8Array> => {
    const bytes = await files.read(file, begin, end);
    if (bytes.length !== end - begin) throw shortFile(files.label, file, end, begin + bytes.length);
    return bytes;
  };
  if (size < 8) throw bad('too-small', `${size} bytes are too few to hold the header length (8 bytes)`);
  const first = await read(0, 8);
  const length = new DataView(first.buffer, first.byteOffset, 8).getBigUint64(0, true);
  if (length > BigInt(maxHeaderBytes)) {
    throw bad('header-too-large', `says its header has ${length} bytes; at most ${maxHeaderBytes} are allowed`);
  }
  const dataStart = 8 + Number(length);
  if (dataStart > size) throw bad('truncated', `says its header has ${length} bytes, but the whole file has ${size}`);
  const root = scanHeader(await read(8, dataStart), bad);

  const metadata = readMetadata(root.get('__metadata__') ?? null, bad);
  const entries: SafetensorsEntry[] = [];
  for (const [name, value] of root)
    if (name !== '__metadata__') entries.push(readEntry(name, value, file, dataStart, bad));
  checkLayout(entries, dataStart, size, bad);
  return { tensors: new Map(entries.map((entry) => [entry.name, entry])), metadata };
}

function scanHeader(header: Uint8Array, bad: Complaint): ReadonlyMap<string, ScannedJson> {
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(header);
  } catch (cause) {
    throw bad('not-utf8', 'the header is not UTF-8', { cause: String(cause) });
  }
  let root: ScannedJson;
  try {
    root = scanJson(text, headerLimits);
  } catch (cause) {
    if (!(cause instanceof JsonScanError)) throw cause;
    throw bad(scanCodes[cause.reason], `header: ${cause.message}`);
  }
  if (!isJsonObject(root)) throw bad('not-json', 'the header is not a JSON object');
  return root;
}

function readMetadata(value: ScannedJson, bad: Complaint): Map<string, string> {
  const metadata = new Map<string, string>();
  if (value === null) return metadata;
  if (!isJsonObject(value)) throw bad('bad-metadata', '__metadata__ is not an object');
  for (const [key, item] of value) {
    if (typeof item !== 'string') throw bad('bad-metadata', `__metadata__ ${JSON.stringify(key)} is not a string`);
    metadata.set(key, item);
  }
  return metadata;
}

/** Sorts the entries by place; they must cover [dataStart, size) without holes and overlaps. */
function checkLayout(entries: SafetensorsEntry[], dataStart: number, size: number, bad: Complaint): void {
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
}
