// Which time counts on an adapter, and how it is read. Runs in Node and in browsers.

/**
 * 'cpu': this process's own time over all threads, which on a software adapter is the work itself and varies less than the wall clock.
 * 'gpu': timestamps around compute passes. 'wall': from the call until the device has finished.
 */
export type ClockName = 'cpu' | 'gpu' | 'wall';

/** Milliseconds of CPU time of this process so far, all threads; absent in browsers. */
export type CpuClock = () => number;

/** Node's, or undefined elsewhere. */
export function cpuClock(): CpuClock | undefined {
  const usage = (globalThis.process as Partial<NodeJS.Process> | undefined)?.cpuUsage;
  if (!usage) return undefined;
  return () => {
    const { user, system } = usage.call(globalThis.process);
    return (user + system) / 1e3;
  };
}

/** The clocks that an adapter's contenders are timed by. */
export interface Clocks {
  /** Of limn against limn and against the ceilings. */
  readonly own: ClockName;
  /** Of limn against peers, whose timestamps cannot be had. */
  readonly shared: 'cpu' | 'wall';
}

/** Software adapters are timed by CPU time where there is a clock for it, devices by timestamps where they have them. */
export function clocksOf(
  { isSoftware, timestamps }: { readonly isSoftware: boolean; readonly timestamps: boolean },
  cpu: CpuClock | undefined,
): Clocks {
  if (isSoftware && cpu) return { own: 'cpu', shared: 'cpu' };
  return { own: timestamps && !isSoftware ? 'gpu' : 'wall', shared: 'wall' };
}
