// Where a LoRA of attention acts when heads are told apart: at q, k and v on each head's own input, and at attn.hook_result on each head's part of the output.
import type { Step } from '@limn/gpu';
import { fromData, type Tensor } from '@limn/tensor';
import type { LinearSite } from './model.js';
import { blockHook, tryParseHookName, type HookName } from './names.js';

/** Whether a site is a slot's projection, whose input is [B, T, H, C] where the slot has one of its own. */
export function isSlot(at: HookName): boolean {
  const site = tryParseHookName(at)?.site;
  return site === 'attn.hook_q' || site === 'attn.hook_k' || site === 'attn.hook_v';
}

/** The site of heads' results, if this is the map from z to the attention's output. */
export function resultSite({ layer, input, outputs }: LinearSite): HookName | undefined {
  const isOutput = outputs.length === 1 && outputs[0] === blockHook(layer, 'hook_attn_out');
  return isOutput && input === blockHook(layer, 'attn.hook_z') ? blockHook(layer, 'attn.hook_result') : undefined;
}

/** [H, H·K]: 1 where a column of all heads side by side is that of the head. */
export function ownColumns(step: Step, heads: number, width: number): Tensor {
  const values = Float32Array.from({ length: heads * width }, (_, i) =>
    Math.floor((i % width) / (width / heads)) === Math.floor(i / width) ? 1 : 0,
  );
  return fromData(step, values, [heads, width], { label: "heads' own columns" });
}
