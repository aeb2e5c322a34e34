// A run of the benches as a page of Markdown. Runs in Node and in browsers.
import { markdownTable } from '../markdown-table.mjs';
import { reachMarkdown } from './reach-markdown.mjs';
import { reachTable } from './reach.mjs';
import { adapterTitle, type BenchRecord, type JobRecord } from './record.mjs';
import { digits, duration, percent, rate, times } from './text.mjs';

const clockWords = {
  cpu: 'Times are CPU time of the whole process over all threads, which on a software adapter is the work itself; rates are therefore per core.',
  gpu: 'Times are GPU time by timestamps; against peers, wall time.',
  wall: 'Times are wall time until the device has finished.',
} as const;

/** The page. */
export function summary(record: BenchRecord): string {
  const { adapter, environment, rounds, ceilings, jobs, failures, missing } = record;
  const clock = jobs[0]?.clock ?? 'wall';
  const kernels = jobs.filter(({ group }) => group === 'kernels');
  const whole = jobs.filter(({ group }) => group === 'jobs');
  const reached = reachTable(record).filter(({ verdict }) => verdict !== 'not measured');
  return [
    `# ${adapterTitle(adapter)}`,
    `${environment.runtime}, ${environment.platform}, ${environment.cores} cores, ${record.date.slice(0, 10)}; medians of ${rounds} rounds in which everybody takes turns. ${clockWords[clock]} In brackets: quartiles.`,
    ...(reached.length > 0 ? ['## What is to be reached', reachMarkdown(reached)] : []),
    '## What the adapter can do',
    markdownTable(
      ['', '', '', 'reached by'],
      ceilings.map(({ name, value, unit, way }) => [name, digits(value), unit, way]),
    ),
    ...(kernels.length > 0 ? ['## Kernels', jobsPart(kernels)] : []),
    ...(whole.length > 0 ? ['## Whole jobs', jobsPart(whole)] : []),
    ...(jobs.some(({ beside }) => beside.length > 0) ? ['## In turns with', besidePart(jobs)] : []),
    ...(whole.some(({ counts }) => counts) ? ['## One run in the steady state, counted', countsPart(jobs)] : []),
    ...(failures.length > 0
      ? ['## Failed', failures.map(({ name, reason }) => `- ${name}: ${reason}`).join('\n')]
      : []),
    ...(missing.length > 0 ? ['## Not there', missing.map((line) => `- ${line}`).join('\n')] : []),
    '',
  ].join('\n\n');
}

const jobsPart = (jobs: readonly JobRecord[]): string =>
  markdownTable(
    ['', 'time', 'quartiles', 'GFLOP/s', 'GB/s', 'of the ceiling', 'checked against'],
    jobs.map(({ name, time, work, ceiling, checked }) => [
      name,
      duration(time.median),
      `${duration(time.low)} to ${duration(time.high)}`,
      rate(work.flops, time.median),
      rate(work.bytes, time.median),
      ceiling ? `${percent(ceiling.share)} (${ceiling.id})` : '',
      checked,
    ]),
  );

const besidePart = (jobs: readonly JobRecord[]): string =>
  markdownTable(
    ['', 'beside', 'its time', 'over limn’s', 'quartiles'],
    jobs.flatMap(({ name, beside }) =>
      beside.map((other) => [
        name,
        other.name,
        duration(other.time.median),
        times(other.ratio.median),
        `${times(other.ratio.low)} to ${times(other.ratio.high)}`,
      ]),
    ),
    2,
  );

const countsPart = (jobs: readonly JobRecord[]): string =>
  markdownTable(
    ['', 'dispatches', 'submits', 'buffers', 'bind groups', 'pipelines'],
    jobs.flatMap(({ name, counts }) =>
      counts
        ? [
            [
              name,
              ...[
                counts.dispatches,
                counts.submits,
                counts.buffersCreated,
                counts.bindGroupsCreated,
                counts.pipelinesCreated,
              ].map(String),
            ],
          ]
        : [],
    ),
  );
