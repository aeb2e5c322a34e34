// What training takes of the GPU besides rows and steps.

/** GPU bytes of tensors, with two moments of each that is trained. */
export function bytesOf(shapes: ReadonlyMap<string, readonly number[]>, trained: readonly string[]): number {
  const moving = new Set(trained);
  return [...shapes].reduce(
    (sum, [name, shape]) => sum + 4 * shape.reduce((n, side) => n * side, 1) * (moving.has(name) ? 3 : 1),
    0,
  );
}
