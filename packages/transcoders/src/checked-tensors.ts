// The numbers of a dictionary held against the shapes that its config asks for: each tensor there, of its size, and all of it finite.
import { LimnError } from '@limn/gpu';

/** What numbers are checked for. */
export interface TensorCheck {
  /** Every tensor that there must be; there may be no other. */
  readonly shapes: ReadonlyMap<string, readonly number[]>;
  /** 'a dictionary' */
  readonly of: string;
  readonly layer: number;
  /** Tensors of which no number may be below 0. */
  readonly notNegative?: readonly string[];
}

/** @throws LimnError `data/dictionary-weights` for tensors that are missing, too many, of another size or not finite */
export function checkTensors(
  given: Readonly<Record<string, Float32Array | undefined>>,
  { shapes, of, layer, notNegative = [] }: TensorCheck,
): void {
  const refuse = (name: string, problem: string): LimnError =>
    new LimnError('data/dictionary-weights', `${name} of layer ${layer} ${problem}.`, { details: { name, layer } });
  for (const [name, shape] of shapes) {
    const data = given[name];
    if (!data) throw refuse(name, 'is missing');
    if (data.length !== sizeOf(shape))
      throw refuse(name, `has ${data.length} numbers; ${of} of this config takes [${shape.join(', ')}]`);
    const least = notNegative.includes(name) ? 0 : -Infinity;
    const odd = data.findIndex((value) => !(Number.isFinite(value) && value >= least));
    if (odd >= 0)
      throw refuse(
        name,
        `holds ${data[odd]} at ${odd}; every number must be finite${least === 0 ? ' and at least 0' : ''}`,
      );
  }
  for (const name of Object.keys(given))
    if (given[name] && !shapes.has(name)) throw refuse(name, `does not belong to ${of} of this config`);
}

/** The numbers that a shape holds. */
export const sizeOf = (shape: readonly number[]): number => shape.reduce((product, n) => product * n, 1);
