// How a check of the contract is written, and how it compares: to rounding, to the bit, and by the code of a refusal.
import { LimnError } from '@limn/gpu';
import type { HookedModel } from '@limn/hooks';

/** One promise of the interface. Throws when it is broken. */
export interface ContractCheck {
  readonly name: string;
  check(model: HookedModel): Promise<void>;
}

/** Relative distance of two results that differ only in the order of f32 sums: √n·2⁻²⁴ for n up to about 10⁴ roundings in a row. */
export const sameToRounding = 1e-5;

export function assert(holds: boolean, what: string): asserts holds {
  if (!holds) throw new Error(what);
}

/** ‖a − b‖ / ‖b‖ */
export function relativeDistance(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let apart = 0;
  let size = 0;
  for (let i = 0; i < a.length; i++) {
    apart += ((a[i] as number) - (b[i] as number)) ** 2;
    size += (b[i] as number) ** 2;
  }
  return Math.sqrt(apart / Math.max(size, 1e-12));
}

export function expectSame(a: ArrayLike<number>, b: ArrayLike<number>, what: string, within = sameToRounding): void {
  assert(a.length === b.length, `${what}: ${a.length} values against ${b.length}`);
  const distance = relativeDistance(a, b);
  assert(distance <= within, `${what}: relative distance ${distance}, allowed ${within}`);
}

export const different = (a: ArrayLike<number>, b: ArrayLike<number>): boolean =>
  Array.from(a).some((value, i) => value !== b[i]);

export function refused(code: string, act: () => unknown, mentions = ''): void {
  try {
    act();
  } catch (error) {
    assert(error instanceof LimnError && error.code === code, `expected ${code}, got ${String(error)}`);
    assert(
      `${error.message} ${error.hint ?? ''}`.includes(mentions),
      `${code}: "${error.message} ${error.hint ?? ''}" does not mention ${mentions}`,
    );
    return;
  }
  throw new Error(`expected ${code}, but nothing was thrown`);
}
