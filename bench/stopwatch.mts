// Seconds that a job takes: of this process's own CPU time on a software adapter, whose work that is; of the wall clock elsewhere.
import { isSoftwareName } from './harness/adapter.mjs';
import { cpuClock } from './harness/clock.mjs';

/** The clock that suits an adapter. */
export const clockOf = (adapterDescription: string): 'cpu' | 'wall' =>
  isSoftwareName(adapterDescription) ? 'cpu' : 'wall';

export async function secondsOf(clock: 'cpu' | 'wall', work: () => Promise<unknown>): Promise<number> {
  const now = (clock === 'cpu' && cpuClock()) || ((): number => performance.now());
  const start = now();
  await work();
  return (now() - start) / 1e3;
}
