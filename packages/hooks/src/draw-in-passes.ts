// Which examples an update of a training takes: without replacement until all have been seen, each pass in an order of its own.
import { permutation } from '@limn/tensor';

/** Streams of the orders: beyond those that a training draws its noise from. */
const FIRST_STREAM = 2 ** 20;

/** The `perUpdate` items of update number `update`: of nothing but the numbers given. */
export function drawInPasses<T>(
  items: readonly T[],
  update: number,
  { perUpdate, seed }: { readonly perUpdate: number; readonly seed: number },
): T[] {
  const orders = new Map<number, Uint32Array>();
  return Array.from({ length: perUpdate }, (_, i) => {
    const at = update * perUpdate + i;
    const pass = Math.floor(at / items.length);
    const order = orders.get(pass) ?? permutation(items.length, { seed, stream: FIRST_STREAM + pass });
    orders.set(pass, order);
    return items[order[at % items.length] as number] as T;
  });
}
