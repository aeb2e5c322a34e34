// What a pickle of torch.save may come to: plain values, and inert records of everything that has a class.

/** A value of a pickle; nothing in it is ever run. */
export type PickleValue =
  | null
  | boolean
  | number
  | bigint
  | string
  | PickleList
  | PickleTuple
  | PickleDict
  | PickleGlobal
  | PickleObject
  | TorchStorage
  | TorchTensor;

/** A list. */
export class PickleList {
  readonly items: PickleValue[] = [];
}

/** A tuple. */
export class PickleTuple {
  constructor(readonly items: readonly PickleValue[]) {}
}

/** A dict, or an OrderedDict. */
export class PickleDict {
  readonly entries = new Map<string | number | bigint | boolean, PickleValue>();

  /** The value of a key; undefined where there is none. */
  get(key: string): PickleValue | undefined {
    return this.entries.get(key);
  }
}

/** The name of a class or a function: a name and no more. */
export class PickleGlobal {
  constructor(
    readonly module: string,
    readonly name: string,
  ) {}

  toString(): string {
    return `${this.module}.${this.name}`;
  }
}

/** An object of some class, as what it would be made of. */
export class PickleObject {
  /** Its attributes: what its `__dict__` would become. */
  state: PickleValue = null;

  constructor(
    readonly global: PickleGlobal,
    readonly args: PickleTuple,
  ) {}

  /** An attribute; undefined where there is none. */
  get(key: string): PickleValue | undefined {
    return this.state instanceof PickleDict ? this.state.get(key) : undefined;
  }
}

/** Numbers in a member of the zip. */
export class TorchStorage {
  constructor(
    /** torch's name of it: 'FloatStorage'. */
    readonly kind: string,
    readonly key: string,
    /** How many numbers it says it has. */
    readonly count: number,
  ) {}
}

/** A tensor: where in a storage its numbers lie. */
export class TorchTensor {
  constructor(
    readonly storage: TorchStorage,
    readonly offset: number,
    readonly shape: readonly number[],
    readonly strides: readonly number[],
  ) {}
}

/** A value as JSON: objects by class and attributes, tensors by shape, whole numbers beyond 2^53 as text. As deep as the pickle is. */
export function plainValue(value: PickleValue): unknown {
  if (typeof value === 'bigint') return String(value);
  if (typeof value === 'number') return Number.isFinite(value) ? value : String(value);
  if (value instanceof PickleList || value instanceof PickleTuple) return value.items.map(plainValue);
  if (value instanceof PickleDict)
    return Object.fromEntries(Array.from(value.entries, ([key, item]) => [String(key), plainValue(item)]));
  if (value instanceof PickleGlobal) return String(value);
  if (value instanceof PickleObject)
    return {
      class: String(value.global),
      ...(value.args.items.length > 0 ? { args: plainValue(value.args) } : {}),
      ...(value.state === null ? {} : { state: plainValue(value.state) }),
    };
  if (value instanceof TorchStorage) return `${value.kind} of ${value.count}`;
  if (value instanceof TorchTensor) return `tensor [${value.shape.join(', ')}]`;
  return value;
}
