// A run of the benches: ceilings first, then every job; a job that fails is put on record and the others go on. Runs in Node and in browsers.
import type { Gpu } from '@limn/gpu';
import type { Clocks, CpuClock } from './clock.mjs';
import type { Peer } from './contender.mjs';
import type { Job } from './job.mjs';
import type { BenchRecord, CeilingRecord, FailureRecord, JobRecord } from './record.mjs';
import { runCeilings } from './run-ceilings.mjs';
import { runJob } from './run-job.mjs';

export interface RunBenchOptions {
  readonly ceilings: boolean;
  readonly jobs: readonly Job[];
  readonly rounds: number;
  readonly clocks: Clocks;
  readonly isSoftware: boolean;
  readonly cpu?: CpuClock | undefined;
  readonly peers?: readonly Peer[];
  readonly signal?: AbortSignal | undefined;
  readonly onCeiling?: (record: CeilingRecord) => void;
  /** Told before a job. */
  readonly onStart?: (job: Job) => void;
  readonly onJob?: (record: JobRecord) => void;
  readonly onFailure?: (failure: FailureRecord) => void;
}

/** What was found; rejects only where it was aborted or the device is lost. */
export async function runBench(
  gpu: Gpu,
  options: RunBenchOptions,
): Promise<Pick<BenchRecord, 'ceilings' | 'jobs' | 'failures'>> {
  const { rounds, clocks, isSoftware, cpu, peers = [], signal } = options;
  const failures: FailureRecord[] = [];
  const fail = (name: string, reason: string): void => {
    failures.push({ name, reason });
    options.onFailure?.({ name, reason });
  };
  const ceilings = options.ceilings
    ? await runCeilings(gpu, { rounds, clocks, cpu, isSoftware, signal, onResult: (each) => options.onCeiling?.(each) })
    : [];
  const jobs: JobRecord[] = [];
  for (const job of options.jobs) {
    if (job.devicesOnly && isSoftware) continue;
    signal?.throwIfAborted();
    options.onStart?.(job);
    try {
      const onPeerFailure = (peer: string, reason: string): void => fail(`${job.name} by ${peer}`, reason);
      const record = await runJob(gpu, job, { rounds, clocks, ceilings, cpu, peers, signal, onPeerFailure });
      jobs.push(record);
      options.onJob?.(record);
    } catch (error) {
      signal?.throwIfAborted();
      fail(job.name, (error as Error).message);
    }
    // What a job leaves behind is not the next one's burden.
    gpu.trim();
  }
  return { ceilings, jobs, failures };
}
