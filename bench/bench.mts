// How near to the limit, against which peer: ceilings of the adapter, kernels, whole jobs, in one run.
// npm run bench [-- --only ceilings,kernels,jobs --filter WORDS --peers onnxruntime,jax,tfjs,pytorch|all --rounds 9 --out DIR]
import path from 'node:path';
import os from 'node:os';
import { parseArgs } from 'node:util';
import { openNodeGpu } from '@limn/gpu/node';
import { whole } from './arguments.mjs';
import { adapterRecord, adapterSlug } from './harness/adapter.mjs';
import { clocksOf, cpuClock } from './harness/clock.mjs';
import { kernelJobs } from './harness/kernel-jobs.mjs';
import {
  RECORD_KIND,
  RECORD_VERSION,
  type BenchRecord,
  type CeilingRecord,
  type FailureRecord,
  type JobRecord,
} from './harness/record.mjs';
import { runCeilings } from './harness/run-ceilings.mjs';
import { runJob } from './harness/run-job.mjs';
import { ceilingLine, jobLines } from './harness/terminal-table.mjs';
import { RESULTS, save } from './result-file.mjs';
import version from './package.json' with { type: 'json' };

const { values: options } = parseArgs({
  options: {
    only: { type: 'string', default: 'ceilings,kernels,jobs' },
    filter: { type: 'string', default: '' },
    rounds: { type: 'string', default: '9' },
    out: { type: 'string', default: RESULTS },
  },
});
const gpu = await openNodeGpu({ label: 'bench' });
const adapter = adapterRecord(gpu);
const cpu = cpuClock();
const clocks = clocksOf(adapter, cpu);
const rounds = whole(options.rounds);
const sections = options.only.split(',');
console.log(`${adapter.description || adapter.device} (${adapter.source})`);

const ceilings: CeilingRecord[] = [];
const jobs: JobRecord[] = [];
const failures: FailureRecord[] = [];
if (sections.includes('ceilings'))
  ceilings.push(
    ...(await runCeilings(gpu, {
      rounds,
      clocks,
      cpu,
      isSoftware: adapter.isSoftware,
      onResult: (record) => console.log(ceilingLine(record)),
    })),
  );
for (const job of kernelJobs()) {
  if (!sections.includes(job.group) || !job.name.includes(options.filter) || (job.devicesOnly && adapter.isSoftware))
    continue;
  try {
    const record = await runJob(gpu, job, { rounds, clocks, ceilings, cpu });
    jobs.push(record);
    jobLines(record).forEach((line) => console.log(line));
  } catch (error) {
    failures.push({ name: job.name, reason: (error as Error).message });
    console.log(`${job.name}: ${(error as Error).message}`);
  }
}
const record: BenchRecord = {
  kind: RECORD_KIND,
  version: RECORD_VERSION,
  date: new Date().toISOString(),
  adapter,
  environment: {
    runtime: `Node ${process.version}`,
    platform: `${process.platform} ${process.arch}`,
    cores: os.availableParallelism(),
    limn: version.version,
  },
  rounds,
  ceilings,
  jobs,
  failures,
  missing: [],
};
save(path.join(options.out, adapterSlug(adapter), 'bench.json'), `${JSON.stringify(record, undefined, 1)}\n`);
gpu.dispose();
process.exit(failures.length > 0 ? 1 : 0);
