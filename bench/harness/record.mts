// What a run of the benches found, as it is stored: one JSON file per adapter. Runs in Node and in browsers.
import type { CeilingId, CeilingUnit } from './ceilings.mjs';
import type { ClockName } from './clock.mjs';
import type { Work } from './contender.mjs';
import type { Timing } from './statistics.mjs';

export const RECORD_KIND = 'limn.bench';
export const RECORD_VERSION = 1;

export interface AdapterRecord {
  readonly vendor: string;
  readonly architecture: string;
  readonly device: string;
  readonly description: string;
  /** 'system', 'swiftshader', 'browser'. */
  readonly source: string;
  /** It computes on the CPU. */
  readonly isSoftware: boolean;
  readonly f16: boolean;
  /** Lanes of a subgroup, least and most; null without subgroups. */
  readonly subgroups: readonly [number, number] | null;
  readonly timestamps: boolean;
}

export interface EnvironmentRecord {
  /** 'Node v20.20.2', or a browser's user agent. */
  readonly runtime: string;
  readonly platform: string;
  /** Logical processors. */
  readonly cores: number;
  /** Of @limn/bench. */
  readonly limn: string;
  /** Peers that wait through limn's Dawn rested while they waited, as limn does; absent of runs in which limn alone did. */
  readonly restsLent?: true;
}

/** What the adapter can do at best. */
export interface CeilingRecord {
  readonly id: CeilingId;
  readonly name: string;
  readonly unit: CeilingUnit;
  readonly value: number;
  /** Which way reached it. */
  readonly way: string;
  readonly clock: ClockName;
}

/** Somebody or something measured in turns with limn. */
export interface BesideRecord {
  readonly name: string;
  /** 'peer': another library. 'own': other work on the same adapter, which the job is put in relation to. */
  readonly kind: 'peer' | 'own';
  readonly clock: ClockName;
  readonly time: Timing;
  /** Its time over limn's. */
  readonly ratio: Timing;
}

/** Exact counts of one run in the steady state. */
export interface CountsRecord {
  readonly dispatches: number;
  readonly submits: number;
  readonly buffersCreated: number;
  readonly bindGroupsCreated: number;
  readonly pipelinesCreated: number;
  /** Most bytes of GPU buffers alive. */
  readonly bytesPeak: number;
}

export interface JobRecord {
  /** Stable: results are compared by it. */
  readonly name: string;
  readonly group: 'kernels' | 'jobs';
  readonly work: Work;
  readonly clock: ClockName;
  /** Milliseconds of one run. */
  readonly time: Timing;
  /** How the result was checked before the timing, and how far off it was. */
  readonly checked: string;
  /** The ceiling that bounds it, and the share of it that was reached. */
  readonly ceiling?: { readonly id: CeilingId; readonly share: number };
  readonly beside: readonly BesideRecord[];
  /** The programs that ran. */
  readonly programs: readonly string[];
  readonly counts?: CountsRecord;
  /** Of whole jobs: GPU milliseconds of one run by the labels of its dispatches, longest first. */
  readonly profile?: readonly { readonly label: string; readonly count: number; readonly milliseconds: number }[];
}

/** A job that failed, with the reason: it is shown, and the others go on. */
export interface FailureRecord {
  readonly name: string;
  readonly reason: string;
}

export interface BenchRecord {
  readonly kind: typeof RECORD_KIND;
  readonly version: typeof RECORD_VERSION;
  /** ISO 8601. */
  readonly date: string;
  readonly adapter: AdapterRecord;
  readonly environment: EnvironmentRecord;
  readonly rounds: number;
  readonly ceilings: readonly CeilingRecord[];
  readonly jobs: readonly JobRecord[];
  readonly failures: readonly FailureRecord[];
  /** Peers that were asked for and are not installed. */
  readonly missing: readonly string[];
}

/** A stored record; throws an Error that says what is wrong with the text. */
export function parseRecord(text: string): BenchRecord {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new Error(`not JSON: ${(error as Error).message}`, { cause: error });
  }
  const record = value as Partial<BenchRecord> | null;
  if (record?.kind !== RECORD_KIND)
    throw new Error(`not a result of limn's benches: its kind is ${JSON.stringify(record?.kind)}`);
  if (record.version !== RECORD_VERSION)
    throw new Error(`a result of version ${String(record.version)}; this reads version ${RECORD_VERSION}`);
  const { adapter, jobs, ceilings } = record;
  const isTiming = (time: Partial<Timing> | undefined): boolean =>
    [time?.median, time?.low, time?.high].every(Number.isFinite);
  if (typeof adapter?.description !== 'string' || typeof adapter.device !== 'string')
    throw new Error('it names no adapter');
  if (!Array.isArray(jobs) || !Array.isArray(ceilings)) throw new Error('it has no jobs or no ceilings');
  for (const job of jobs as Partial<JobRecord>[])
    if (typeof job.name !== 'string' || !isTiming(job.time) || !Array.isArray(job.beside))
      throw new Error(`job ${JSON.stringify(job.name)} has no times`);
  return { failures: [], missing: [], ...record } as BenchRecord;
}

/** What an adapter is called in tables: the part of its description that people know. */
export const adapterTitle = ({ description, device, vendor, architecture }: AdapterRecord): string =>
  description || device || [vendor, architecture].filter(Boolean).join(' ') || 'unknown adapter';
