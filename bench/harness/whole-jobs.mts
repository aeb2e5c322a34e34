// All whole jobs: on GPT-2 small's shape, or another in its place, and on pocket's.
import type { Gpu } from '@limn/gpu';
import { adapterJob, TWO_BLOCKS } from './adapter-jobs.mjs';
import { diffsJob } from './diff-jobs.mjs';
import { forwardJobs, type ModelJobs } from './forward-jobs.mjs';
import { batchTrainingJob, gradientJobs } from './gradient-jobs.mjs';
import { BenchModel, type BenchShape } from './gpt2-small.mjs';
import type { Job } from './job.mjs';
import { methodJobs } from './method-jobs.mjs';

/** pocket's sizes; its weights do not matter here. */
export const POCKET: BenchShape = { layers: 3, heads: 4, width: 64, vocabulary: 440, maxPositions: 48 };
/** pocket-chat's, which weight diffs are trained on. */
const POCKET_CHAT: BenchShape = { layers: 4, heads: 4, width: 128, vocabulary: 2214, maxPositions: 64 };

/** The jobs, and what frees the models that they share. */
export function wholeJobs(title: string, shape: BenchShape): { readonly jobs: Job[]; dispose(): void } {
  const opened: BenchModel[] = [];
  const shared = (sizes: BenchShape): ModelJobs['open'] => {
    let model: Promise<BenchModel> | undefined;
    return (gpu: Gpu) =>
      (model ??= BenchModel.open(gpu, sizes).then((made) => {
        opened.push(made);
        return made;
      }));
  };
  const main: ModelJobs = { title, shape, open: shared(shape) };
  const pocket: ModelJobs = { title: 'pocket', shape: POCKET, open: shared(POCKET) };
  const chat: ModelJobs = { title: 'pocket-chat', shape: POCKET_CHAT, open: shared(POCKET_CHAT) };
  const blocks: ModelJobs = { title: 'two blocks of GPT-2 small', shape: TWO_BLOCKS, open: shared(TWO_BLOCKS) };
  return {
    jobs: [
      ...forwardJobs(main),
      ...gradientJobs(main),
      batchTrainingJob(pocket, 64),
      adapterJob(pocket, 16),
      adapterJob(blocks, 4),
      diffsJob(pocket, { tokens: 16, updates: 2 }),
      diffsJob(chat, { tokens: 16, updates: 2 }),
      diffsJob(blocks, { tokens: 4, updates: 1 }),
      ...methodJobs(main, pocket),
    ],
    dispose: () => opened.forEach((model) => model.dispose()),
  };
}
