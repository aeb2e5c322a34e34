// How much smaller the gradient is at the clean input than on the path that EAP-IG averages over.
import { LimnError } from '@limn/gpu';
import { tokenBatch, type HookedModel } from '@limn/hooks';
import { addScaled, detach, gradients, read, scale, type Tensor } from '@limn/tensor';
import type { Metric, Pair } from '@limn/attribution';
import type { Saturation } from './cell.mjs';

/** Midpoints of the path; the mean of the norms changes by less than a hundredth beyond this. */
const PATH_POINTS = 10;

/** Norms of the gradient at the token embeddings e_α = e' + α (e − e'), at α = 1 and at the midpoints (k + ½)/10. */
export async function saturation(model: HookedModel, pairs: readonly Pair[], metric: Metric): Promise<Saturation> {
  const atClean = await meanNorm(model, pairs, metric, 1);
  let along = 0;
  for (let k = 0; k < PATH_POINTS; k++)
    along += (await meanNorm(model, pairs, metric, (k + 0.5) / PATH_POINTS)) / PATH_POINTS;
  return { atClean, alongPath: along, ratio: along === 0 ? 0 : atClean / along };
}

async function meanNorm(model: HookedModel, pairs: readonly Pair[], metric: Metric, alpha: number): Promise<number> {
  const step = model.gpu.step({ label: 'saturation' });
  try {
    const batch = (side: 'clean' | 'corrupted') =>
      tokenBatch(
        pairs.map((pair) => pair[side]),
        model.info,
      );
    const clean = batch('clean');
    const start = scale(step, model.embed(step, batch('corrupted')), 1 - alpha);
    const point = detach(addScaled(step, start, model.embed(step, clean), alpha));
    const { logits } = model.run(step, { embeddings: point, lengths: clean.lengths }, { logits: 'last' });
    const reference = metric.usesClean ? model.run(step, { tokens: clean }, { logits: 'last' }).logits : undefined;
    if (logits === undefined) throw new LimnError('usage/metric', 'a run with logits gave none');
    const loss = metric.loss(step, logits, pairs, reference);
    const [gradient] = gradients(step, loss, 'ones', [point], { missing: 'zeros' }) as [Tensor];
    const values = (await read(step, gradient)) as Float32Array;
    const row = values.length / pairs.length;
    return pairs.reduce((sum, _, b) => sum + norm(values.subarray(b * row, (b + 1) * row)), 0) / pairs.length;
  } finally {
    step.dispose();
  }
}

function norm(values: Float32Array): number {
  return Math.sqrt(values.reduce((sum, x) => sum + x * x, 0));
}
