// What the tests of sampling share: the bound on shares of mass, and rows of a flat array.

/**
 * How far a share of the mass may be off: exp is up to 17 ULP off on software adapters (design), and a sum of n terms in f32 adds
 * 2⁻²⁴ · √n of its size, as everywhere in these tests; both for the part and for the whole.
 */
export const shareError = (width: number): number => 2 * 2 ** -24 * (34 + 4 * Math.sqrt(width));

/** Rows of `width` values. */
export const rowsOf = (values: Float32Array, width: number): Float32Array[] =>
  Array.from({ length: values.length / width }, (_, n) => values.subarray(n * width, (n + 1) * width));
