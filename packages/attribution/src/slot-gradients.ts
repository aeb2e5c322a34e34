// ∂L/∂x_v at every destination slot of one or more runs, weighted and summed over repeats of the examples before anything is contracted.
import { blockHook } from '@limn/hooks';
import type { HookedModel, HookName, Run } from '@limn/hooks';
import type { Step } from '@limn/gpu';
import { add, fromData, gradients, reshape, sum, type Tensor } from '@limn/tensor';
import { layersOf } from './node-outputs.js';

/** A run of `weights.length` rows per example, repeat-major: row k·B + b. */
export interface GradientRun {
  readonly run: Run;
  /** Loss per row [weights.length · B]. */
  readonly loss: Tensor;
  /** Weight of each repeat in the sum: 1 / m on an integration path of m points. */
  readonly weights: readonly number[];
}

/** Gradients at neighbouring slots. */
export interface SlotBlock {
  /** Backward index of the first one. */
  readonly first: number;
  /** [slots, B, T, C], summed over repeats and runs. */
  readonly tensor: Tensor;
  /** For heads: slots come in three runs (q, k, v) of `run` columns, `stride` apart. */
  readonly run?: number;
  readonly stride?: number;
}

/** The sites whose gradients are needed, and those that the pull-back through the first LayerNorm reads. */
export function gradientCaptures(model: HookedModel): HookName[] {
  const { info } = model;
  const sites = layersOf(info).flatMap((layer) => [...layerSites(layer), ...model.pullbackCaptures(layer)]);
  return [...new Set([...sites, lastSite(info.layers)])];
}

/**
 * Blocks in backward order, made one at a time so that a caller can contract one before the next exists: per layer the
 * heads (in ranges of at most `headsAtOnce`), the MLP; the logits first. Activation gradients only.
 */
export function* slotGradients(
  step: Step,
  model: HookedModel,
  runs: readonly GradientRun[],
  headsAtOnce: number,
): Generator<SlotBlock> {
  const { layers, heads } = model.info;
  const perLayer = 3 * heads + 1;
  const sets = runs.map((each) => siteGradients(step, layers, each));
  const total = (part: (run: Run, at: (name: HookName) => Tensor, weights: readonly number[]) => Tensor): Tensor =>
    runs
      .map(({ run, weights }, i) => part(run, sets[i]?.at as (name: HookName) => Tensor, weights))
      .reduce((a, b) => add(step, a, b));

  const alone = (name: HookName): Tensor =>
    total((_, at, weights) => overRepeats(step, reshape(at(name), [1, ...at(name).shape]), weights.length));
  yield { first: layers * perLayer, tensor: alone(lastSite(layers)) };
  for (const layer of layersOf(model.info).reverse()) {
    yield { first: layer * perLayer + 3 * heads, tensor: alone(blockHook(layer, 'hook_mlp_in')) };
    for (let start = 0; start < heads; start += headsAtOnce) {
      const count = Math.min(headsAtOnce, heads - start);
      const tensor = total((run, at, weights) => {
        const [q, k, v] = (['attn.hook_q', 'attn.hook_k', 'attn.hook_v'] as const).map((site) =>
          at(blockHook(layer, site)),
        );
        const pulled = model.pullback(step, layer, { q, k, v } as { q: Tensor; k: Tensor; v: Tensor }, run, {
          start,
          count,
        });
        const [, , rows = 0, T = 0, C = 0] = pulled.shape;
        return overRepeats(step, reshape(pulled, [3 * count, rows, T, C]), weights.length);
      });
      yield { first: layer * perLayer + start, tensor, run: count, stride: heads };
    }
  }
}

function layerSites(layer: number): HookName[] {
  return (['attn.hook_q', 'attn.hook_k', 'attn.hook_v', 'hook_mlp_in'] as const).map((site) => blockHook(layer, site));
}

function lastSite(layers: number): HookName {
  return blockHook(layers - 1, 'hook_resid_post');
}

function siteGradients(
  step: Step,
  layers: number,
  { run, loss, weights }: GradientRun,
): { at(name: HookName): Tensor } {
  const names = [...layersOf({ layers }).flatMap(layerSites), lastSite(layers)];
  const B = loss.size / weights.length;
  const seed = weights.every((weight) => weight === 1)
    ? 'ones'
    : fromData(
        step,
        Float32Array.from({ length: loss.size }, (_, row) => weights[Math.floor(row / B)] ?? 0),
        loss.shape,
        { label: 'weights' },
      );
  const found = gradients(
    step,
    loss,
    seed,
    names.map((name) => run.at(name)),
  );
  const byName = new Map(names.map((name, i) => [name, found[i] as Tensor]));
  return { at: (name) => byName.get(name) as Tensor };
}

/** [slots, repeats · B, T, C] → [slots, B, T, C]. */
function overRepeats(step: Step, x: Tensor, repeats: number): Tensor {
  if (repeats === 1) return x;
  const [slots = 0, rows = 0, T = 0, C = 0] = x.shape;
  const B = rows / repeats;
  return reshape(sum(step, reshape(x, [slots, repeats, B * T * C]), { axes: 1 }), [slots, B, T, C]);
}
