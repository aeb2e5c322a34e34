// Numbers for tests, the same every time, without a model or a GPU.

/** Uniform numbers in −1 … 1. */
export function uniform(seed: number): (count: number) => Float32Array {
  let state = seed;
  return (count) =>
    Float32Array.from({ length: count }, () => {
      state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
      return state / 2 ** 31 - 1;
    });
}
