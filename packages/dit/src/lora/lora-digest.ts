// What a LoRA is known again by, wherever its file lies and whatever it is called.
import { sha256 } from '@limn/gpu';
import { valueDigest } from '../diffs/diff-key.js';
import type { LoraWeights } from './lora-weights.js';

/** sha256 over a LoRA's numbers, ranks and scales, in no order of maps: the same for a diff of a pack and for its copy in PEFT's files. */
export async function loraDigest({ modules, rsLora }: LoraWeights): Promise<string> {
  const digests: [string, unknown][] = [];
  for (const [name, { a, b, rank, alpha }] of modules)
    digests.push([name, { rank, alpha, a: await sha256(a), b: await sha256(b) }]);
  return valueDigest({ rsLora, modules: Object.fromEntries(digests) });
}
