// A model's linear maps as W [in, out] and b, however they are stored; of those, the ones that write into the residual stream.
import { LimnError, type Step } from '@limn/gpu';
import { add, fill, permute, Tensor, toF32 } from '@limn/tensor';
import type { HookedModel, LinearSite } from './model.js';
import { blockHook } from './names.js';

/**
 * Σ b_O and, unless `mlpBiases` is false, Σ b_out of the blocks before `layer`, [C]; with `mlpInput`, b_O of block `layer` too.
 * @throws LimnError `hooks/unknown-site` if the model names no map that reads `mlp.hook_post`
 */
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

/** A linear map's weight W [in, out] and bias b [out], in f32. */
export interface LinearMap {
  readonly weight: Tensor;
  readonly bias?: Tensor;
}

/**
 * W [in, out] and b of one of `model.linears()`, from its parameters: turned if it is stored [out, in], widened if it is f16.
 * @throws LimnError `hooks/unknown-site` if `parameters()` has no weight of this name
 */
export function linearMap(step: Step, model: HookedModel, linear: LinearSite): LinearMap {
  const stored = model.parameters().get(`${linear.name}.weight`);
  if (!(stored instanceof Tensor))
    throw new LimnError('hooks/unknown-site', `${model.info.architecture} has no weight ${linear.name}.weight`, {
      details: { linear: linear.name },
      hint: 'parameters() gives the weight of every map that linears() lists, under `{name}.weight`.',
    });
  const bias = model.parameters().get(`${linear.name}.bias`) as Tensor | undefined;
  return {
    weight: linear.orientation === 'in-out' ? wide(step, stored) : permute(step, wide(step, stored), [1, 0]),
    ...(bias ? { bias: wide(step, bias) } : {}),
  };
}

/** The map whose input is a site of one block. */
export function outputMap(
  step: Step,
  model: HookedModel,
  layer: number,
  site: 'attn.hook_z' | 'mlp.hook_post',
): LinearMap {
  const linear = model.linears().find(({ input }) => input === blockHook(layer, site));
  if (linear) return linearMap(step, model, linear);
  throw new LimnError(
    'hooks/unknown-site',
    `${model.info.architecture} names no linear map that reads ${blockHook(layer, site)}`,
    {
      details: { layer, site, linears: model.linears().map(({ name }) => name) },
      hint: 'linears() lists a map with this input.',
    },
  );
}

const wide = (step: Step, x: Tensor): Tensor => (x.dtype === 'f16' ? toF32(step, x) : x);
