// The training run of the kill tests: small, with a checkpoint every fourth update, held-out loss, and a log line per update.
import type { Gpu } from '@limn/gpu';
import { randomGpt2, trainGpt2, type TrainingOptions, type TrainingResult } from '../../src/index.js';
import { nodeDisk, type Disk } from '../../src/node.js';
import { folderPlace } from './folder.js';
import { batch, sizes } from './job.js';

export const STEPS = 12;
export const EVERY = 4;

/** Trains in `out` from wherever the last run there ended. */
export async function trainIn(
  gpu: Gpu,
  out: string,
  disk: Disk = nodeDisk,
  given: (step: number) => Uint32Array[] = batch,
  onNotice?: TrainingOptions['onNotice'],
): Promise<TrainingResult> {
  const { store, log } = folderPlace(out, out, disk);
  const model = await randomGpt2(gpu, sizes, 3);
  try {
    return await trainGpt2(model, {
      batch: given,
      steps: STEPS,
      every: 1,
      recipe: { rate: 0.02, schedule: 'linear', warmup: 2, weightDecay: 0.05, clipNorm: 1, microBatch: 2 },
      checkpoint: { store, every: EVERY },
      heldOut: [Uint32Array.of(1, 1, 2, 3, 5, 8)],
      evaluateEvery: 3,
      ...(log ? { log } : {}),
      ...(onNotice ? { onNotice } : {}),
    });
  } finally {
    model.dispose();
  }
}
