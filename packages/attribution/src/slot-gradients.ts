// ∂L/∂x_v at every destination slot of one or more runs, weighted and summed over repeats of the examples before anything is contracted.
import { blockHook } from '@limn/hooks';
import type { HookedModel, HookName } from '@limn/hooks';
import type { Step } from '@limn/gpu';
import { add, permute, reshape, slice, type Tensor } from '@limn/tensor';
import type { GradientRun } from './gradient-run.js';
import { overRepeats, reachesHeads, reachesMlp, siteGradients, streamAfter } from './gradient-run.js';
import type { RunStart } from './gradient-run.js';
import { HEAD_INPUTS, type Slot } from './graph.js';
import { layersOf } from './node-outputs.js';

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
export function slotCaptures(model: HookedModel, from?: RunStart): HookName[] {
  const { info } = model;
  const pullback = layersOf(info)
    .filter((layer) => reachesHeads(layer, from))
    .flatMap((layer) => model.pullbackCaptures(layer));
  return [...new Set([...slotSites(info.layers, from), ...pullback])];
}

/**
 * Blocks in backward order, made one at a time so that a caller can contract one before the next exists: per layer the
 * heads (in ranges of at most `headsAtOnce`), the MLP; the logits first. Only slots that the runs reach, which all start at one
 * place. Activation gradients only.
 */
export function* slotGradients(
  step: Step,
  model: HookedModel,
  runs: readonly GradientRun[],
  headsAtOnce: number,
): Generator<SlotBlock> {
  const { layers, heads } = model.info;
  const from = runs[0]?.from;
  const perLayer = 3 * heads + 1;
  const sets = runs.map((each) => siteGradients(step, each, slotSites(layers, from)));
  const total = (part: (run: GradientRun, at: (name: HookName) => Tensor) => Tensor): Tensor =>
    runs.map((run, i) => part(run, (name) => sets[i]?.get(name) as Tensor)).reduce((a, b) => add(step, a, b));

  const alone = (name: HookName): Tensor =>
    total(({ weights }, at) => overRepeats(step, reshape(at(name), [1, ...at(name).shape]), weights.length));
  yield { first: layers * perLayer, tensor: alone(streamAfter(layers - 1, layers)) };
  for (const layer of layersOf(model.info).reverse()) {
    if (reachesMlp(layer, from))
      yield { first: layer * perLayer + 3 * heads, tensor: alone(blockHook(layer, 'hook_mlp_in')) };
    if (!reachesHeads(layer, from)) continue;
    for (let start = 0; start < heads; start += headsAtOnce) {
      const count = Math.min(headsAtOnce, heads - start);
      const tensor = total(({ run, weights }, at) => {
        const [q, k, v] = headSites(layer).map(at) as [Tensor, Tensor, Tensor];
        const pulled = model.pullback(step, layer, { q, k, v }, run, {
          heads: { start, count },
          repeats: weights.length,
        });
        const [, , B = 0, T = 0, C = 0] = pulled.shape;
        return reshape(pulled, [3 * count, B, T, C]);
      });
      yield { first: layer * perLayer + start, tensor, run: count, stride: heads };
    }
  }
}

/** Where each slot reads the stream by itself, [B, T, H, C] of heads: what {@link ownSlotGradients} needs. */
export function ownSlotCaptures({ info: { layers } }: HookedModel): HookName[] {
  return [
    ...layersOf({ layers }).flatMap((layer) => [...headInputs(layer), blockHook(layer, 'hook_mlp_in')]),
    streamAfter(layers - 1, layers),
  ];
}

/**
 * As {@link slotGradients}, of runs from the embeddings whose edits may have changed W_Q, W_K and W_V: at each slot's own input, and not pulled back through the model's weights. Takes 3·H times the
 * memory of a residual stream for each layer.
 */
export function* ownSlotGradients(step: Step, model: HookedModel, runs: readonly GradientRun[]): Generator<SlotBlock> {
  const { layers, heads } = model.info;
  const perLayer = 3 * heads + 1;
  const sets = runs.map((each) => siteGradients(step, each, ownSlotCaptures(model)));
  const total = (name: HookName, slots: (gradient: Tensor) => Tensor): Tensor =>
    runs
      .map(({ weights }, i) => overRepeats(step, slots(sets[i]?.get(name) as Tensor), weights.length))
      .reduce((a, b) => add(step, a, b));
  const alone = (x: Tensor): Tensor => reshape(x, [1, ...x.shape]);
  yield { first: layers * perLayer, tensor: total(streamAfter(layers - 1, layers), alone) };
  for (const layer of layersOf(model.info).reverse()) {
    yield { first: layer * perLayer + 3 * heads, tensor: total(blockHook(layer, 'hook_mlp_in'), alone) };
    for (const [input, name] of headInputs(layer).entries())
      yield {
        first: layer * perLayer + input * heads,
        tensor: total(name, (x) => permute(step, x, [2, 0, 1, 3])),
      };
  }
}

const headInputs = (layer: number): HookName[] => HEAD_INPUTS.map((input) => blockHook(layer, `hook_${input}_input`));

/** The sites that the gradient at one slot needs in runs that start there; none where they do not reach it. */
export function slotCapturesAt(model: HookedModel, slot: Slot, from?: RunStart): HookName[] {
  if (!reachesSlot(slot, from)) return [];
  return [...sitesOf(slot, model), ...(slot.kind === 'head' ? model.pullbackCaptures(slot.layer) : [])];
}

/** ∂L/∂x_v at one slot, [B, T, C], summed over repeats and runs; undefined where the runs, which all start at one place, do not reach it. */
export function slotGradientAt(
  step: Step,
  model: HookedModel,
  runs: readonly GradientRun[],
  slot: Slot,
): Tensor | undefined {
  if (!reachesSlot(slot, runs[0]?.from)) return undefined;
  return runs
    .map((each): Tensor => {
      const gradients = siteGradients(step, each, sitesOf(slot, model));
      const [first, k, v] = [...gradients.values()] as [Tensor, Tensor, Tensor];
      const repeats = each.weights.length;
      if (slot.kind !== 'head') {
        const summed = overRepeats(step, reshape(first, [1, ...first.shape]), repeats);
        return reshape(summed, summed.shape.slice(1));
      }
      const heads = { start: slot.head, count: 1 };
      const pulled = model.pullback(step, slot.layer, { q: first, k, v }, each.run, { heads, repeats });
      return reshape(slice(step, pulled, 0, HEAD_INPUTS.indexOf(slot.input), 1), pulled.shape.slice(2));
    })
    .reduce((a, b) => add(step, a, b));
}

function reachesSlot(slot: Slot, from: RunStart | undefined): boolean {
  if (slot.kind === 'logits') return true;
  return slot.kind === 'mlp' ? reachesMlp(slot.layer, from) : reachesHeads(slot.layer, from);
}

function sitesOf(slot: Slot, { info: { layers } }: HookedModel): HookName[] {
  if (slot.kind === 'logits') return [streamAfter(layers - 1, layers)];
  return slot.kind === 'mlp' ? [blockHook(slot.layer, 'hook_mlp_in')] : headSites(slot.layer);
}

function headSites(layer: number): HookName[] {
  return (['attn.hook_q', 'attn.hook_k', 'attn.hook_v'] as const).map((site) => blockHook(layer, site));
}

function slotSites(layers: number, from: RunStart | undefined): HookName[] {
  return [
    ...layersOf({ layers }).flatMap((layer) => [
      ...(reachesHeads(layer, from) ? headSites(layer) : []),
      ...(reachesMlp(layer, from) ? [blockHook(layer, 'hook_mlp_in')] : []),
    ]),
    streamAfter(layers - 1, layers),
  ];
}
