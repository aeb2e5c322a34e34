// The end-to-end job of the fault sweeps: load from files, run, differentiate, generate, train with checkpoints, save.
import { createHash } from 'node:crypto';
import type { Gpu } from '@limn/gpu';
import { generate, tokenBatch } from '@limn/hooks';
import { gradients, readFloats, sumAll } from '@limn/tensor';
import {
  loadGpt2,
  randomGpt2,
  saveGpt2,
  trainGpt2,
  type CheckpointStore,
  type Gpt2,
  type ModelFiles,
  type TrainingLog,
  type TrainingOptions,
  type WritableFiles,
} from '../../src/index.js';

export const sizes = { vocabulary: 11, maxPositions: 6, width: 8, layers: 1, heads: 2, initializerRange: 0.2 };

/** Where a job reads and writes. */
export interface JobPlace {
  readonly source: ModelFiles;
  readonly target: WritableFiles;
  readonly store: CheckpointStore;
  readonly log?: TrainingLog;
}

/** What a job gives, as digests of its bits. */
export interface JobResult {
  readonly logits: string;
  readonly slopes: string;
  readonly tokens: string;
  readonly weights: string;
}

/** Counting upwards modulo 11: rows of unequal lengths that depend on the step alone. */
export const batch = (step: number): Uint32Array[] =>
  [0, 1, 2].map((row) => Uint32Array.from({ length: 7 - row }, (_, t) => (step * 3 + row * 5 + t) % 11));

export const training = {
  batch,
  steps: 3,
  every: 1,
  recipe: { rate: 0.02, warmup: 1, weightDecay: 0.05, clipNorm: 1, microBatch: 2 },
} satisfies TrainingOptions;

/** Writes the model that every job begins with. */
export async function writeModel(gpu: Gpu, target: WritableFiles): Promise<void> {
  const model = await randomGpt2(gpu, sizes, 3);
  try {
    await saveGpt2(model, target);
  } finally {
    model.dispose();
  }
}

/** The whole job. Leaves nothing on the GPU, however it ends. */
export async function runJob(gpu: Gpu, place: JobPlace): Promise<JobResult> {
  const { model } = await loadGpt2(gpu, place.source);
  try {
    const { logits, slopes } = await look(model);
    const sampling = { kind: 'sample', seed: 5, topK: 4 } as const;
    const { tokens } = await generate(model, [[1, 2, 3], [4]], { maxNewTokens: 3, eosIds: [], sampling });
    const weights = await train(model, place);
    await saveGpt2(model, place.target);
    return { logits, slopes, tokens: JSON.stringify(tokens), weights };
  } finally {
    model.dispose();
  }
}

/** Only the training of the job, from the last checkpoint in the store if there is one. */
export async function resumeJob(gpu: Gpu, place: JobPlace): Promise<string> {
  const { model } = await loadGpt2(gpu, place.source);
  try {
    return await train(model, place);
  } finally {
    model.dispose();
  }
}

async function train(model: Gpt2, { store, log }: JobPlace): Promise<string> {
  const options = { ...training, checkpoint: { store, every: 2 }, ...(log ? { log } : {}) };
  return (await trainGpt2(model, options)).fingerprint;
}

async function look(model: Gpt2): Promise<{ logits: string; slopes: string }> {
  const step = model.gpu.step({ label: 'look' });
  try {
    const tokens = tokenBatch([[1, 2, 3, 4]], model.info);
    const run = model.run(step, { tokens }, { logits: 'last', capture: ['hook_embed'] });
    const [slope] = gradients(step, sumAll(step, run.logits), 'ones', [run.at('hook_embed')]);
    if (!slope) throw new Error('the embedding has no gradient');
    const [logits, slopes] = await Promise.all([readFloats(step, run.logits), readFloats(step, slope)]);
    return { logits: digest(logits), slopes: digest(slopes) };
  } finally {
    step.dispose();
  }
}

const digest = (values: Float32Array): string => createHash('sha256').update(values).digest('hex').slice(0, 16);
