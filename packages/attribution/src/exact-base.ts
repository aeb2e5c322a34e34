// What exact patching starts from: the clean run of a batch, its losses, the streams that slots read, what heads wrote, and Δ of every source.
import { blockHook } from '@limn/hooks';
import type { HookedModel, HookName, Run } from '@limn/hooks';
import type { Step } from '@limn/gpu';
import { concat, fromData, gatherRows, readFloats, reshape, slice, type Tensor } from '@limn/tensor';
import { expectLengths } from './ablation.js';
import type { Ablation } from './ablation.js';
import { holding } from './held-tensors.js';
import { metricLoss } from './metric-loss.js';
import type { Metric } from './metrics.js';
import { headResults, layersOf, nodeDeltas, outputCaptures } from './node-outputs.js';
import type { OutputWeights, SourceBlock } from './node-outputs.js';
import { pairTokens } from './pair-tokens.js';
import type { Pair } from './pairs.js';

/** The clean run of a batch, and Δ of every source: kept on the GPU while its edges are patched. */
export class CleanBase {
  private constructor(
    readonly lengths: readonly number[],
    readonly T: number,
    /** Clean losses per metric, [B]. */
    readonly losses: readonly Float32Array[],
    /** Clean logits [B, V], for metrics that compare with them. */
    readonly logits: Tensor,
    /** [B, T, C] by site: what slots read, and what their nodes write. */
    readonly sites: ReadonlyMap<HookName, Tensor>,
    /** Per layer [H, B, T, C]. */
    readonly results: readonly Tensor[],
    readonly deltas: readonly SourceBlock[],
    readonly dispose: () => void,
  ) {}

  static async of(
    model: HookedModel,
    weights: OutputWeights,
    pairs: readonly Pair[],
    metrics: readonly Metric[],
    { ablation, signal }: { readonly ablation: Ablation; readonly signal: AbortSignal | undefined },
  ): Promise<CleanBase> {
    const step = model.gpu.step({ label: 'exact: clean run', ...(signal ? { signal } : {}) });
    return holding(step, async (hold, release) => {
      const names = streamSites(model);
      const runOf = (which: 'clean' | 'corrupted'): Run =>
        model.run(
          step,
          {
            tokens: pairTokens(pairs, which, model.info),
          },
          { capture: [...new Set([...outputCaptures(model), ...names])], logits: which === 'clean' ? 'last' : 'none' },
        );
      const clean = runOf('clean');
      expectLengths(ablation, clean.lengths);
      const runs = ablation === 'patch' ? { clean, corrupted: runOf('corrupted') } : { clean };
      const deltas = nodeDeltas(step, model, weights, runs, ablation).map(({ first, tensor }) => ({
        first,
        tensor: hold(tensor),
      }));
      const logits = hold(clean.logits);
      const sites = new Map(names.map((name) => [name, hold(clean.at(name))]));
      const results = layersOf(model.info).map((layer) =>
        hold(headResults(step, weights, layer, clean.at(blockHook(layer, 'attn.hook_z')))),
      );
      const losses = metrics.map((metric) => readFloats(step, metricLoss(step, metric, logits, pairs, logits)));
      return new CleanBase(clean.lengths, clean.T, await Promise.all(losses), logits, sites, results, deltas, release);
    });
  }

  at(name: HookName): Tensor {
    return this.sites.get(name) as Tensor;
  }

  /** Δ of some sources, ascending, [S, B, T, C]. */
  deltaOf(step: Step, sources: readonly number[]): Tensor {
    const parts = this.deltas.flatMap(({ first, tensor }) => {
      const size = tensor.shape[0] ?? 0;
      const inside = sources.map((u) => u - first).filter((entry) => entry >= 0 && entry < size);
      return inside.length > 0 ? [entriesOf(step, tensor, inside)] : [];
    });
    return joined(step, parts);
  }

  /** What some heads of a layer wrote, [heads, B, T, C]. */
  resultsOf(step: Step, layer: number, heads: readonly number[]): Tensor {
    return entriesOf(step, this.results[layer] as Tensor, heads);
  }
}

/** Streams that slots read and that patched runs start from. */
function streamSites({ info }: HookedModel): HookName[] {
  const perLayer = layersOf(info).flatMap((layer) => [
    blockHook(layer, 'hook_resid_pre'),
    ...(info.block === 'sequential' ? [blockHook(layer, 'hook_resid_mid')] : []),
    blockHook(layer, 'hook_mlp_out'),
    blockHook(layer, 'hook_resid_post'),
  ]);
  return [...new Set(perLayer)];
}

/** Parts along the first axis as one; a single one as it is. */
export function joined(step: Step, parts: readonly Tensor[]): Tensor {
  return parts.length === 1 ? (parts[0] as Tensor) : concat(step, parts, 0);
}

/** Entries of the first axis, ascending; nothing is copied where they are all there are. */
export function entriesOf(step: Step, x: Tensor, entries: readonly number[]): Tensor {
  const [size = 0, ...shape] = x.shape;
  const count = entries.length;
  if (count === size) return x;
  const [first = 0, last = 0] = [entries[0], entries[count - 1]];
  if (last - first === count - 1) return slice(step, x, 0, first, count);
  const rows = reshape(x, [size, x.size / size]);
  return reshape(gatherRows(step, rows, fromData(step, Uint32Array.from(entries), [count])), [count, ...shape]);
}
