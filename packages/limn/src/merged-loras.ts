// A model with LoRAs in its weights, in everything that runs it: circuits, steering, dictionaries and generation see it as any other.
import { createHash } from 'node:crypto';
import { adapterChangesNothing, MergedAdapters, type LoraWeights } from '@limn/dit';
import type { Gpt2 } from '@limn/gpt2';
import type { ModelInfo } from '@limn/hooks';
import type { LoraOptions } from './commands/lora-option.js';
import { openGivenDiff } from './given-diff.js';
import type { CommandContext } from './context.js';
import type { OpenModel } from './model-source.js';

/** A LoRA that a model runs with, as results record it. */
export interface MergedLora {
  readonly name: string;
  /** Over its maps' names, ranks, scales and factors. */
  readonly sha256: string;
  readonly strength: number;
}

/** Digits of the digest in a model's processing. */
const SHOWN = 16;

/**
 * The model as `--lora` has it: itself, or with all of them merged, in their order. Its fingerprint stays that of the base; `processing` names them, so that checkpoints
 * and shards of another LoRA are not taken for its own.
 * @throws LimnError `usage/diff-name`, `data/lora-…`, `data/peft-…`, `data/diff-pack`, `files/…`; AbortedError
 */
export async function withMergedLoras(
  model: OpenModel,
  { lora: given = [] }: LoraOptions,
  { console, signal }: Pick<CommandContext, 'console' | 'signal'>,
): Promise<OpenModel> {
  if (given.length === 0) return model;
  const opened = [];
  for (const { diff, strength } of given) opened.push({ ...(await openGivenDiff(model.hooked, diff)), strength });
  const merged = new MergedAdapters(model.hooked);
  const loras: MergedLora[] = [];
  try {
    for (const [i, { name, lora, strength }] of opened.entries()) {
      if (adapterChangesNothing(lora)) console.note(`--lora ${name} changes nothing: one factor of every map is 0`);
      await merged.merge(`${i} ${name}`, lora, { strength, signal });
      loras.push({ name, sha256: sha256Of(lora), strength });
    }
  } finally {
    // What is merged stays, and the originals are let go: this model is opened for one command.
    merged.dispose();
  }
  const own = model.hooked.info;
  const by = loras.map(({ name, sha256, strength }) => `LoRA ${name} (${sha256.slice(0, SHOWN)}) at ${strength}`);
  const processing = [...(own.processing === 'none' ? [] : [own.processing]), ...by].join('; ');
  const info = Object.freeze({ ...own, processing });
  return { ...model, hooked: withInfo(model.hooked, info), loras, baseProcessing: own.processing };
}

/** Over everything that decides what a LoRA does. */
function sha256Of({ rsLora, modules }: LoraWeights): string {
  const hash = createHash('sha256').update(JSON.stringify({ rsLora }));
  for (const name of [...modules.keys()].sort()) {
    const { a, b, rank, alpha } = modules.get(name) as NonNullable<ReturnType<typeof modules.get>>;
    hash
      .update(JSON.stringify([name, rank, alpha]))
      .update(a)
      .update(b);
  }
  return hash.digest('hex');
}

function withInfo(model: Gpt2, info: ModelInfo): Gpt2 {
  return new Proxy(model, {
    get: (target, key) => {
      if (key === 'info') return info;
      const value: unknown = Reflect.get(target, key, target);
      return typeof value === 'function' ? (value as () => unknown).bind(target) : value;
    },
  });
}
