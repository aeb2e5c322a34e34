// Opens a job's contenders, checks what they compute, times them in turns and puts it on record. Runs in Node and in browsers.
import type { Gpu } from '@limn/gpu';
import { shareOf } from './ceiling-share.mjs';
import type { Clocks, ClockName, CpuClock } from './clock.mjs';
import type { Contender, Peer, Work } from './contender.mjs';
import type { Job } from './job.mjs';
import { timed } from './limn-contender.mjs';
import { measure, type Samples } from './measure.mjs';
import type { BesideRecord, CeilingRecord, CountsRecord, JobRecord } from './record.mjs';
import { samplesBy } from './run-ceilings.mjs';
import { ratioOf, timingOf } from './statistics.mjs';

export interface RunJobOptions {
  readonly rounds: number;
  readonly clocks: Clocks;
  readonly ceilings: readonly CeilingRecord[];
  readonly peers?: readonly Peer[];
  readonly cpu?: CpuClock | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Told of a peer that fails or computes something else; it is left out of this job. */
  readonly onPeerFailure?: (peer: string, reason: string) => void;
}

interface Opponent {
  readonly kind: BesideRecord['kind'];
  readonly name: string;
  readonly contender: Contender;
  readonly work?: Work | undefined;
}

/** Everything about one job; throws where limn's own result is wrong. */
export async function runJob(gpu: Gpu, job: Job, options: RunJobOptions): Promise<JobRecord> {
  const { clocks, ceilings, signal, cpu, rounds } = options;
  const ours = await job.open(gpu);
  const opponents: Opponent[] = [];
  try {
    const checked = await job.check(await ours.result(), 'limn');
    for (const beside of job.beside ?? []) {
      const contender = await beside.open(gpu);
      opponents.push({ kind: 'own', name: beside.name, contender, work: beside.work ?? contender.work });
    }
    opponents.push(...(await openPeers(job, options)));
    const all = await measure([ours, ...opponents.map(({ contender }) => contender)], {
      rounds,
      cpu,
      gpu: clocks.own === 'gpu',
      signal,
    });
    const mine = all[0]!;
    const { counts, programs } = await countsOf(gpu, ours);
    const profile = job.group === 'jobs' ? await profileOf(gpu, ours) : undefined;
    const clock = usedClock(clocks.own, mine);
    const time = timingOf(samplesBy(clock, mine));
    const share = job.ceiling && shareOf(job.ceiling, job.work, time.median, ceilings);
    return {
      name: job.name,
      group: job.group,
      work: job.work,
      clock,
      time,
      checked,
      ...(job.ceiling && share !== undefined ? { ceiling: { id: job.ceiling, share } } : {}),
      beside: opponents.map((opponent, i) => besideRecord(job, opponent, mine, all[i + 1]!, clocks)),
      programs,
      counts,
      ...(profile ? { profile } : {}),
    };
  } finally {
    for (const { contender } of opponents) await contender.dispose();
    await ours.dispose();
  }
}

const usedClock = (wanted: ClockName, samples: Samples): ClockName => (samples[wanted].length > 0 ? wanted : 'wall');

/** Every peer that can do the job and gets it right. */
async function openPeers(job: Job, { peers = [], onPeerFailure }: RunJobOptions): Promise<Opponent[]> {
  if (!job.spec || peers.length === 0) return [];
  const spec = await job.spec();
  const opened: Opponent[] = [];
  for (const peer of peers) {
    let contender: Contender | undefined;
    try {
      contender = await peer.prepare(spec);
      if (!contender) continue;
      await job.check(await contender.result(), 'peer');
      opened.push({ kind: 'peer', name: peer.name, contender });
    } catch (error) {
      await contender?.dispose();
      onPeerFailure?.(peer.name, `${job.name}: ${(error as Error).message}`);
    }
  }
  return opened;
}

function besideRecord(
  job: Job,
  { kind, name, work }: Opponent,
  mine: Samples,
  theirs: Samples,
  clocks: Clocks,
): BesideRecord {
  const wanted = kind === 'peer' ? clocks.shared : clocks.own;
  // Both sides of a ratio by one clock.
  const clock = theirs[wanted].length > 0 && mine[wanted].length > 0 ? wanted : 'wall';
  const perFlop = work?.flops !== undefined && job.work.flops !== undefined ? job.work.flops / work.flops : 1;
  const scaled = theirs[clock].map((milliseconds) => milliseconds * perFlop);
  return { name, kind, clock, time: timingOf(theirs[clock]), ratio: ratioOf(scaled, mine[clock]) };
}

/** What one run in the steady state does, exactly; and the programs that it runs. */
async function countsOf(
  gpu: Gpu,
  contender: Contender,
): Promise<{ readonly counts: CountsRecord; readonly programs: readonly string[] }> {
  // A plan for a single run exists since the warm-up; a second one finds the buffers of the first.
  await contender.run(1);
  gpu.resetCounters();
  await contender.run(1);
  const { dispatches, submits, buffersCreated, bindGroupsCreated, pipelinesCreated, bytesPeak } =
    gpu.counters.snapshot();
  return {
    counts: { dispatches, submits, buffersCreated, bindGroupsCreated, pipelinesCreated, bytesPeak },
    programs: contender.programs?.() ?? [],
  };
}

/** Labels that are put on record. */
const MOST_LABELS = 12;

/** Where the time of one run goes, every dispatch in a pass of its own; undefined without timestamps. */
async function profileOf(gpu: Gpu, contender: Contender): Promise<JobRecord['profile']> {
  if (!gpu.capabilities.timestamps) return undefined;
  return (await timed(gpu, true, () => contender.run(1))).slice(0, MOST_LABELS);
}
