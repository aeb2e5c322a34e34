// What every source node wrote in a run, one block per layer: heads' results z_h·W_O[h] and the MLP's output; and Δ = corrupted − clean.
import type { HookedModel, HookName, Run } from '@limn/hooks';
import { blockHook } from '@limn/hooks';
import type { Step } from '@limn/gpu';
import { concat, detach, keep, matmul, permute, reshape, stack, sub, type Tensor } from '@limn/tensor';

/** Outputs of neighbouring sources. */
export interface SourceBlock {
  /** Forward index of the first one. */
  readonly first: number;
  /** [sources, B, T, C]. */
  readonly tensor: Tensor;
}

/** The sites that {@link nodeOutputs} reads: per head only z [B, T, H, K], never a residual per head. */
export function outputCaptures({ info }: Pick<HookedModel, 'info'>): HookName[] {
  return [
    'hook_embed',
    ...layersOf(info).flatMap((layer) => [blockHook(layer, 'attn.hook_z'), blockHook(layer, 'hook_mlp_out')]),
  ];
}

/** W_O of every layer as [H, K, C]: what turns z into per-head results. */
export class OutputWeights {
  readonly layers: readonly Tensor[];

  private constructor(layers: readonly Tensor[]) {
    this.layers = layers;
  }

  /** Copies that live until they are disposed. */
  static async of(model: HookedModel): Promise<OutputWeights> {
    const step = model.gpu.step({ label: 'attribution: output weights' });
    try {
      const weights = OutputWeights.within(step, model).keep(step);
      await step.submit();
      return weights;
    } finally {
      step.dispose();
    }
  }

  /** Copies that are values of this step, and part of its plan. */
  static within(step: Step, model: HookedModel): OutputWeights {
    const heads = Array.from({ length: model.info.heads }, (_, head) => head);
    return new OutputWeights(
      layersOf(model.info).map((layer) =>
        detach(
          stack(
            step,
            heads.map((head) => model.headWeights(step, layer, head).wO),
          ),
        ),
      ),
    );
  }

  /** Lets the copies of a step outlive it until they are disposed: this allocates them. */
  keep(step: Step): OutputWeights {
    return new OutputWeights(this.layers.map((layer) => keep(step, layer)));
  }

  /** Frees the copies. */
  dispose(): void {
    for (const tensor of this.layers) tensor.dispose();
  }
}

/** z [B, T, H, K] of one layer → per-head results [H, B, T, C], without b_O. */
export function headResults(step: Step, weights: OutputWeights, layer: number, z: Tensor): Tensor {
  const [B = 0, T = 0, H = 0, K = 0] = z.shape;
  const wO = weights.layers[layer] as Tensor;
  const byHead = reshape(permute(step, detach(z), [2, 0, 1, 3]), [H, B * T, K]);
  return reshape(matmul(step, byHead, wO), [H, B, T, wO.shape[2] ?? 0]);
}

/** Every source's output, in blocks: `input`, then one block of H + 1 per layer. Results are made layer by layer. */
export function nodeOutputs(step: Step, model: HookedModel, weights: OutputWeights, run: Run): SourceBlock[] {
  return blocks(step, model, weights, (name) => detach(run.at(name)));
}

/** Δ_u = corrupted − clean of every source. The difference is taken before W_O, where a head is K wide and not C. */
export function nodeDeltas(
  step: Step,
  model: HookedModel,
  weights: OutputWeights,
  runs: { readonly clean: Run; readonly corrupted: Run },
): SourceBlock[] {
  return blocks(step, model, weights, (name) =>
    sub(step, detach(runs.corrupted.at(name)), detach(runs.clean.at(name))),
  );
}

function blocks(step: Step, model: HookedModel, weights: OutputWeights, at: (name: HookName) => Tensor): SourceBlock[] {
  const alone = (x: Tensor): Tensor => reshape(x, [1, ...x.shape]);
  const { heads } = model.info;
  return [
    { first: 0, tensor: alone(at('hook_embed')) },
    ...layersOf(model.info).map((layer) => {
      const results = headResults(step, weights, layer, at(blockHook(layer, 'attn.hook_z')));
      const mlp = alone(at(blockHook(layer, 'hook_mlp_out')));
      return { first: 1 + layer * (heads + 1), tensor: concat(step, [results, mlp], 0) };
    }),
  ];
}

export function layersOf({ layers }: { readonly layers: number }): number[] {
  return Array.from({ length: layers }, (_, layer) => layer);
}
