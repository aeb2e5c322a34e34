// What training the adapter takes of the GPU, known before any of it is allocated: an update and a validation are recorded and never run.
import type { LimnError } from '@limn/gpu';
import type { HookedModel } from '@limn/hooks';
import { assign, fill, type Tensor } from '@limn/tensor';
import { DiffStack, stackBytes } from '../diffs/diff-stack.js';
import type { LoraWeights } from '../lora/lora-weights.js';
import { overBudget, type TrainingBytes } from '../training/over-budget.js';
import { ditBatch, frozenDiffs, recordDitSlopes, type DitBatch, type FrozenDiffs } from './adapter-pass.js';
import { DEFAULT_DIT_MEMORY, settleDit, type DitSettings, type TrainDitOptions } from './adapter-options.js';
import { checkExamples, type DitData, type DitExample } from './dit-example.js';
import { recordReading } from './read-examples.js';

/** GPU bytes of a training, besides the model's. */
export interface DitPlan {
  /** The adapter's factors and both of AdamW's moments. */
  readonly factors: number;
  /** An update's own values, the frozen factors of a batch and gradients among them, or a validation's where that takes more. */
  readonly update: number;
  /** The budget: `memoryBytes`. */
  readonly memoryBytes: number;
  readonly settings: DitSettings;
  /** The programs that updates and validations run. */
  readonly kernels: readonly string[];
}

/**
 * What `trainDitAdapter` with the same arguments would take.
 * @throws LimnError `usage/dit-training`, `data/dit-example`; for diffs of another model `data/lora-base`, `data/lora-processed` and what else is refused of a LoRA (`data/…`);
 * `memory/over-budget` with the bytes where that is more than `memoryBytes`
 */
export function planDitAdapter(model: HookedModel, data: DitData<LoraWeights>, options: TrainDitOptions = {}): DitPlan {
  const { examples, validation } = data;
  const settings = settleDit(model, data, options);
  const limits = { diffs: data.diffs.length, info: model.info, ...settings };
  checkExamples('examples', examples, limits);
  if (validation) checkExamples('validation', validation, limits);
  return planSettledDit(model, frozenDiffs(model, data.diffs, options), settings, {
    memoryBytes: options.memoryBytes ?? DEFAULT_DIT_MEMORY,
    validates: validation !== undefined,
  });
}

/** @throws LimnError `memory/over-budget` */
export function planSettledDit(
  model: HookedModel,
  diffs: FrozenDiffs,
  settings: DitSettings,
  { memoryBytes, validates }: { readonly memoryBytes: number; readonly validates: boolean },
): DitPlan {
  const linears = model.linears().filter(({ name }) => settings.modules.includes(name));
  const stacked = stackBytes(linears, 1, settings.rank);
  const factors = 3 * stacked;
  if (factors > memoryBytes) throw refuse({ factors, update: 0, memoryBytes });
  const batch = fullBatch(diffs, settings);
  const kernels = new Set<string>();
  let update = 0;
  for (const work of validates ? (['update', 'validation'] as const) : (['update'] as const)) {
    using step = model.gpu.step({ label: `plan of the adapter's ${work}` });
    // Factors of the step's own stand in for those that outlive it; AdamW's update takes nothing of its own, as a copy does not.
    const adapter = new DiffStack(model.gpu, linears, [{ ...settings, rsLora: false }], settings.rank, (label, shape) =>
      fill(step, shape, 0, label),
    );
    if (work === 'update') {
      const { slopes } = recordDitSlopes(step, model, batch, diffs, adapter);
      adapter.parameters.forEach(({ tensor }, i) => assign(step, tensor, slopes[i] as Tensor));
    } else recordReading(step, model, batch, { diffs, adapter, candidates: settings.candidates });
    const plan = step.plan();
    update = Math.max(update, plan.bytesPeak - stacked);
    for (const kernel of plan.kernels) kernels.add(kernel);
  }
  if (factors + update > memoryBytes) throw refuse({ factors, update, memoryBytes });
  return { factors, update, memoryBytes, settings, kernels: [...kernels].sort() };
}

/** Rows as long as they can be, each with a diff of its own as far as there are any. */
function fullBatch({ loras }: FrozenDiffs, settings: DitSettings): DitBatch {
  const { batch, positions, answers } = settings;
  const prompt = Array.from({ length: positions - answers }, () => 0);
  const answer = Array.from({ length: answers }, () => 0);
  const examples = Array.from({ length: batch }, (_, i): DitExample => {
    return { diff: loras.length === 0 ? null : i % loras.length, prompt, answer };
  });
  return ditBatch(examples, settings);
}

const refuse = (bytes: TrainingBytes): LimnError =>
  overBudget(
    'Training the adapter',
    bytes,
    'Make batch, positions or rank smaller, adapt fewer maps, or raise memoryBytes.',
  );
