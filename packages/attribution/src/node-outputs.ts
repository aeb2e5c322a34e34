// What every source node wrote in a run, one block per layer: heads' results z_h·W_O[h] and the MLP's output; and Δ = corrupted − clean.
import type { HookedModel, HookName, Run } from '@limn/hooks';
import { blockHook } from '@limn/hooks';
import type { Step } from '@limn/gpu';
import {
  concat,
  detach,
  fill,
  keep,
  matmul,
  permute,
  reshape,
  scale,
  slice,
  stack,
  sub,
  type Tensor,
} from '@limn/tensor';
import type { Ablation } from './ablation.js';

/** Outputs of neighbouring sources. */
export interface SourceBlock {
  /** Forward index of the first one. */
  readonly first: number;
  /** [sources, B, T, C]. */
  readonly tensor: Tensor;
}

/** Sources that write to the stream at one place: the input, the heads of a layer together, or its MLP. */
export type Sublayer =
  | { readonly kind: 'input' }
  | { readonly kind: 'heads'; readonly layer: number }
  | { readonly kind: 'mlp'; readonly layer: number };

/** Neighbouring sources by forward index. */
export interface SourceRange {
  readonly first: number;
  readonly count: number;
}

/** All sublayers in the order of their sources: 2L + 1. */
export function sublayersOf(info: { readonly layers: number }): Sublayer[] {
  return [
    { kind: 'input' },
    ...layersOf(info).flatMap((layer): Sublayer[] => [
      { kind: 'heads', layer },
      { kind: 'mlp', layer },
    ]),
  ];
}

/** The sources of a sublayer. */
export function sourcesOfSublayer(sublayer: Sublayer, { heads }: { readonly heads: number }): SourceRange {
  if (sublayer.kind === 'input') return { first: 0, count: 1 };
  const first = 1 + sublayer.layer * (heads + 1);
  return sublayer.kind === 'heads' ? { first, count: heads } : { first: first + heads, count: 1 };
}

/** The part of the blocks that holds the sources of a range, of which those below `before`, in their order; nothing is copied that can be used whole. */
export function* partsOf(
  step: Step,
  blocks: readonly SourceBlock[],
  { first, count }: SourceRange,
  before = Number.POSITIVE_INFINITY,
): Generator<{ readonly first: number; readonly count: number; readonly tensor: Tensor }> {
  const end = Math.min(first + count, before);
  for (const block of blocks) {
    const size = block.tensor.shape[0] ?? 0;
    const from = Math.max(first, block.first);
    const wanted = Math.min(end, block.first + size) - from;
    if (wanted <= 0) continue;
    const tensor = from === block.first ? block.tensor : slice(step, block.tensor, 0, from - block.first, wanted);
    yield { first: from, count: wanted, tensor };
  }
}

/** The sites that {@link nodeOutputs} reads: per head only z [B, T, H, K], never a residual per head. */
export function outputCaptures({ info }: Pick<HookedModel, 'info'>): HookName[] {
  return [
    'hook_embed',
    ...layersOf(info).flatMap((layer) => [blockHook(layer, 'attn.hook_z'), blockHook(layer, 'hook_mlp_out')]),
  ];
}

/** What the nodes of a layer write. */
const RESULTS = ['attn.hook_result', 'hook_mlp_out'] as const;

/** The sites that {@link resultOutputs} reads: heads' results as they are in the run, [B, T, H, C]. */
export function resultCaptures({ info }: Pick<HookedModel, 'info'>): HookName[] {
  return ['hook_embed', ...layersOf(info).flatMap((layer) => RESULTS.map((site) => blockHook(layer, site)))];
}

/** Every source's output as {@link nodeOutputs} has them, of a run whose edits may have changed W_O: each result as the run made it. */
export function resultOutputs(
  step: Step,
  { info }: Pick<HookedModel, 'info'>,
  at: (name: HookName) => Tensor,
): SourceBlock[] {
  const alone = (name: HookName): Tensor => reshape(detach(at(name)), [1, ...at(name).shape]);
  return [
    { first: 0, tensor: alone('hook_embed') },
    ...layersOf(info).map((layer) => {
      const [results, mlp] = RESULTS.map((site) => blockHook(layer, site)) as [HookName, HookName];
      const heads = permute(step, detach(at(results)), [2, 0, 1, 3]);
      return { first: 1 + layer * (info.heads + 1), tensor: concat(step, [heads, alone(mlp)], 0) };
    }),
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

/**
 * Δ_u = what the ablation puts in z_u's place − z_u of every source: z'_u − z_u under 'patch', −z_u under 'zero', mean_u − z_u
 * under a mean. The difference is taken before W_O, where a head is K wide and not C. `corrupted` is read under 'patch' only.
 */
export function nodeDeltas(
  step: Step,
  model: HookedModel,
  weights: OutputWeights,
  runs: { readonly clean: Run; readonly corrupted?: Run },
  ablation: Ablation = 'patch',
): SourceBlock[] {
  return blocks(step, model, weights, (name) => {
    const clean = detach(runs.clean.at(name));
    if (ablation === 'zero') return scale(step, clean, -1);
    return sub(step, ablatedOutput(step, ablation, name, clean.shape, runs.corrupted), clean);
  });
}

/** What the ablation, which is not 'zero', has at a site of node outputs. */
function ablatedOutput(
  step: Step,
  ablation: Exclude<Ablation, 'zero'>,
  name: HookName,
  shape: readonly number[],
  corrupted: Run | undefined,
): Tensor {
  return ablation === 'patch' ? detach((corrupted as Run).at(name)) : ablation.at(step, name, shape);
}

/** What every source writes when all are ablated by constants, zero or their means, for a batch [B, T]: in blocks as {@link nodeOutputs}. */
export function constantNodeOutputs(
  step: Step,
  model: HookedModel,
  weights: OutputWeights,
  ablation: Exclude<Ablation, 'patch'>,
  [B, T]: readonly [number, number],
): SourceBlock[] {
  const { layers, heads, headWidth, width } = model.info;
  if (ablation !== 'zero')
    return blocks(step, model, weights, (name) =>
      ablation.at(step, name, name.endsWith('hook_z') ? [B, T, heads, headWidth] : [B, T, width]),
    );
  const zeros = (first: number, sources: number): SourceBlock => ({
    first,
    tensor: fill(step, [sources, B, T, width], 0, 'zero'),
  });
  return [zeros(0, 1), ...layersOf({ layers }).map((layer) => zeros(1 + layer * (heads + 1), heads + 1))];
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
