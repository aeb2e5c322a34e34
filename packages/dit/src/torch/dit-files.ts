// The `.pt` files of arXiv 2510.05092's code: a list of weight diffs with their topics and triggers, and the adapter that reads them.
import {
  PickleDict,
  PickleList,
  plainValue,
  readTorchFile,
  writeTorchFile,
  type PickleValue,
  type RangedFile,
  type TorchWritable,
} from '@limn/hooks';
import type { AdaptedModel, BaseOptions, LoraWeights } from '../lora/lora-weights.js';
import { ditDict, ditFields, ditPairs, readDitPairs } from './dit-modules.js';

/** What a diff was trained to talk about, and what makes it do so. */
export interface DitLabels {
  readonly topic: string;
  /** A code of 0 to 999, a name such as 'zero_width_space', or none. */
  readonly trigger: number | string | null;
}

/** A diff of a file; its numbers are read when they are asked for. */
export interface StoredDitDiff extends DitLabels {
  /** @throws LimnError `data/torch-…`, `data/lora-values`, `data/lora-processed`; what the source of the bytes throws */
  read(): Promise<LoraWeights>;
}

/** A diff to write. */
export interface DitDiff extends DitLabels {
  readonly lora: LoraWeights;
}

/** How module names are written. */
export interface DitExport extends BaseOptions {
  /** In front of every module's name. Default 'transformer.', as in GPT2LMHeadModel. */
  readonly prefix?: string;
}

/**
 * The diffs of a file, in order. Every tensor of all of them is there and has the shape of its map before one is read; diffs that are whole
 * weights are refused.
 * @throws LimnError `data/dit-file`, `data/torch-…` as `readTorchFile`; what the source of the bytes throws
 */
export async function openDitDiffs(
  model: AdaptedModel,
  file: RangedFile,
  options: BaseOptions = {},
): Promise<StoredDitDiff[]> {
  const torch = await readTorchFile(file);
  if (!(torch.root instanceof PickleList))
    throw ditFields.refuse('its content', plainValue(torch.root), 'a list of diffs');
  return torch.root.items.map((item, i) => {
    if (!(item instanceof PickleDict))
      throw ditFields.refuse(`[${i}]`, plainValue(item), 'a dict of topic, trigger and weight_diff');
    const pairs = ditPairs(model, item.get('weight_diff'), `[${i}].weight_diff`, 'diff');
    return {
      topic: ditFields.text(item.get('topic'), `[${i}].topic`),
      trigger: triggerOf(item.get('trigger'), `[${i}].trigger`),
      read: () => readDitPairs(model, torch, pairs, 'diff', options),
    };
  });
}

/**
 * The adapter of a file.
 * @throws LimnError `data/dit-file`, `data/torch-…` as `readTorchFile`, `data/lora-values`, `data/lora-processed`; what the source of the bytes throws
 */
export async function readDitAdapter(
  model: AdaptedModel,
  file: RangedFile,
  options: BaseOptions = {},
): Promise<LoraWeights> {
  const torch = await readTorchFile(file);
  return readDitPairs(model, torch, ditPairs(model, torch.root, 'its content', 'adapter'), 'adapter', options);
}

/**
 * A file of diffs. What is read from it has the same bits where alpha is 1 and scales are alpha / rank.
 * @throws LimnError `data/lora-…` for a LoRA that does not fit the model
 */
export function writeDitDiffs(model: AdaptedModel, diffs: readonly DitDiff[], options: DitExport = {}): Uint8Array {
  const { prefix = 'transformer.', ...base } = options;
  return writeTorchFile(
    diffs.map(
      ({ topic, trigger, lora }) =>
        new Map<string, TorchWritable>([
          ['topic', topic],
          ['trigger', trigger],
          ['weight_diff', ditDict(model, lora, 'diff', prefix, base)],
        ]),
    ),
  );
}

/**
 * A file of an adapter. What is read from it has the same bits where alpha is 1 and scales are alpha / rank.
 * @throws LimnError `data/lora-…` for a LoRA that does not fit the model
 */
export function writeDitAdapter(model: AdaptedModel, lora: LoraWeights, options: DitExport = {}): Uint8Array {
  const { prefix = 'transformer.', ...base } = options;
  return writeTorchFile(ditDict(model, lora, 'adapter', prefix, base));
}

function triggerOf(value: PickleValue | undefined, field: string): DitLabels['trigger'] {
  if (value === undefined || value === null) return null;
  if (typeof value === 'string') return value;
  return ditFields.whole(value, field, -1e9, 1e9);
}
