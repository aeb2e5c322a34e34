// How much of a ceiling some work reaches. Runs in Node and in browsers.
import type { CeilingId } from './ceilings.mjs';
import type { Work } from './contender.mjs';
import type { CeilingRecord } from './record.mjs';

/** Work per time over the ceiling. */
export function shareOf(
  id: CeilingId,
  { flops, bytes }: Work,
  milliseconds: number,
  ceilings: readonly CeilingRecord[],
): number | undefined {
  const ceiling = ceilings.find((each) => each.id === id);
  if (!ceiling) return undefined;
  const amount = ceiling.unit === 'GFLOP/s' ? flops : bytes;
  return amount === undefined ? undefined : amount / milliseconds / 1e6 / ceiling.value;
}
