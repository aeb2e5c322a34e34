// Times the contenders of one job in turns, round after round. Runs in Node and in browsers.
import type { CpuClock } from './clock.mjs';
import type { Contender } from './contender.mjs';

export interface MeasureOptions {
  /** Samples of every contender; at least 7 for a median worth printing. */
  readonly rounds: number;
  /** Runs before anything counts: pipelines, caches and plans are made in them. */
  readonly warmUps?: number;
  /** Wall milliseconds that one sample shall last, so that clocks and fences do not matter. */
  readonly sampleMilliseconds?: number;
  readonly cpu?: CpuClock | undefined;
  /** Whether the GPU's own time is taken as well, in runs of its own, where a contender can tell it. Default false. */
  readonly gpu?: boolean;
  readonly signal?: AbortSignal | undefined;
  /** Told after every sample. */
  readonly onSample?: (done: number, of: number) => void;
}

/** Milliseconds of one run, a number per round. `cpu` and `gpu` are empty where there is no such clock. */
export interface Samples {
  readonly wall: number[];
  readonly cpu: number[];
  readonly gpu: number[];
  /** Runs in one sample. */
  readonly runs: number;
}

/** No sample holds more runs: recordings and command buffers stay small. */
const MOST_RUNS = 512;

/**
 * Samples of every contender, in their order. Each is warmed up, then told how many runs fill a sample; in every round all take one
 * sample each, beginning with another one each time, so that what the machine does meanwhile meets all alike.
 */
export async function measure(
  contenders: readonly Contender[],
  { rounds, warmUps = 2, sampleMilliseconds = 30, cpu, gpu = false, signal, onSample }: MeasureOptions,
): Promise<Samples[]> {
  const all: Samples[] = [];
  for (const contender of contenders) {
    let once = Number.POSITIVE_INFINITY;
    for (let i = 0; i < Math.max(1, warmUps); i++) {
      signal?.throwIfAborted();
      const start = performance.now();
      await contender.run(1);
      once = Math.min(once, performance.now() - start);
    }
    const runs = Math.max(1, Math.min(MOST_RUNS, Math.ceil(sampleMilliseconds / Math.max(once, 1e-3))));
    // A longer chain of runs is another recording, with a plan of its own to be made.
    if (runs > 1) await contender.run(runs);
    all.push({ wall: [], cpu: [], gpu: [], runs });
  }
  for (let round = 0; round < rounds; round++)
    for (let turn = 0; turn < contenders.length; turn++) {
      signal?.throwIfAborted();
      const at = (round + turn) % contenders.length;
      await sample(contenders[at]!, all[at]!, cpu, gpu);
      onSample?.(round * contenders.length + turn + 1, rounds * contenders.length);
    }
  return all;
}

async function sample(contender: Contender, into: Samples, cpu: CpuClock | undefined, gpu: boolean): Promise<void> {
  const { runs } = into;
  const [start, before] = [performance.now(), cpu?.()];
  await contender.run(runs);
  const [end, after] = [performance.now(), cpu?.()];
  into.wall.push((end - start) / runs);
  if (before !== undefined && after !== undefined)
    into.cpu.push((contender.lastCpuMilliseconds?.() ?? after - before) / runs);
  if (gpu && contender.gpuMilliseconds) into.gpu.push(await contender.gpuMilliseconds(runs));
}
