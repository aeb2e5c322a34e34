// torch's storages and tensors as a pickle describes them: kinds, sizes, strides, each checked before a byte is read; and their numbers as f32.
import { unpackF16 } from '@limn/tensor';
import { PickleGlobal, PickleTuple, TorchStorage, TorchTensor, type PickleValue } from './pickle-values.js';

/** Makes the error for a fault of this file. */
export type TorchComplaint = (code: string, what: string, details?: Record<string, unknown>) => Error;

const MOST_DIMENSIONS = 16;

/** How numbers of a kind lie in bytes, little-endian. */
const KINDS: Readonly<Record<string, { readonly bytes: number; read(view: DataView, at: number): number }>> = {
  FloatStorage: { bytes: 4, read: (view, at) => view.getFloat32(at, true) },
  DoubleStorage: { bytes: 8, read: (view, at) => view.getFloat64(at, true) },
  HalfStorage: { bytes: 2, read: (view, at) => unpackF16(Uint32Array.of(view.getUint16(at, true)), 1)[0] as number },
  BFloat16Storage: { bytes: 2, read: (view, at) => fromBits(view.getUint16(at, true) << 16) },
  LongStorage: { bytes: 8, read: (view, at) => Number(view.getBigInt64(at, true)) },
  IntStorage: { bytes: 4, read: (view, at) => view.getInt32(at, true) },
  ShortStorage: { bytes: 2, read: (view, at) => view.getInt16(at, true) },
  CharStorage: { bytes: 1, read: (view, at) => view.getInt8(at) },
  ByteStorage: { bytes: 1, read: (view, at) => view.getUint8(at) },
  BoolStorage: { bytes: 1, read: (view, at) => view.getUint8(at) },
};

const word = new DataView(new ArrayBuffer(4));
function fromBits(bits: number): number {
  word.setInt32(0, bits);
  return word.getFloat32(0);
}

/** Bytes that a storage takes. */
export const storageBytes = ({ kind, count }: TorchStorage): number => (KINDS[kind] as { bytes: number }).bytes * count;

/** The storage that a persistent id ('storage', torch.FloatStorage, key, location, count) means. */
export function storageOf(id: PickleValue | undefined, bad: TorchComplaint): TorchStorage {
  const [tag, kind, key, location, count, ...more] = id instanceof PickleTuple ? id.items : [];
  if (tag !== 'storage' || !(kind instanceof PickleGlobal) || typeof location !== 'string' || more.length > 0)
    throw bad('storage', 'it refers to something outside itself that is no storage');
  if (kind.module !== 'torch' || !Object.hasOwn(KINDS, kind.name))
    throw bad(
      'storage',
      `it has a storage of kind ${String(kind).slice(0, 100)}; known are ${Object.keys(KINDS).join(', ')}`,
    );
  if (typeof key !== 'string' || !/^\d{1,9}$/.test(key) || !isCount(count))
    throw bad('storage', 'a storage in it has no number, or no count of its numbers');
  return new TorchStorage(kind.name, key, count);
}

/** The tensor of `_rebuild_tensor_v2(storage, offset, size, stride, …)`; it lies within its storage and has no more numbers than that. */
export function tensorOf(args: readonly PickleValue[], bad: TorchComplaint): TorchTensor {
  const [storage, offset, size, stride] = args;
  if (!(storage instanceof TorchStorage) || !isCount(offset))
    throw bad('tensor', 'a tensor in it has no storage or no offset');
  const [shape, strides] = [counts(size), counts(stride)];
  if (!shape || shape.length !== strides?.length || shape.length > MOST_DIMENSIONS)
    throw bad('tensor', 'a tensor in it has no shape, or not a stride for each of its dimensions');
  const details = { shape, strides, offset, storage: storage.key, count: storage.count };
  let [numbers, last] = [1, offset];
  for (const [i, extent] of shape.entries()) {
    numbers *= extent;
    last += (extent - 1) * (strides[i] as number);
    // Beyond 2^53 the products are not exact; the storage is far smaller.
    if (numbers > storage.count || (extent > 0 && last > Number.MAX_SAFE_INTEGER)) numbers = Number.POSITIVE_INFINITY;
  }
  if (shape.includes(0)) numbers = 0;
  if (numbers > storage.count || (numbers > 0 && last >= storage.count))
    throw bad(
      'tensor',
      `a tensor of shape [${shape.join(', ')}] reaches beyond its storage of ${storage.count} numbers`,
      details,
    );
  return new TorchTensor(storage, offset, shape, strides);
}

/** The numbers of a tensor, row-major, of the bytes of its storage. */
export function tensorValues({ storage, offset, shape, strides }: TorchTensor, bytes: Uint8Array): Float32Array {
  const count = shape.reduce((product, extent) => product * extent, 1);
  const { bytes: width, read } = KINDS[storage.kind] as (typeof KINDS)[string];
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const values = new Float32Array(count);
  if (isRowMajor(shape, strides) && storage.kind === 'FloatStorage') {
    new Uint8Array(values.buffer).set(bytes.subarray(offset * width, (offset + count) * width));
    return values;
  }
  const index = shape.map(() => 0);
  let at = offset;
  for (let i = 0; i < count; i++) {
    values[i] = read(view, at * width);
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      const stride = strides[axis] as number;
      at += stride;
      index[axis] = (index[axis] as number) + 1;
      if (index[axis] !== shape[axis]) break;
      at -= stride * (shape[axis] as number);
      index[axis] = 0;
    }
  }
  return values;
}

function isRowMajor(shape: readonly number[], strides: readonly number[]): boolean {
  let expected = 1;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    if (shape[axis] !== 1 && strides[axis] !== expected) return false;
    expected *= shape[axis] as number;
  }
  return true;
}

const isCount = (value: PickleValue | undefined): value is number =>
  typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;

function counts(value: PickleValue | undefined): number[] | undefined {
  return value instanceof PickleTuple && value.items.every(isCount) ? [...(value.items as number[])] : undefined;
}
