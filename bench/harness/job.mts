// A job as the benches know it: who does it, what it is measured beside, and how its result is checked. Runs in Node and in browsers.
import type { Gpu } from '@limn/gpu';
import type { CeilingId } from './ceilings.mjs';
import type { Contender, JobSpec, Work } from './contender.mjs';

/** Other work on the same adapter that a job is put in relation to. */
export interface Beside {
  readonly name: string;
  /** Its own work, where the ratio shall be one of speeds: time per flop over time per flop. Absent: time over time. */
  readonly work?: Work;
  /** With its work, where only the device decides it. */
  open(gpu: Gpu): Promise<Contender & { readonly work?: Work }>;
}

export interface Job {
  /** Stable: results are compared by it. */
  readonly name: string;
  readonly group: 'kernels' | 'jobs';
  readonly work: Work;
  /** What bounds it. */
  readonly ceiling?: CeilingId;
  /** Too much for an adapter that computes on the CPU. */
  readonly devicesOnly?: boolean;
  /** What a peer needs to know to do it too; made when a peer asks. */
  readonly spec?: () => JobSpec | Promise<JobSpec>;
  readonly beside?: readonly Beside[];
  open(gpu: Gpu): Promise<Contender>;
  /** Throws where the result is wrong; says how it was checked. `peer`: by somebody else, whose arithmetic has bounds of its own. */
  check(result: Float32Array, by: 'limn' | 'peer'): string | Promise<string>;
}

const wordsOf = (words: string): string[] => words.split('|').map((word) => word.trim());

/** The first of some words, 'matmul|softmax', that is in no job's name. */
export const unknownWord = (jobs: readonly Pick<Job, 'name'>[], words: string): string | undefined =>
  wordsOf(words).find((word) => !jobs.some(({ name }) => name.includes(word)));

/** Whether a job's name has one of some words, 'matmul|softmax'; all names have none. */
export const isAsked = ({ name }: Pick<Job, 'name'>, words: string): boolean =>
  wordsOf(words).some((word) => name.includes(word));
