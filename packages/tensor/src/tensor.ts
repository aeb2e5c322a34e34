// A tensor: a shape, an element type and a piece of GPU memory; row-major, contiguous, immutable by convention.
import { LimnError, type Gpu, type Step, type Storage } from '@limn/gpu';
import { packF16, unpackF16 } from './f16.js';
import { checkShape, countOf, shapeError, showShape } from './shape.js';
import type { TapeNode } from './tape.js';

/** Element types. f16 is storage only: two elements to a 32-bit word, low half first; kernels compute in f32. */
export type DType = 'f32' | 'u32' | 'f16';

/** Bytes that `size` elements take. */
export function byteLengthOf(size: number, dtype: DType): number {
  return dtype === 'f16' ? 4 * Math.ceil(size / 2) : 4 * size;
}

/** Where on the tape a tensor came from, and a name for messages. */
export interface TensorOrigin {
  readonly node?: TapeNode | undefined;
  readonly label?: string | undefined;
}

/**
 * A handle on GPU memory with a shape. Ops never change their inputs; only the in-place ops (`accumulate`, `assign`,
 * `zero`, AdamW) write to an existing tensor, and only to persistent ones outside the tape.
 * @throws LimnError `tensor/shape`
 */
export class Tensor {
  readonly storage: Storage;
  readonly shape: readonly number[];
  readonly dtype: DType;
  /** Number of elements. */
  readonly size: number;
  /** The op that made the tensor; undefined for leaves (data, parameters, kept tensors, gradients). */
  readonly node?: TapeNode;
  readonly label?: string;

  constructor(storage: Storage, shape: readonly number[], dtype: DType = 'f32', origin: TensorOrigin = {}) {
    checkShape('tensor', shape);
    const size = countOf(shape);
    if (storage.byteLength !== byteLengthOf(size, dtype))
      throw shapeError(
        'tensor',
        `shape ${showShape(shape)} of ${dtype} needs ${byteLengthOf(size, dtype)} bytes, but '${storage.label}' has ${storage.byteLength}`,
        'Give the shape that the storage was allocated for.',
        { shape, dtype, byteLength: storage.byteLength },
      );
    this.storage = storage;
    this.shape = Object.freeze([...shape]);
    this.dtype = dtype;
    this.size = size;
    if (origin.node) this.node = origin.node;
    if (origin.label !== undefined) this.label = origin.label;
  }

  /** Releases kept or persistent memory. A step tensor ends with its step anyway. Views share memory: dispose once. */
  dispose(): void {
    this.storage.dispose();
  }
}

/**
 * Memory for an op's output in this step, contents undefined until a kernel writes it.
 * @throws LimnError `tensor/shape`
 */
export function allocate(step: Step, shape: readonly number[], label: string, dtype: DType = 'f32'): Tensor {
  checkShape(label, shape);
  return new Tensor(step.allocate(byteLengthOf(countOf(shape), dtype), label), shape, dtype, { label });
}

/**
 * Host data as a leaf tensor of this step: Float32Array or number[] → f32, Uint32Array → u32.
 * @throws LimnError `tensor/shape`
 */
export function fromData(
  step: Step,
  data: Float32Array | Uint32Array | readonly number[],
  shape: readonly number[],
  options: { label?: string } = {},
): Tensor {
  const label = options.label ?? 'data';
  checkShape(label, shape);
  const typed = data instanceof Uint32Array || data instanceof Float32Array ? data : Float32Array.from(data);
  expectCount(label, typed.length, countOf(shape), shape);
  return new Tensor(step.upload(typed, label), shape, typed instanceof Uint32Array ? 'u32' : 'f32', { label });
}

/**
 * A tensor that outlives steps (parameter, accumulator, cache): zero, or filled with `data`.
 * f16 takes either f32 data, which is rounded to nearest even, or the packed words themselves.
 * @throws LimnError `tensor/shape`, `tensor/dtype`, `gpu/…`
 */
export function persistent(
  gpu: Gpu,
  shape: readonly number[],
  data?: Float32Array | Uint32Array,
  options: { dtype?: DType; label?: string } = {},
): Tensor {
  const dtype = options.dtype ?? (data instanceof Uint32Array ? 'u32' : 'f32');
  const label = options.label ?? 'persistent';
  checkShape(label, shape);
  const size = countOf(shape);
  if (data && dtype !== 'f16' && (dtype === 'f32') !== data instanceof Float32Array)
    throw new LimnError(
      'tensor/dtype',
      `${label}: ${dtype} was asked for, but the data is ${data.constructor.name}. Give the matching array.`,
      {
        details: { label, dtype },
      },
    );
  const expected = dtype === 'f16' && data instanceof Uint32Array ? Math.ceil(size / 2) : size;
  if (data) expectCount(label, data.length, expected, shape);
  const words = dtype === 'f16' && data instanceof Float32Array ? packF16(data) : data;
  const storage = gpu.persistent(byteLengthOf(size, dtype), words ? { label, data: words } : { label });
  return new Tensor(storage, shape, dtype, { label });
}

function expectCount(label: string, given: number, expected: number, shape: readonly number[]): void {
  if (given !== expected)
    throw shapeError(
      label,
      `${given} values were given for shape ${showShape(shape)}, which takes ${expected}`,
      'Give one value per element, row-major.',
      { given, expected, shape },
    );
}

/**
 * The tensor with its memory taken out of the step: a leaf that lives until `dispose()`.
 * @throws LimnError `tensor/shape`
 */
export function keep(step: Step, tensor: Tensor): Tensor {
  return new Tensor(step.keep(tensor.storage), tensor.shape, tensor.dtype, { label: tensor.label });
}

/** The values on the host: f32 and f16 as Float32Array, u32 as Uint32Array. All reads asked for together share one submit. */
export async function read(step: Step, tensor: Tensor): Promise<Float32Array | Uint32Array> {
  const bytes = await step.read(tensor.storage);
  if (tensor.dtype === 'f32') return new Float32Array(bytes);
  const words = new Uint32Array(bytes);
  return tensor.dtype === 'u32' ? words : unpackF16(words, tensor.size);
}

/**
 * `read` of an f32 or f16 tensor, typed.
 * @throws LimnError `tensor/dtype` for u32
 */
export async function readFloats(step: Step, tensor: Tensor): Promise<Float32Array> {
  expectDType('readFloats', tensor, ['f32', 'f16']);
  return (await read(step, tensor)) as Float32Array;
}

/**
 * `read` of a u32 tensor, typed.
 * @throws LimnError `tensor/dtype` for the others
 */
export async function readWords(step: Step, tensor: Tensor): Promise<Uint32Array> {
  expectDType('readWords', tensor, ['u32']);
  return (await read(step, tensor)) as Uint32Array;
}

/**
 * Refuses a tensor of another type than those allowed.
 * @throws LimnError `tensor/dtype`
 */
export function expectDType(op: string, tensor: Tensor, allowed: readonly DType[], what = 'the input'): void {
  if (allowed.includes(tensor.dtype)) return;
  const hint = tensor.dtype === 'f16' ? 'Widen it with toF32.' : `Give ${what} as ${allowed.join(' or ')}.`;
  throw new LimnError('tensor/dtype', `${op}: ${what} is ${tensor.dtype}, expected ${allowed.join(' or ')}. ${hint}`, {
    details: { op, what, given: tensor.dtype, allowed },
    hint,
  });
}
