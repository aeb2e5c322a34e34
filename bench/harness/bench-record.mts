// A whole run in Node, from an open device to its record.
import type { Gpu } from '@limn/gpu';
import { WrongArguments } from '../command.mjs';
import { adapterRecord } from './adapter.mjs';
import { clocksOf, cpuClock } from './clock.mjs';
import type { Peer } from './contender.mjs';
import type { BenchShape } from './gpt2-small.mjs';
import { isAsked, unknownWord } from './job.mjs';
import { kernelJobs } from './kernel-jobs.mjs';
import { environmentRecord } from './node-results.mjs';
import { RECORD_KIND, RECORD_VERSION, type BenchRecord } from './record.mjs';
import { runBench } from './run-bench.mjs';
import { ceilingLine, jobLines, tableHead } from './terminal-table.mjs';
import { wholeJobs } from './whole-jobs.mjs';

export const SECTIONS = ['ceilings', 'kernels', 'jobs'] as const;

export interface BenchRequest {
  /** Some of SECTIONS, with commas between them. */
  readonly only: string;
  /** Parts of jobs' names, with | between them. */
  readonly filter: string;
  readonly rounds: number;
  /** Of whole jobs. */
  readonly title: string;
  readonly shape: BenchShape;
  readonly peers?: readonly Peer[];
  readonly missing?: readonly string[];
}

/** Runs what is asked for, prints the table as it grows, and gives it as a record. */
export async function benchRecord(gpu: Gpu, request: BenchRequest): Promise<BenchRecord> {
  const { only, filter, rounds, title, shape, peers = [], missing = [] } = request;
  const sections = only.split(',');
  const unknown = sections.find((section) => !(SECTIONS as readonly string[]).includes(section));
  if (unknown !== undefined)
    throw new WrongArguments(`there is no section '${unknown}': --only takes ${SECTIONS.join(', ')}`);
  if (rounds < 1) throw new WrongArguments('--rounds takes at least 1');
  const { jobs, dispose } = wholeJobs(title, shape);
  const offered = [...kernelJobs(), ...jobs].filter(({ group }) => sections.includes(group));
  const word = unknownWord(offered, filter);
  if (word !== undefined && offered.length > 0)
    throw new WrongArguments(
      `no job has '${word}' in its name; there are:\n${offered.map(({ name }) => `  ${name}`).join('\n')}`,
    );
  const asked = offered.filter((job) => isAsked(job, filter));
  const adapter = adapterRecord(gpu);
  const cpu = cpuClock();
  const clocks = clocksOf(adapter, cpu);
  console.log(`${adapter.description || adapter.device} (${adapter.source}); ${rounds} rounds`);
  missing.forEach((line) => console.log(`not measured: ${line}`));
  for (const { name } of asked.filter(({ devicesOnly }) => devicesOnly && adapter.isSoftware && filter !== ''))
    console.log(`not measured: ${name}, which is too much for an adapter that computes on the CPU`);
  console.log(tableHead(clocks.own));
  try {
    const found = await runBench(gpu, {
      ceilings: sections.includes('ceilings'),
      jobs: asked,
      rounds,
      clocks,
      cpu,
      isSoftware: adapter.isSoftware,
      peers,
      onCeiling: (record) => console.log(ceilingLine(record)),
      onJob: (record) => jobLines(record).forEach((line) => console.log(line)),
      onFailure: ({ name, reason }) => console.log(`${name}: ${reason}`),
    });
    return {
      kind: RECORD_KIND,
      version: RECORD_VERSION,
      date: new Date().toISOString(),
      adapter,
      environment: environmentRecord(),
      rounds,
      ...found,
      missing,
    };
  } finally {
    dispose();
  }
}
