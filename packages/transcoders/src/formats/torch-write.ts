// Writes a `.pt` as torch.save does: a pickle of protocol 2 and f32 storages, stored in a zip, each storage at a multiple of 64 bytes.
import { crc32 } from './crc32.js';
import type { NamedTensor } from './dictionary-files.js';

/** An object of a Python class, by its attributes. */
export class TorchObject {
  constructor(
    /** Module and name, joined by a dot. */
    readonly name: string,
    readonly state: ReadonlyMap<string, TorchWritable>,
  ) {}
}

/** What can be written: plain values, dicts, tensors of f32 and objects. */
export type TorchWritable =
  null | boolean | number | string | NamedTensor | TorchObject | ReadonlyMap<string, TorchWritable>;

const ALIGNMENT = 64;
/** The id of extra fields that pad, as torch's writer has it. */
const PADDING_ID = 0x4246;
const FOLDER = 'archive';
/** 1 January 1980: the same file each time. */
const DOS_DATE = 0x21;

/** The file of a value. */
export function writeTorchFile(root: TorchWritable): Uint8Array {
  const pickle = new PickleWriter();
  pickle.bytes(0x80, 2);
  pickle.value(root);
  pickle.bytes(0x2e);
  const text = (content: string): Uint8Array => new TextEncoder().encode(content);
  return zip([
    [`${FOLDER}/data.pkl`, pickle.taken()],
    [`${FOLDER}/byteorder`, text('little')],
    ...pickle.storages.map(
      (data, i) => [`${FOLDER}/data/${i}`, new Uint8Array(data.buffer, data.byteOffset, data.byteLength)] as const,
    ),
    [`${FOLDER}/version`, text('3\n')],
  ]);
}

class PickleWriter {
  readonly storages: Float32Array[] = [];
  readonly #parts: Uint8Array[] = [];

  bytes(...values: number[]): void {
    this.#parts.push(Uint8Array.from(values));
  }

  taken(): Uint8Array {
    return joined(this.#parts);
  }

  value(value: TorchWritable): void {
    if (value === null) this.#op('N');
    else if (typeof value === 'boolean') this.bytes(value ? 0x88 : 0x89);
    else if (typeof value === 'number') this.#number(value);
    else if (typeof value === 'string') this.#text(value);
    else if (value instanceof TorchObject) {
      this.#global(value.name);
      this.#op(')');
      this.bytes(0x81);
      this.#dict(value.state);
      this.#op('b');
    } else if (isTensor(value)) this.#tensor(value);
    else this.#dict(value);
  }

  #dict(entries: ReadonlyMap<string, TorchWritable>): void {
    this.#op('}');
    for (const [key, item] of entries) {
      this.#text(key);
      this.value(item);
      this.#op('s');
    }
  }

  /** _rebuild_tensor_v2(storage, 0, shape, strides, False, OrderedDict()) */
  #tensor({ shape, data }: NamedTensor): void {
    const strides = shape.map((_, axis) => shape.slice(axis + 1).reduce((product, extent) => product * extent, 1));
    this.#global('torch._utils._rebuild_tensor_v2');
    this.#op('((');
    this.#text('storage');
    this.#global('torch.FloatStorage');
    this.#text(String(this.storages.length));
    this.#text('cpu');
    this.#number(data.length);
    this.#op('tQ');
    this.#number(0);
    for (const list of [shape, strides]) {
      this.#op('(');
      for (const each of list) this.#number(each);
      this.#op('t');
    }
    this.value(false);
    this.#global('collections.OrderedDict');
    this.#op(')RtR');
    this.storages.push(data);
  }

  #number(value: number): void {
    const part = new Uint8Array(Number.isInteger(value) && Math.abs(value) < 2 ** 31 ? 5 : 9);
    const view = new DataView(part.buffer);
    part[0] = (part.length === 5 ? 'J' : 'G').charCodeAt(0);
    if (part.length === 5) view.setInt32(1, value, true);
    else view.setFloat64(1, value);
    this.#parts.push(part);
  }

  #text(text: string): void {
    const encoded = new TextEncoder().encode(text);
    const head = new Uint8Array(5);
    head[0] = 'X'.charCodeAt(0);
    new DataView(head.buffer).setUint32(1, encoded.length, true);
    this.#parts.push(head, encoded);
  }

  #global(name: string): void {
    const dot = name.lastIndexOf('.');
    this.#op(`c${name.slice(0, dot)}\n${name.slice(dot + 1)}\n`);
  }

  #op(signs: string): void {
    this.#parts.push(new TextEncoder().encode(signs));
  }
}

const isTensor = (value: NamedTensor | ReadonlyMap<string, TorchWritable>): value is NamedTensor => 'data' in value;

function joined(parts: readonly Uint8Array[]): Uint8Array {
  const all = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

/** A zip of stored members in their order. */
function zip(members: readonly (readonly [name: string, content: Uint8Array])[]): Uint8Array {
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
