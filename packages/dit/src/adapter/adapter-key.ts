// What a trained adapter is found by: a digest of everything that decides its numbers but the machine.
import type { HookedModel } from '@limn/hooks';
import { valueDigest } from '../diffs/diff-key.js';
import { loraDigest } from '../lora/lora-digest.js';
import type { LoraWeights } from '../lora/lora-weights.js';
import type { DitSettings } from './adapter-options.js';
import type { DitData } from './dit-example.js';

/** Of results that other versions of the training would have made differently. */
const FORMAT = 'limn-dit-adapter/1';

/** sha256 over base weights, settings, the numbers of the diffs, and examples of both lists. */
export async function adapterKey(
  { fingerprint, processing }: HookedModel['info'],
  { diffs, examples, validation = [] }: DitData<LoraWeights>,
  settings: DitSettings,
): Promise<string> {
  const digests: string[] = [];
  for (const lora of diffs) digests.push(await loraDigest(lora));
  return valueDigest({
    format: FORMAT,
    base: { fingerprint, processing },
    settings,
    diffs: digests,
    examples,
    validation,
  });
}
