// What steering does to prompts that it is not meant for: KL of the next token.
import { inBatches, settleControls, tokenBatch, type HookedModel, type RunControls } from '@limn/hooks';
import { fromData, klDivergence, readFloats } from '@limn/tensor';
import { referenceRows } from '../reference-rows.js';
import type { SteeringExample } from '../examples.js';
import type { Steerer } from '../steerer.js';

/** A prompt of no task. */
export type ControlPrompt = Pick<SteeringExample, 'prompt' | 'roles'>;

/** KL(untouched ‖ steered) in nats of the token behind each control prompt, at every strength asked for. */
export interface OffTaskFigures {
  readonly prompts: number;
  readonly strengths: readonly number[];
  /** Over prompts and strengths. */
  readonly meanKl: number;
  readonly largestKl: number;
}

/**
 * Runs control prompts steered at every strength. Prompts must fit the position table: as long where it is absolute, with roles where it is
 * by role.
 * @throws LimnError `tokens/…`, `data/steering-length`, `data/steering-roles`, `memory/over-budget`, `usage/batch-size`, `usage/memory`;
 * AbortedError
 */
export async function offTaskFigures(
  model: HookedModel,
  prompts: readonly ControlPrompt[],
  steerer: Pick<Steerer, 'name' | 'interventions'>,
  { strengths = [1, -1], ...controls }: RunControls & { readonly strengths?: readonly number[] } = {},
): Promise<OffTaskFigures> {
  const references = await referenceRows(
    model,
    prompts.map(({ prompt }) => prompt),
    { ...controls, onProgress: undefined },
  );
  const rows = prompts.flatMap((control, i) =>
    strengths.map((strength) => ({
      // A steerer is asked for interventions alone; the answers stand for none.
      example: { ...control, correct: 0, wrong: 1 },
      strength,
      reference: references[i] as Float32Array,
    })),
  );
  const values = new Float64Array(rows.length);
  await inBatches(
    model.gpu,
    rows,
    {
      what: `Measuring ${steerer.name} off its task`,
      unit: 'row',
      label: 'control prompts',
      lengthOf: ({ example }) => example.prompt.length,
      record: (step, batch) => {
        const tokens = tokenBatch(
          batch.map(({ example }) => example.prompt),
          model.info,
        );
        const { logits } = model.run(step, { tokens }, { interventions: steerer.interventions(batch), logits: 'last' });
        const before = new Float32Array(logits.size);
        batch.forEach(({ reference }, i) => before.set(reference, i * reference.length));
        return klDivergence(step, fromData(step, before, logits.shape, { label: 'untouched model' }), logits);
      },
      take: async (step, recorded, places) => {
        const read = await readFloats(step, recorded);
        places.forEach((place, i) => (values[place] = read[i] as number));
      },
    },
    { ...controls, ...settleControls(controls) },
  );
  return {
    prompts: prompts.length,
    strengths,
    meanKl: values.reduce((sum, value) => sum + value, 0) / values.length,
    largestKl: Math.max(...values),
  };
}
