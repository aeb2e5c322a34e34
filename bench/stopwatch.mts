// Seconds that a job takes: of this process's own CPU time on a software adapter, whose work that is; of the wall clock elsewhere.

/** The clock that suits an adapter. */
export function clockOf(adapterDescription: string): 'cpu' | 'wall' {
  return /llvmpipe|swiftshader/i.test(adapterDescription) ? 'cpu' : 'wall';
}

export async function secondsOf(clock: 'cpu' | 'wall', work: () => Promise<unknown>): Promise<number> {
  const [start, cpu] = [performance.now(), process.cpuUsage()];
  await work();
  const used = process.cpuUsage(cpu);
  return clock === 'cpu' ? (used.user + used.system) / 1e6 : (performance.now() - start) / 1e3;
}
