// The toy that the tests of this package share.
import { testGpu, ToyModel } from '@limn/testing';

let made: Promise<ToyModel> | undefined;

/** Two parallel blocks with rotary positions, 3 heads of 5, vocabulary 13, 12 positions. */
export function toy(): Promise<ToyModel> {
  return (made ??= testGpu().then(
    (gpu) => new ToyModel(gpu, { layers: 2, heads: 3, headWidth: 5, mlpWidth: 11, vocabulary: 13, maxPositions: 12 }),
  ));
}

/** Largest absolute difference. */
export function apart(a: ArrayLike<number>, b: ArrayLike<number>): number {
  if (a.length !== b.length) return Infinity;
  return Array.from(a).reduce((worst, value, i) => Math.max(worst, Math.abs(value - (b[i] as number))), 0);
}
