// All kernels that the benches time. Runs in Node and in browsers.
import { attentionJobs } from './attention-jobs.mjs';
import { dictionaryJobs } from './dictionary-jobs.mjs';
import type { Job } from './job.mjs';
import { matmulJobs } from './matmul-jobs.mjs';
import { adamwJob } from './optimiser-jobs.mjs';
import { rowJobs } from './row-jobs.mjs';

export const kernelJobs = (): Job[] => [
  ...matmulJobs(),
  ...rowJobs(),
  ...attentionJobs(),
  ...dictionaryJobs(),
  adamwJob(768, 3072),
];
