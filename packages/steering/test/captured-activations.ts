// What the tests of baselines read off a model by themselves.
import { tokenBatch, type HookedModel, type HookName, type Intervention } from '@limn/hooks';
import { readFloats } from '@limn/tensor';

/** h [T][width] of one prompt at a site. */
export async function captured(model: HookedModel, prompt: readonly number[], at: HookName): Promise<Float32Array[]> {
  using step = model.gpu.step();
  const run = model.run(step, { tokens: tokenBatch([prompt], model.info) }, { capture: [at], logits: 'last' });
  const h = await readFloats(step, run.at(at));
  const width = h.length / prompt.length;
  return prompt.map((_, t) => h.slice(t * width, (t + 1) * width));
}

/** Logits [V] at the last position. */
export async function logitsOf(
  model: HookedModel,
  prompt: readonly number[],
  interventions: readonly Intervention[] = [],
): Promise<Float32Array> {
  using step = model.gpu.step();
  const tokens = tokenBatch([prompt], model.info);
  return readFloats(step, model.run(step, { tokens }, { interventions, logits: 'last' }).logits);
}
