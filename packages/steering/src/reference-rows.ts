// The untouched model's log-probabilities behind every prompt, computed once: what faithfulness is measured against.
import { inBatches, settleControls, tokenBatch, type HookedModel, type RunControls } from '@limn/hooks';
import { logSoftmax, readFloats } from '@limn/tensor';

/** Log-probabilities [V] at the last position of every prompt, on the host: a vocabulary of GPT-2 takes 200 kB a prompt. */
export async function referenceRows(
  model: HookedModel,
  prompts: readonly (readonly number[])[],
  controls: RunControls = {},
): Promise<Float32Array[]> {
  // Examples that share a prompt, as variants of one do, share its row.
  const distinct = [...new Set(prompts)];
  const rows: Float32Array[] = [];
  await inBatches(
    model.gpu,
    distinct,
    {
      what: 'The untouched model',
      unit: 'prompt',
      label: 'untouched model',
      lengthOf: (prompt) => prompt.length,
      record: (step, batch) =>
        logSoftmax(step, model.run(step, { tokens: tokenBatch(batch, model.info) }, { logits: 'last' }).logits),
      take: async (step, logp, places) => {
        const values = await readFloats(step, logp);
        const width = values.length / places.length;
        places.forEach((place, i) => {
          rows[place] = values.slice(i * width, (i + 1) * width);
        });
      },
    },
    { ...settleControls(controls), ...(controls.signal ? { signal: controls.signal } : {}) },
  );
  const place = new Map(distinct.map((prompt, i) => [prompt, i]));
  return prompts.map((prompt) => rows[place.get(prompt) as number] as Float32Array);
}
