// A reader of pickles of protocol 2, restricted to what torch.save writes for dicts of tensors and plain configs: it runs nothing, whatever the pickle asks for.
import { PickleDict, PickleGlobal, PickleList, PickleObject, PickleTuple, type PickleValue } from './pickle-values.js';
import { PickleWeights } from './pickle-weights.js';
import { storageOf, tensorOf, type TorchComplaint } from './torch-tensor.js';

/** Where a MARK lies on the stack. */
const MARK = Symbol('mark');
type Stacked = PickleValue | typeof MARK;

const MOST_NAME_BYTES = 200;
/** Python's pickler sets at most 1,000 items at a time. */
const MOST_STACKED = 100_000;

/** Calls whose result is kept as a record of what was asked for; others than these and torch's own are refused. */
const INERT_CALLS = new Set(
  [
    'torch.device',
    'torch.Size',
    'builtins.set',
    '__builtin__.set',
    'builtins.frozenset',
    '__builtin__.frozenset',
  ].concat(['Path', 'PosixPath', 'WindowsPath', 'PurePosixPath', 'PureWindowsPath'].map((name) => `pathlib.${name}`)),
);

/**
 * The value of a pickle. Opcodes and calls beyond those of a state_dict are refused by name, and so are containers in themselves, more
 * than 64 levels, and more than 10^6 values once what is shared is counted each time. The work is that of reading the bytes once.
 */
export function readPickle(bytes: Uint8Array, bad: TorchComplaint): PickleValue {
  return new PickleMachine(bytes, bad).run();
}

class PickleMachine {
  readonly #view: DataView;
  readonly #weights: PickleWeights;
  readonly #memo = new Map<number, PickleValue>();
  readonly #stack: Stacked[] = [];
  #at = 0;

  constructor(
    readonly bytes: Uint8Array,
    readonly bad: TorchComplaint,
  ) {
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#weights = new PickleWeights((code, what) => this.#fault(code, what));
  }

  run(): PickleValue {
    if (this.#u8() !== 0x80 || this.#u8() !== 2)
      throw this.#fault('opcode', 'it is not a pickle of protocol 2, which torch.save writes unless told otherwise');
    for (;;) {
      const opcode = this.#u8();
      if (opcode === 0x2e) break;
      const act = OPCODES[opcode];
      if (!act)
        throw this.#fault('opcode', `its opcode 0x${opcode.toString(16)} is none that a state_dict needs`, { opcode });
      act(this);
    }
    const value = this.pop();
    if (this.#stack.length > 0 || this.#at !== this.bytes.length)
      throw this.#fault('pickle', 'something is left over behind its end');
    return value;
  }

  push(value: Stacked): void {
    if (this.#stack.length === MOST_STACKED)
      throw this.#fault('limit', `more than ${MOST_STACKED} values lie on its stack`);
    this.#stack.push(value);
  }

  pop(): PickleValue {
    const value = this.#stack.pop();
    if (value === undefined || value === MARK) throw this.#fault('pickle', 'an opcode finds nothing on the stack');
    return value;
  }

  /** What lies above the last MARK, which goes with it. */
  popToMark(): PickleValue[] {
    const mark = this.#stack.lastIndexOf(MARK);
    if (mark < 0) throw this.#fault('pickle', 'an opcode finds no mark on the stack');
    const items = this.#stack.splice(mark + 1) as PickleValue[];
    this.#stack.pop();
    return items;
  }

  top(): PickleValue {
    const value = this.pop();
    this.#stack.push(value);
    return value;
  }

  put(index: number): void {
    if (index > this.bytes.length) throw this.#fault('limit', `its memo has a place ${index}`, { index });
    this.#memo.set(index, this.top());
  }

  get(index: number): void {
    const value = this.#memo.get(index);
    if (value === undefined) throw this.#fault('pickle', `its memo has nothing at ${index}`, { index });
    this.push(value);
  }

  tuple(items: readonly PickleValue[]): void {
    const tuple = new PickleTuple(items);
    for (const item of items) this.#weights.place(item, tuple);
    this.push(tuple);
  }

  append(items: readonly PickleValue[]): void {
    const list = this.top();
    if (!(list instanceof PickleList)) throw this.#fault('pickle', 'it appends to something that is no list');
    for (const item of items) {
      this.#weights.place(item, list);
      list.items.push(item);
    }
  }

  setItems(items: readonly PickleValue[]): void {
    const dict = this.top();
    if (!(dict instanceof PickleDict) || items.length % 2 !== 0)
      throw this.#fault('pickle', 'it sets items of something that is no dict, or a key without a value');
    for (let i = 0; i < items.length; i += 2) {
      const [key, value] = [items[i] as PickleValue, items[i + 1] as PickleValue];
      if (typeof key === 'object') throw this.#fault('pickle', 'a key of a dict in it is neither text nor a number');
      if (dict.entries.has(key))
        throw this.#fault('pickle', `a dict in it has the key ${String(key).slice(0, 100)} twice`);
      this.#weights.place(value, dict);
      dict.entries.set(key, value);
    }
  }

  /** REDUCE: a call. torch's own give tensors, a few give records, all others are refused. */
  reduce(): void {
    const args = this.pop();
    const called = this.pop();
    if (!(called instanceof PickleGlobal) || !(args instanceof PickleTuple))
      throw this.#fault('pickle', 'it calls something that is not a name, or not with a tuple');
    const name = String(called);
    const bad = (code: string, what: string, details = {}): Error => this.#fault(code, what, details);
    if (name === 'collections.OrderedDict' && args.items.length === 0) this.push(new PickleDict());
    else if (name === 'torch._utils._rebuild_tensor_v2' || name === 'torch._utils._rebuild_tensor')
      this.push(tensorOf(args.items, bad));
    else if (name === 'torch._utils._rebuild_parameter') this.push(args.items[0] ?? null);
    else if (INERT_CALLS.has(name)) this.#pushObject(called, args);
    else
      throw this.#fault('call', `it asks to call ${name.slice(0, 100)}, which no state_dict needs`, {
        called: name.slice(0, 100),
      });
  }

  /** NEWOBJ: an object of a class, kept as a record. */
  newObject(): void {
    const args = this.pop();
    const global = this.pop();
    if (!(global instanceof PickleGlobal) || !(args instanceof PickleTuple))
      throw this.#fault('pickle', 'it makes an object of something that is not a name');
    this.#pushObject(global, args);
  }

  #pushObject(global: PickleGlobal, args: PickleTuple): void {
    const made = new PickleObject(global, args);
    this.#weights.place(args, made);
    this.push(made);
  }

  /** BUILD: the attributes of an object. Those of an OrderedDict (`_metadata` of a state_dict) are let go. */
  build(): void {
    const state = this.pop();
    const made = this.top();
    if (made instanceof PickleObject && made.state === null) {
      this.#weights.place(state, made);
      made.state = state;
    } else if (!(made instanceof PickleDict && state instanceof PickleDict))
      throw this.#fault('pickle', 'it gives attributes to something that has none, or has them already');
  }

  global(): void {
    this.push(new PickleGlobal(this.#line(), this.#line()));
  }

  storage(): void {
    this.push(storageOf(this.pop(), (code, what, details) => this.#fault(code, what, details)));
  }

  text(): void {
    const length = this.u32();
    this.push(this.#decode(this.#take(length), length));
  }

  float(): void {
    this.push(this.#view.getFloat64(this.#take(8)));
  }

  int32(): void {
    this.push(this.#view.getInt32(this.#take(4), true));
  }

  u8(): number {
    return this.#u8();
  }

  u16(): number {
    return this.#view.getUint16(this.#take(2), true);
  }

  u32(): number {
    return this.#view.getUint32(this.#take(4), true);
  }

  /** LONG1: two's complement of up to 255 bytes. */
  long(): void {
    const length = this.#u8();
    const from = this.#take(length);
    let value = 0n;
    for (let i = length - 1; i >= 0; i--) value = (value << 8n) | BigInt(this.bytes[from + i] as number);
    const signed = BigInt.asIntN(8 * length, value);
    const small = Number(signed);
    this.push(Number.isSafeInteger(small) ? small : signed);
  }

  #u8(): number {
    return this.bytes[this.#take(1)] as number;
  }

  /** Where the next `count` bytes begin; they are then behind. */
  #take(count: number): number {
    const from = this.#at;
    if (count > this.bytes.length - from)
      throw this.#fault('truncated', `its pickle ends within ${count} bytes at ${from}`, { count });
    this.#at += count;
    return from;
  }

  #line(): string {
    const from = this.#at;
    const end = this.bytes.subarray(from, from + MOST_NAME_BYTES).indexOf(0x0a);
    if (end < 0) throw this.#fault('pickle', `a name in it does not end within ${MOST_NAME_BYTES} bytes`);
    this.#at = from + end + 1;
    return this.#decode(from, end);
  }

  #decode(from: number, length: number): string {
    try {
      return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(
        this.bytes.subarray(from, from + length),
      );
    } catch {
      throw this.#fault('pickle', 'a text in it is not UTF-8');
    }
  }

  #fault(code: string, what: string, details: Record<string, unknown> = {}): Error {
    return this.bad(code, what, { at: this.#at, ...details });
  }
}

/** What each opcode does, by its byte. */
const OPCODES: Readonly<Record<number, (machine: PickleMachine) => void>> = Object.fromEntries(
  Object.entries<(machine: PickleMachine) => void>({
    '(': (m) => m.push(MARK),
    N: (m) => m.push(null),
    '\u0088': (m) => m.push(true),
    '\u0089': (m) => m.push(false),
    ']': (m) => m.push(new PickleList()),
    '}': (m) => m.push(new PickleDict()),
    ')': (m) => m.tuple([]),
    t: (m) => m.tuple(m.popToMark()),
    '\u0085': (m) => m.tuple([m.pop()]),
    '\u0086': (m) => m.tuple([m.pop(), m.pop()].reverse()),
    '\u0087': (m) => m.tuple([m.pop(), m.pop(), m.pop()].reverse()),
    a: (m) => m.append([m.pop()]),
    e: (m) => m.append(m.popToMark()),
    s: (m) => m.setItems([m.pop(), m.pop()].reverse()),
    u: (m) => m.setItems(m.popToMark()),
    J: (m) => m.int32(),
    K: (m) => m.push(m.u8()),
    M: (m) => m.push(m.u16()),
    '\u008a': (m) => m.long(),
    G: (m) => m.float(),
    X: (m) => m.text(),
    c: (m) => m.global(),
    q: (m) => m.put(m.u8()),
    r: (m) => m.put(m.u32()),
    h: (m) => m.get(m.u8()),
    j: (m) => m.get(m.u32()),
    Q: (m) => m.storage(),
    R: (m) => m.reduce(),
    '\u0081': (m) => m.newObject(),
    b: (m) => m.build(),
  }).map(([sign, act]) => [sign.charCodeAt(0), act]),
);
