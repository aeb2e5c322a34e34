// Measures what an adapter can do at best. Runs in Node and in browsers.
import type { Gpu } from '@limn/gpu';
import { ceilingsOf, sizesFor, type Ceiling } from './ceilings.mjs';
import type { Clocks, ClockName, CpuClock } from './clock.mjs';
import { measure, type Samples } from './measure.mjs';
import type { CeilingRecord } from './record.mjs';
import { timingOf } from './statistics.mjs';

export interface RunCeilingsOptions {
  readonly rounds: number;
  readonly clocks: Clocks;
  readonly isSoftware: boolean;
  readonly cpu?: CpuClock | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onResult?: (record: CeilingRecord) => void;
}

/** Milliseconds by one clock; by the wall where that clock gave nothing. */
export function samplesBy(clock: ClockName, samples: Samples): readonly number[] {
  const chosen = samples[clock];
  return chosen.length > 0 ? chosen : samples.wall;
}

/** Amount per millisecond in the ceiling's unit; more is better, but for single calls, whose figure is their time. */
function valueOf({ unit, amount }: Ceiling, milliseconds: number): number {
  if (unit === 'µs') return milliseconds * 1e3;
  return amount / milliseconds / 1e6;
}

/** The best way of each ceiling; of several ceilings with one id the best. */
export async function runCeilings(
  gpu: Gpu,
  { rounds, clocks, isSoftware, cpu, signal, onResult }: RunCeilingsOptions,
): Promise<CeilingRecord[]> {
  const best = new Map<string, CeilingRecord>();
  for (const ceiling of ceilingsOf(gpu.device, sizesFor(isSoftware))) {
    // What the host does is on the wall clock; what the adapter does on the clock that kernels are timed by.
    const clock: ClockName = ceiling.unit === 'µs' ? 'wall' : clocks.own;
    const contenders = await Promise.all(ceiling.ways.map((way) => way()));
    try {
      const samples = await measure(contenders, { rounds, cpu, gpu: clock === 'gpu', signal });
      samples.forEach((sample, i) => {
        const value = valueOf(ceiling, timingOf(samplesBy(clock, sample)).median);
        const held = best.get(ceiling.id);
        const better = !held || (ceiling.unit === 'µs' ? value < held.value : value > held.value);
        if (!better) return;
        const { id, name, unit } = ceiling;
        const used = sample[clock].length > 0 ? clock : 'wall';
        best.set(id, { id, name, unit, value, way: contenders[i]!.name, clock: used });
      });
    } finally {
      for (const contender of contenders) await contender.dispose();
    }
  }
  const records = [...best.values()];
  records.forEach((record) => onResult?.(record));
  return records;
}
