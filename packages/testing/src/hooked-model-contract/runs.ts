// What the checks run: three short prompts, a batch of two, their logits, and a fixed tensor to edit or to seed gradients with.
import type { Step } from '@limn/gpu';
import { tokenBatch, type HookedModel, type RunOptions } from '@limn/hooks';
import { fromData, readFloats, Tensor } from '@limn/tensor';

/** Prompts of 5, 3 and 4 tokens. */
export function prompts(model: HookedModel): number[][] {
  const id = (i: number): number => (i * 7 + 3) % model.info.vocabulary;
  return [[1, 2, 3, 4, 5].map(id), [6, 7, 8].map(id), [9, 10, 11, 12].map(id)];
}

/** One equal-length batch of two prompts. */
export const even = (model: HookedModel) =>
  tokenBatch(
    prompts(model)
      .slice(0, 2)
      .map((row) => [...row, 0, 0].slice(0, 5)),
    model.info,
  );

export async function logitsOf(model: HookedModel, options: RunOptions = {}): Promise<Float32Array> {
  const step = model.gpu.step();
  return readFloats(step, model.run(step, { tokens: even(model) }, options).logits);
}

export const seedLike = (step: Step, x: Tensor): Tensor =>
  fromData(
    step,
    Float32Array.from({ length: x.size }, (_, i) => Math.sin(i + 1)),
    x.shape,
  );
