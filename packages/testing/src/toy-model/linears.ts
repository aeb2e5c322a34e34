// The toy's linear maps, as adapters see them.
import type { BlockSite, LinearSite } from '@limn/hooks';
import { letters } from './weights.js';

/** q, k, v, o, in and out of one block; names as in `toyWeights`. */
export function toyLinears(layer: number, width: number, mlpWidth: number): LinearSite[] {
  const map = (name: string, input: BlockSite, output: BlockSite, inWidth = width, outWidth = width): LinearSite => ({
    name: `${layer}.${name}`,
    layer,
    input: `blocks.${layer}.${input}`,
    outputs: [`blocks.${layer}.${output}`],
    inWidth,
    outWidth,
    orientation: 'out-in',
  });
  return [
    ...letters.map((letter) => map(letter, 'ln1.hook_normalized', `attn.hook_${letter}`)),
    map('o', 'attn.hook_z', 'hook_attn_out'),
    map('in', 'ln2.hook_normalized', 'mlp.hook_pre', width, mlpWidth),
    map('out', 'mlp.hook_post', 'hook_mlp_out', mlpWidth, width),
  ];
}
