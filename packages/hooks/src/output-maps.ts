// The maps that write into the residual stream, W_O and W_out with b_O and b_out, found among a model's linear maps by what they read.
import { LimnError, type Step } from '@limn/gpu';
import { add, fill, permute, toF32, type Tensor } from '@limn/tensor';
import type { HookedModel } from './model.js';
import { blockHook } from './names.js';

/** Σ b_O and, unless `mlpBiases` is false, Σ b_out of the blocks before `layer`, [C]; with `mlpInput`, b_O of block `layer` too. */
export function accumulatedBias(
  step: Step,
  model: HookedModel,
  options: { readonly layer?: number; readonly mlpInput?: boolean; readonly mlpBiases?: boolean } = {},
): Tensor {
  const { layer = model.info.layers, mlpInput = false, mlpBiases = true } = options;
  let total = fill(step, [model.info.width], 0, 'accumulated bias');
  for (let l = 0; l < layer; l++) {
    total = add(step, total, model.attentionBias(l));
    const { bias } = mlpBiases ? outputMap(step, model, l, 'mlp.hook_post') : {};
    if (bias) total = add(step, total, bias);
  }
  return mlpInput && model.info.block === 'sequential' && layer < model.info.layers
    ? add(step, total, model.attentionBias(layer))
    : total;
}

/** The map whose input is a site of one block: W [in, out] and b, from the model's parameters. */
export function outputMap(
  step: Step,
  model: HookedModel,
  layer: number,
  site: 'attn.hook_z' | 'mlp.hook_post',
): { readonly weight: Tensor; readonly bias?: Tensor } {
  const linear = model.linears().find(({ input }) => input === blockHook(layer, site));
  const stored = linear && (model.parameters().get(`${linear.name}.weight`) as Tensor | undefined);
  if (!linear || !stored)
    throw new LimnError(
      'hooks/unknown-site',
      `${model.info.architecture} names no linear map that reads ${blockHook(layer, site)}`,
      {
        details: { layer, site, linears: model.linears().map(({ name }) => name) },
        hint: 'linears() lists a map with this input, and parameters() its weight under `{name}.weight`.',
      },
    );
  const wide = stored.dtype === 'f16' ? toF32(step, stored) : stored;
  const bias = model.parameters().get(`${linear.name}.bias`) as Tensor | undefined;
  return {
    weight: linear.orientation === 'in-out' ? wide : permute(step, wide, [1, 0]),
    ...(bias ? { bias: bias.dtype === 'f16' ? toF32(step, bias) : bias } : {}),
  };
}
