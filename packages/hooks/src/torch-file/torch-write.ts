// Writes a `.pt` as torch.save does: a pickle of protocol 2 and f32 storages, stored in a zip, each storage at a multiple of 64 bytes.
import type { NamedTensor } from '../stored-files.js';
import { joined, storedZip } from './stored-zip.js';

/** An object of a Python class, by its attributes. */
export class TorchObject {
  constructor(
    /** Module and name, joined by a dot. */
    readonly name: string,
    readonly state: ReadonlyMap<string, TorchWritable>,
  ) {}
}

/** A tuple. */
export class TorchTuple {
  constructor(readonly items: readonly TorchWritable[]) {}
}

/** What can be written: plain values, lists, tuples, dicts, tensors of f32 and objects. */
export type TorchWritable =
  | null
  | boolean
  | number
  | string
  | NamedTensor
  | TorchObject
  | TorchTuple
  | readonly TorchWritable[]
  | ReadonlyMap<string, TorchWritable>;

const FOLDER = 'archive';

/** The file of a value. */
export function writeTorchFile(root: TorchWritable): Uint8Array {
  const pickle = new PickleWriter();
  pickle.bytes(0x80, 2);
  pickle.value(root);
  pickle.bytes(0x2e);
  const text = (content: string): Uint8Array => new TextEncoder().encode(content);
  return storedZip([
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
    } else if (value instanceof TorchTuple) {
      this.#op('(');
      for (const item of value.items) this.value(item);
      this.#op('t');
    } else if (isList(value)) {
      this.#op(']');
      for (const item of value) {
        this.value(item);
        this.#op('a');
      }
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
const isList = (value: object): value is readonly TorchWritable[] => Array.isArray(value);
