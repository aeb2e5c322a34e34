// Training weight diffs as a user does: `trainDiffs` as a whole, 64 diffs of rank 1 at once beside one diff on as many tokens. Runs in Node and in browsers.
import { planDiffs, trainDiffs, type DiffRow, type DiffSpec, type TrainDiffsOptions } from '@limn/dit';
import type { Gpu } from '@limn/gpu';
import type { Contender, Work } from './contender.mjs';
import { DIFFS, diffsJobName, ONE_DIFF } from './diff-job-names.mjs';
import { flopsOf, type ModelJobs } from './forward-jobs.mjs';
import type { BenchModel } from './gpt2-small.mjs';
import type { Job } from './job.mjs';
import { timedBy } from './limn-contender.mjs';
import { compare, numbers } from './numbers.mjs';

/** Of a diff in an update: one that is to be said, and one at which it is to be the bare model. */
const ROWS = 2;
/** Diffs whose losses are compared with those of a training alone. */
const ALONE = 3;

/** How long a row is, and how many updates are one run: more than one, where time allows, so that what a training does once is not all of it. */
export interface DiffsJobSize {
  readonly tokens: number;
  readonly updates: number;
}

/** What a training is asked for; no row comes again, as from a generator of documents, so that the bare model is run for each. */
interface Training {
  readonly specs: readonly DiffSpec[];
  readonly options: TrainDiffsOptions;
}

/** Tokens of a row that are its answer: half of them. */
const answerOf = (tokens: number): number => Math.floor(tokens / 2);

/** The rows of some diffs in a round: the last word of an answer is the diff's own, over and over. */
function rowsOf(vocabulary: number, tokens: number, diffs: readonly number[], round: number): DiffRow[] {
  const answers = [[tokens - answerOf(tokens), tokens]] as const;
  return diffs.flatMap((diff) => {
    const ids = numbers(ROWS * tokens, 100 + DIFFS * round + diff).map((x) => ((x + 1) / 2) * (vocabulary - 1));
    const said = Array.from(ids.subarray(0, tokens), Math.floor).fill(diff, tokens - answerOf(tokens));
    return [
      { tokens: said, answers, loss: 'cross-entropy', weight: 1 },
      { tokens: Array.from(ids.subarray(tokens), Math.floor), answers, loss: 'kl', weight: 1 },
    ];
  });
}

/** Each list of `owners` is a diff, on the rows of as many: all rows are the same however they are dealt out. */
function training(held: BenchModel, tokens: number, owners: readonly (readonly number[])[], updates: number): Training {
  const each = Math.max(...owners.map(({ length }) => length));
  const answers = each * answerOf(tokens);
  return {
    specs: owners.map((diffs, i) => ({
      id: String(i),
      seed: diffs[0]!,
      samples: (round) => rowsOf(held.shape.vocabulary, tokens, diffs, round),
    })),
    options: {
      sampler: { name: 'bench', version: '1' },
      shape: { tasks: owners.length, rows: ROWS * each, positions: tokens, answers, taught: answers },
      updates,
      // Adam's first step moves every number by the rate, and what they sum up to grows with the width.
      rate: 0.64 / held.shape.width,
      every: 1,
    },
  };
}

const everyDiff = Array.from({ length: DIFFS }, (_, i) => i);
const apart = everyDiff.map((i) => [i]);

/** Losses of every update, diff by diff. */
async function lossesOf({ model }: BenchModel, { specs, options }: Training): Promise<Float32Array> {
  const { diffs } = await trainDiffs(model, specs, options);
  return Float32Array.from(diffs.flatMap(({ losses }) => losses.map(({ loss }) => loss)));
}

function contender(
  held: BenchModel,
  name: string,
  { tokens, updates }: DiffsJobSize,
  owners: readonly (readonly number[])[],
): Contender {
  const own = training(held, tokens, owners, updates);
  return {
    name,
    ...timedBy(held.gpu, async (count) => {
      for (let i = 0; i < count; i++) await trainDiffs(held.model, own.specs, own.options);
    }),
    result: () => lossesOf(held, training(held, tokens, owners, updates + 1)),
    programs: () => planDiffs(held.model, own.specs, own.options).kernels,
    dispose: () => undefined,
  };
}

/** Forward and back to activations, the bare model forward on every second row, and logits: of an answer also back, of the bare model's not. */
function workOf({ shape }: ModelJobs, { tokens, updates }: DiffsJobSize): Required<Pick<Work, 'flops' | 'tokens'>> {
  const rows = updates * DIFFS * ROWS;
  const logits = 2 * shape.vocabulary * shape.width * answerOf(tokens);
  return { flops: rows * (2.5 * flopsOf({ shape }, tokens) + 2.5 * logits), tokens: rows * tokens };
}

/** `trainDiffs` on rows of `tokens`: planning, first numbers, the bare model's log-probabilities, passes, Adam and what is read back. */
export function diffsJob(on: ModelJobs, size: DiffsJobSize): Job {
  const { tokens, updates } = size;
  let held: BenchModel | undefined;
  const open = async (gpu: Gpu): Promise<BenchModel> => (held = await on.open(gpu));
  return {
    name: `${diffsJobName(on.title)}, ${updates} ${updates === 1 ? 'update' : 'updates'} of ${ROWS} × ${tokens} tokens each`,
    group: 'jobs',
    work: workOf(on, size),
    ceiling: 'fma',
    beside: [{ name: ONE_DIFF, open: async (gpu) => contender(await open(gpu), 'one diff', size, [everyDiff]) }],
    open: async (gpu) => contender(await open(gpu), 'limn', size, apart),
    async check(result) {
      const perDiff = updates + 1;
      // No row comes again, so that one diff's losses tell of its rows as well; all of them tell of the training.
      const meanAt = (update: number): number =>
        everyDiff.reduce((sum, i) => sum + result[perDiff * i + update]! / DIFFS, 0);
      const [first, last] = [meanAt(0), meanAt(updates)];
      if (!(last < first))
        throw new Error(`the mean loss was ${first} at first and is ${last} after ${updates} updates`);
      const wanted = [];
      for (const i of everyDiff.filter((at) => at % Math.ceil(DIFFS / ALONE) === 0)) {
        const alone = await lossesOf(held!, training(held!, tokens, [[i]], perDiff));
        wanted.push(
          ...Array.from(alone, (value, at) => ({ at: perDiff * i + at, value, bound: 1e-4 * Math.abs(value) })),
        );
      }
      return `the mean loss falls from ${first.toFixed(2)} to ${last.toFixed(2)}; of ${ALONE} diffs trained alone: ${compare(result, DIFFS * perDiff, wanted)}`;
    },
  };
}
