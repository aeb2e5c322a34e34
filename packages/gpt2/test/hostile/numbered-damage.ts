// What is done to file number i of a recorded series of damaged files: the same on every machine.

/** One act of damage: which kind, and two numbers that say where and how. */
export interface Damage {
  readonly kind: number;
  readonly a: number;
  readonly b: number;
}

/** Which sound file number `index` is made of, and one to three acts; every number is a u32, taken modulo what there is. */
export function numberedDamage(index: number): { readonly base: number; readonly acts: readonly Damage[] } {
  let state = Math.imul(index + 1, 0x9e3779b1);
  // A 32-bit mixer, so that neighbouring indices have nothing in common.
  const next = (): number => {
    state = (state + 0x6d2b79f5) | 0;
    let z = Math.imul(state ^ (state >>> 15), state | 1);
    z ^= z + Math.imul(z ^ (z >>> 7), z | 61);
    return (z ^ (z >>> 14)) >>> 0;
  };
  const base = next();
  const count = [1, 1, 1, 1, 2, 2, 3][next() % 7] as number;
  return { base, acts: Array.from({ length: count }, () => ({ kind: next(), a: next(), b: next() })) };
}
