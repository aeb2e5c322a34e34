// Seeded numbers for tests: normals by Box–Muller over a 32-bit counter hash, already rounded to f32 so that a GPU gets the same inputs.

/** A stream of test inputs; the same seed gives the same numbers everywhere. */
export interface ReferenceRandom {
  /** A u32. */
  next(): number;
  /** In [0, 1). */
  uniform(): number;
  /** `count` normals times `scale`, each rounded to f32. */
  normals(count: number, scale?: number): Float64Array;
  /** `count` whole numbers in [0, below). */
  integers(count: number, below: number): Uint32Array;
}

/** Random test inputs from a seed. */
export function referenceRandom(seed: number): ReferenceRandom {
  let counter = Math.imul(seed + 1, 0x9e3779b9) >>> 0;
  const next = (): number => {
    counter = (counter + 0x6d2b79f5) >>> 0;
    let x = counter;
    x = Math.imul(x ^ (x >>> 16), 0x85ebca6b);
    x = Math.imul(x ^ (x >>> 13), 0xc2b2ae35);
    return (x ^ (x >>> 16)) >>> 0;
  };
  const uniform = (): number => next() / 2 ** 32;
  return {
    next,
    uniform,
    normals: (count, scale = 1) =>
      Float64Array.from({ length: count }, () =>
        Math.fround(scale * Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform())),
      ),
    integers: (count, below) => Uint32Array.from({ length: count }, () => Math.floor(uniform() * below)),
  };
}
