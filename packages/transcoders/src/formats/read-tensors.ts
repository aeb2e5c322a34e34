// The tensors of a dictionary's file, each looked up by name, held against the shape that its config asks for, and read.
import type { CheckedFields } from '@limn/hooks';
import type { StoredTensor, StoredTensors } from './dictionary-files.js';

/** Dtypes that hold real numbers which f32 can take. */
const REAL = ['F32', 'F16', 'BF16', 'F64'];

/** The tensors of one file. */
export class TensorReader {
  readonly #asked = new Set<string>();

  constructor(
    readonly stored: StoredTensors,
    readonly fields: CheckedFields,
  ) {}

  has(name: string): boolean {
    return this.stored.tensors.has(name);
  }

  /** The shape of a tensor that must be there, of so many dimensions. */
  shape(name: string, dimensions: number): readonly number[] {
    const { shape } = this.#find(name);
    if (shape.length !== dimensions)
      throw this.fields.refuse(name, shapeText(shape), `a tensor of ${dimensions} dimensions`);
    return shape;
  }

  /** The numbers of a tensor that must have this shape; all of them finite. */
  async read(name: string, shape: readonly number[]): Promise<Float32Array> {
    const tensor = this.expect(name, shape);
    const data = await tensor.read();
    const odd = firstNonFinite(data);
    if (odd >= 0) throw this.fields.refuse(`${name}[${odd}]`, data[odd], 'a finite number');
    return data;
  }

  /** A tensor that must be there with this shape and hold real numbers. */
  expect(name: string, shape: readonly number[]): StoredTensor {
    const tensor = this.#find(name);
    if (tensor.shape.join() !== shape.join())
      throw this.fields.refuse(name, shapeText(tensor.shape), `of shape [${shape.join(', ')}], as its config says`);
    if (!REAL.includes(tensor.dtype))
      throw this.fields.refuse(`${name}.dtype`, tensor.dtype, `one of ${REAL.join(', ')}`);
    return tensor;
  }

  /** Refuses tensors that nobody asked for: one that is not known may change the formula. */
  refuseOthers(known: readonly string[] = []): void {
    const odd = [...this.stored.tensors.keys()].find((name) => !this.#asked.has(name) && !known.includes(name));
    if (odd !== undefined)
      throw this.fields.refuse('its tensors', odd, `those of this kind of dictionary: ${[...this.#asked].join(', ')}`);
  }

  #find(name: string): StoredTensor {
    const tensor = this.stored.tensors.get(name);
    if (!tensor) throw this.fields.refuse(name, undefined, 'a tensor of the file');
    this.#asked.add(name);
    return tensor;
  }
}

/** The place of the first number that is none, or −1. */
export function firstNonFinite(data: Float32Array): number {
  for (let i = 0; i < data.length; i++) if (!Number.isFinite(data[i])) return i;
  return -1;
}

const shapeText = (shape: readonly number[]): string => `of shape [${shape.slice(0, 8).join(', ')}]`;
