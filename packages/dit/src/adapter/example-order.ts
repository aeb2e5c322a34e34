// Which examples an update has: epochs, each in an order of its own, cut into batches of one size.
import { permutation } from '@limn/tensor';

/** Random streams of orders, apart from those of first numbers. */
const FIRST_STREAM = 2 ** 31;

/**
 * The examples of update k, places into a list of `count`: numbers k·batch to (k + 1)·batch − 1 of all epochs one behind the other, each a permutation of
 * its own. It depends on seed and k alone, whatever was asked before.
 */
export function exampleOrder(
  count: number,
  { seed, batch }: { readonly seed: number; readonly batch: number },
): (k: number) => number[] {
  let known: { readonly epoch: number; readonly order: Uint32Array } | undefined;
  const orderOf = (epoch: number): Uint32Array => {
    if (known?.epoch !== epoch)
      known = { epoch, order: permutation(count, { seed, stream: FIRST_STREAM + (epoch % FIRST_STREAM) }) };
    return known.order;
  };
  return (k) =>
    Array.from({ length: batch }, (_, j) => {
      const number = k * batch + j;
      return orderOf(Math.floor(number / count))[number % count] as number;
    });
}
