// Diffs as they are put on a device side by side: those of the same maps and of like rank in one stack, so many at a time.
import type { LinearSite } from '@limn/hooks';
import { diffGroups } from '../diffs/diff-key.js';
import { catAdapters } from '../lora/cat-adapters.js';
import { placedFactors, type AdaptedModel, type BaseOptions, type LoraWeights } from '../lora/lora-weights.js';

/** Diffs of one stack. */
export interface LoraGroup {
  /** Of the stack. */
  readonly rank: number;
  readonly linears: readonly LinearSite[];
  /** Places into the list of diffs. */
  readonly members: readonly number[];
  /** Each of one rank and alpha for all its maps. */
  readonly loras: readonly LoraWeights[];
}

/**
 * Diffs in groups of at most `tasks`, in their order, checked against the model.
 * @throws LimnError `data/lora-base`, `data/lora-processed`, `data/lora-empty`, `data/lora-module`, `data/lora-rank`, `data/lora-shape`, `data/lora-values`
 */
export function loraGroups(
  model: AdaptedModel,
  diffs: readonly LoraWeights[],
  { tasks, ...options }: BaseOptions & { readonly tasks: number },
): LoraGroup[] {
  const placed = diffs.map((lora) => placedFactors(model, lora, options).map(({ linear }) => linear.name));
  const even = diffs.map(evenScales);
  const forms = even.map(({ rank }, i) => ({ rank, modules: placed[i] ?? [] }));
  return diffGroups(forms, { tasks }).map(({ rank, modules, members }) => ({
    rank,
    linears: model.linears().filter(({ name }) => modules.includes(name)),
    members,
    loras: members.map((place) => even[place] as LoraWeights),
  }));
}

/** A LoRA whose maps all have its own rank and alpha; where they have not, the same change with scales multiplied into B. */
function evenScales(lora: LoraWeights): LoraWeights {
  const own = Array.from(lora.modules.values());
  const even = own.every(({ rank, alpha }) => rank === lora.rank && alpha === lora.alpha);
  return even ? lora : catAdapters([{ lora }]);
}
