// What limn wants to reach, as rules over a run's record: which ratio or share, at least how much, and what is aimed at. Runs in Node and in browsers.
import { diffsJobName, ONE_DIFF } from './diff-job-names.mjs';
import type { BenchRecord, JobRecord } from './record.mjs';

export interface Target {
  readonly what: string;
  /** undefined where the run did not measure it. */
  readonly value: number | undefined;
  readonly least: number;
  readonly aim: number;
  /** How the figure reads. */
  readonly unit: '×' | '%';
  /** Larger is better; else smaller. */
  readonly more: boolean;
}

export interface Reached extends Target {
  readonly verdict: 'aim' | 'met' | 'missed' | 'not measured';
}

type Find = (record: BenchRecord) => number | undefined;

const jobOf = ({ jobs }: BenchRecord, name: string): JobRecord | undefined =>
  jobs.find((job) => job.name === name || job.name.endsWith(`: ${name}`));

/** Median of how many times longer somebody took. */
const against =
  (name: string, other: RegExp): Find =>
  (record) =>
    jobOf(record, name)?.beside.find((beside) => other.test(beside.name))?.ratio.median;

const share =
  (name: string): Find =>
  (record) =>
    jobOf(record, name)?.ceiling?.share;

const inverse =
  (find: Find, shift = 0): Find =>
  (record) => {
    const value = find(record);
    return value === undefined ? undefined : 1 / value - shift;
  };

const dictionaryStepOf = ({ jobs }: BenchRecord, name: string, overBatch: boolean): number | undefined =>
  jobs
    .find(
      (job) =>
        job.name.startsWith('dictionary step') &&
        job.name.includes(name) &&
        job.name.endsWith('over the batch') === overBatch,
    )
    ?.beside.find((beside) => beside.name === 'dense step')?.ratio.median;

/** How many times as long as one diff all of them take at once, on as many tokens. */
const diffsAtOnce =
  (title: string): Find =>
  ({ jobs }) => {
    const beside = jobs.find(({ name }) => name.startsWith(diffsJobName(title)))?.beside;
    const ratio = beside?.find(({ name }) => name === ONE_DIFF)?.ratio.median;
    return ratio === undefined ? undefined : 1 / ratio;
  };

const ONNX = /^onnxruntime webgpu/;
const JAX = /^jax/;
const REGISTERS = /^multiply-adds in registers/;
const LOOP = /^multiply-adds around a loop/;
const BLOCKS = 'blocks over 64 tokens';
const DECODE = 'blocks, one token behind a cache of 64';
const FORWARD = /^forward alone/;

interface Rule extends Omit<Target, 'value'> {
  readonly find: Find;
  /** Only where a device has the GPU that it speaks of. */
  readonly devicesOnly?: boolean;
}

const more = (what: string, find: Find, least: number, aim: number, unit: '×' | '%' = '×'): Rule => ({
  what,
  find,
  least,
  aim,
  unit,
  more: true,
});
const less = (what: string, find: Find, most: number, aim: number): Rule => ({
  what,
  find,
  least: most,
  aim,
  unit: '×',
  more: false,
});

const squares = ['matmul 512 × 512 × 512', 'matmul 1024 × 1024 × 1024'];
const matvec = 'matvec 1 × 1024 × 1024';

const RULES: readonly Rule[] = [
  ...squares.flatMap((name) => [
    more(`${name} against onnxruntime`, against(name, ONNX), 2.5, 3.2),
    more(`${name} against jax-js`, against(name, JAX), 4, 5),
    more(`${name} of a loop of multiply-adds`, against(name, LOOP), 0.65, 0.9, '%'),
    more(`${name} of multiply-adds unrolled in registers`, against(name, REGISTERS), 0.65, 0.9, '%'),
  ]),
  more('awkward sizes at the aligned speed', against('matmul 499 × 503 × 509', /^512 × 512/), 0.7, 0.9, '%'),
  more('layernorm against onnxruntime', against('layernorm 512 × 768', ONNX), 2, 2.5),
  more('softmax against onnxruntime', against('softmax 512 × 768', ONNX), 1.4, 1.6),
  less('layernorm in copy kernels', inverse(against('layernorm 512 × 768', /^copy kernel/)), 1.8, 1.5),
  less('softmax in copy kernels', inverse(against('softmax 512 × 768', /^copy kernel/)), 1.8, 1.5),
  more('matvec against onnxruntime', against(matvec, ONNX), 3, 6),
  more('matvec against jax-js', against(matvec, JAX), 1, 1.2),
  more('blocks over 64 tokens against onnxruntime', against(BLOCKS, ONNX), 2, 3),
  more('blocks over 64 tokens against jax-js', against(BLOCKS, JAX), 4, 7),
  more('one token behind a cache against onnxruntime', against(DECODE, ONNX), 3, 6),
  less(
    'backward over forward, to the embeddings',
    inverse(against('blocks, forward and back to the embeddings', FORWARD), 1),
    2.3,
    2.1,
  ),
  less(
    'backward over forward, to every weight',
    inverse(against('blocks, forward and back to every weight', FORWARD), 1),
    2.3,
    2.1,
  ),
  ...[false, true].flatMap((overBatch) =>
    ['64 → 1024', '256 → 4096'].map((name) =>
      less(
        `a dictionary's sparse step over its dense one, ${name}${overBatch ? ', over the batch' : ''}`,
        inverse((record) => dictionaryStepOf(record, name, overBatch)),
        0.4,
        0.3,
      ),
    ),
  ),
  ...['pocket', 'pocket-chat', 'two blocks of GPT-2 small'].map((title) =>
    less(`${diffsJobName(title)} over one on as many tokens`, diffsAtOnce(title), 2, 1.2),
  ),
  {
    ...more(
      'matmul 4096 × 4096 × 4096 of the f32 peak',
      against('matmul 4096 × 4096 × 4096', REGISTERS),
      0.5,
      0.7,
      '%',
    ),
    devicesOnly: true,
  },
  {
    ...more('layernorm 16384 × 4096 of the copy bandwidth', share('layernorm 16384 × 4096'), 0.8, 0.9, '%'),
    devicesOnly: true,
  },
  {
    ...more('softmax 16384 × 4096 of the copy bandwidth', share('softmax 16384 × 4096'), 0.8, 0.9, '%'),
    devicesOnly: true,
  },
];

/** Every rule that concerns the record's adapter, with what was found. */
export function reachTable(record: BenchRecord): Reached[] {
  return RULES.filter(({ devicesOnly }) => !devicesOnly || !record.adapter.isSoftware).map(
    ({ what, find, least, aim, unit, more: upwards }) => {
      const value = find(record);
      const reaches = (bound: number): boolean => value !== undefined && (upwards ? value >= bound : value <= bound);
      const verdict = value === undefined ? 'not measured' : reaches(aim) ? 'aim' : reaches(least) ? 'met' : 'missed';
      return { what, value, least, aim, unit, more: upwards, verdict };
    },
  );
}
