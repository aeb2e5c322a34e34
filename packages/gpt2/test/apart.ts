// How far two vectors are apart: |got − want| / |want| in the Euclidean norm; Infinity for different lengths.

/** `floor` is the least that |want|² counts as, for tensors that are zero in theory. */
export function apart(got: ArrayLike<number>, want: ArrayLike<number>, floor = 0): number {
  let [difference, size] = [0, 0];
  for (let i = 0; i < want.length; i++) {
    difference += ((got[i] as number) - (want[i] as number)) ** 2;
    size += (want[i] as number) ** 2;
  }
  return got.length === want.length ? Math.sqrt(difference / Math.max(size, floor)) : Infinity;
}
