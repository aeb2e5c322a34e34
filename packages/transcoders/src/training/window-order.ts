// The order of a shuffled stream: chunk c falls into halves A_c and B_c by a seeded permutation, and window w is B_{w−1} ∪ A_w in a seeded order.
import { permutation } from '@limn/tensor';

/** Orders draw from streams of their own, beyond those of initial weights. */
const FIRST_STREAM = 2 ** 22;

/** Rows of chunk c in its seeded order: the first ⌈R / 2⌉ are A_c, the others B_c. */
function halves(chunk: number, rows: number, seed: number): { readonly a: Uint32Array; readonly b: Uint32Array } {
  const order = permutation(rows, { seed, stream: FIRST_STREAM + 2 * chunk });
  const middle = Math.ceil(rows / 2);
  return { a: order.subarray(0, middle), b: order.subarray(middle) };
}

/** What decides the order of a window. */
export interface WindowParts {
  /** Rows of chunks w − 1 and w; of the first window's chunk before it there are none. */
  readonly rowsBefore: number;
  readonly rows: number;
  /** Rows that a chunk has room for: chunk c lies at (c mod 2)·capacity of the buffer. */
  readonly capacity: number;
  readonly seed: number;
}

/**
 * Places in the buffer of window w's rows, in the order in which they are served: of nothing but the numbers given. Every row of every
 * chunk is in exactly one window, and neighbouring chunks mix.
 */
export function windowOrder(window: number, { rowsBefore, rows, capacity, seed }: WindowParts): Uint32Array {
  const from = (chunk: number, part: Uint32Array): Uint32Array => part.map((row) => (chunk % 2) * capacity + row);
  const late = window === 0 ? new Uint32Array() : from(window - 1, halves(window - 1, rowsBefore, seed).b);
  const fresh = from(window, halves(window, rows, seed).a);
  const places = new Uint32Array(late.length + fresh.length);
  places.set(late);
  places.set(fresh, late.length);
  return permutation(places.length, { seed, stream: FIRST_STREAM + 2 * window + 1 }).map((i) => places[i] as number);
}
