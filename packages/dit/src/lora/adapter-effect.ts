// Whether an adapter does anything: maps whose change is 0 as written, and how far it moves logits on given texts.
import {
  inBatches,
  settleControls,
  tokenBatch,
  type HookedModel,
  type Intervention,
  type RunControls,
} from '@limn/hooks';
import { abs, max, readFloats, sub } from '@limn/tensor';
import { loraScale, type LoraFactors, type LoraWeights } from './lora-weights.js';

/** What an adapter does to logits. */
export interface AdapterEffect {
  /** max |z̃ − z| over every position of every prompt and the whole vocabulary. */
  readonly largestChange: number;
  /** That is 0: no logit changed by a bit. A training that never began, a wrong base or a lost factor look like this. */
  readonly changesNothing: boolean;
}

/**
 * Maps of which A, B or the scale is 0 throughout: ΔW = 0 there, whatever the text. A new LoRA has them all; in one that was trained, a map of
 * these was never reached by a gradient, or its factor was lost.
 */
export function zeroModules({ modules, rsLora }: LoraWeights): string[] {
  const isZero = (values: Float32Array): boolean => values.every((value) => value === 0);
  const changesNothing = (factors: LoraFactors): boolean =>
    isZero(factors.b) || isZero(factors.a) || loraScale(factors, rsLora) === 0;
  return Array.from(modules).flatMap(([name, factors]) => (changesNothing(factors) ? [name] : []));
}

/** Whether a LoRA changes nothing as it is written: every map of it is among its `zeroModules`. */
export function adapterChangesNothing(lora: LoraWeights): boolean {
  return zeroModules(lora).length === lora.modules.size;
}

/**
 * Runs prompts with and without an adapter's interventions and compares all logits.
 * @throws LimnError `tokens/…` for prompts that are none, `memory/over-budget`, `usage/batch-size`, `usage/memory`; `aborted`
 */
export async function adapterEffect(
  model: HookedModel,
  interventions: readonly Intervention[],
  prompts: readonly (readonly number[])[],
  controls: RunControls = {},
): Promise<AdapterEffect> {
  // One without tokens, or none at all, is refused like any other.
  if (prompts.length === 0) tokenBatch(prompts, model.info);
  let largestChange = 0;
  await inBatches(
    model.gpu,
    prompts,
    {
      what: "an adapter's effect",
      unit: 'prompt',
      label: "adapter's effect",
      lengthOf: ({ length }) => length,
      record: (step, batch) => {
        const tokens = tokenBatch(batch, model.info);
        const logits = batch.flatMap((prompt, b) => prompt.map((_id, t) => b * tokens.T + t));
        const plain = model.run(step, { tokens }, { logits });
        const adapted = model.run(step, { tokens }, { logits, interventions });
        return max(step, abs(step, sub(step, adapted.logits, plain.logits)));
      },
      take: async (step, largest) => {
        largestChange = Math.max(largestChange, ...(await readFloats(step, largest)));
      },
    },
    { ...controls, ...settleControls(controls) },
  );
  return { largestChange, changesNothing: largestChange === 0 };
}
