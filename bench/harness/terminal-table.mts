// The benches' table in a terminal, a line at a time as results come in. Runs in Node and in browsers.
import type { Reached } from './reach.mjs';
import type { BesideRecord, CeilingRecord, JobRecord } from './record.mjs';
import { digits, duration, figure, percent, rate, times } from './text.mjs';

const NAME = 46;

export const ceilingLine = ({ name, value, unit, way }: CeilingRecord): string =>
  `${name.padEnd(NAME)} ${digits(value).padStart(8)} ${unit.padEnd(8)} ${way}`;

/** Rates by one clock: GFLOP/s and GB/s. */
function rates({ work, time }: JobRecord): string {
  const { flops, bytes } = work;
  const gflops = flops === undefined ? '' : `${rate(flops, time.median)} GFLOP/s`;
  const gbs = bytes === undefined ? '' : `${rate(bytes, time.median)} GB/s`;
  return `${gflops.padStart(14)} ${gbs.padStart(11)}`;
}

/** The job, and a line for everybody beside it. */
export function jobLines(job: JobRecord): string[] {
  const { name, time, ceiling, programs } = job;
  const share = ceiling ? `${percent(ceiling.share)} of ${ceiling.id}` : '';
  return [
    `${name.padEnd(NAME)} ${duration(time.median).padStart(9)} ${rates(job)}  ${share.padEnd(20)} ${shortPrograms(programs)}`,
    ...job.beside.map(besideLine),
  ];
}

const shortPrograms = (programs: readonly string[]): string =>
  programs.length > 3 ? `${programs.length} programs` : programs.map((each) => each.replace(/\[.*/, '')).join(', ');

const besideLine = ({ name, time, ratio }: BesideRecord): string =>
  `  ${name.padEnd(NAME - 2)} ${duration(time.median).padStart(9)}  ${times(ratio.median)} (${times(ratio.low)} to ${times(ratio.high)})`;

/** What the columns are. */
export const tableHead = (clock: string): string =>
  `${''.padEnd(NAME)} ${`${clock} time`.padStart(9)}  rates per ${clock === 'cpu' ? 'core' : 'device'}; neighbours: time and how many times longer (quartiles)`;

/** What was to be reached, and whether it was; of what was not measured only how much that is. */
export function reachLines(rows: readonly Reached[]): string[] {
  const measured = rows.filter(({ verdict }) => verdict !== 'not measured');
  const left = rows.length - measured.length;
  return [
    ...measured.map(({ what, value, least, aim, unit, more, verdict }) => {
      return `${what.padEnd(NAME + 12)} ${figure(value, unit).padStart(7)}  ${more ? 'at least' : 'at most'} ${figure(least, unit)}, aim ${figure(aim, unit)}: ${verdict}`;
    }),
    ...(left === 0 ? [] : [`${left} of ${rows.length} things to be reached were not measured by this run`]),
  ];
}
