// A recorded run that a scorer differentiates: where it starts, the loss of its rows, and their weights in the sum over an integration path.
import { blockHook } from '@limn/hooks';
import type { HookName, Run } from '@limn/hooks';
import type { Step } from '@limn/gpu';
import { fromData, gradients, reshape, sum, type Tensor } from '@limn/tensor';

/** The residual stream that a run starts from; a run without one starts at the embeddings. `layer` = layers: at the logits. */
export interface RunStart {
  readonly layer: number;
  readonly at: 'pre' | 'mid';
}

/** A run of `weights.length` rows per example, repeat-major: row k·B + b. */
export interface GradientRun {
  readonly run: Run;
  /** Loss per row [weights.length · B]. */
  readonly loss: Tensor;
  /** Weight of each repeat in the sum: 1 / m on an integration path of m points. */
  readonly weights: readonly number[];
  readonly from?: RunStart | undefined;
  /** A node's output was put in the place of its own, so that the loss may not depend on some sites: their gradient is 0. */
  readonly severed?: boolean | undefined;
}

/** Does a run from there compute the heads of `layer`? */
export function reachesHeads(layer: number, from: RunStart | undefined): boolean {
  return from === undefined || layer > from.layer || (layer === from.layer && from.at === 'pre');
}

/** Does a run from there compute the MLP of `layer`? */
export function reachesMlp(layer: number, from: RunStart | undefined): boolean {
  return from === undefined || layer >= from.layer;
}

/** The site of the stream behind a layer, by the name that a run from there has for it. */
export function streamAfter(layer: number, layers: number): HookName {
  return layer === layers - 1 ? blockHook(layer, 'hook_resid_post') : blockHook(layer + 1, 'hook_resid_pre');
}

/** A run that starts behind the last layer, where nothing is left but the logits [rows, V] of `resid` [rows, T, C]. */
export function logitsRun(resid: Tensor, lengths: readonly number[], logits: Tensor): Run {
  const [B = 0, T = 0] = resid.shape;
  return { B, T, lengths, logits, resid, at: () => resid, fired: 0, skipped: [] };
}

/** ∂(Σ rows weight · loss) / ∂site for every named site of a run. */
export function siteGradients(
  step: Step,
  { run, loss, weights, severed = false }: GradientRun,
  names: readonly HookName[],
): ReadonlyMap<HookName, Tensor> {
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
    severed ? { missing: 'zeros' } : {},
  );
  return new Map(names.map((name, i) => [name, found[i] as Tensor]));
}

/** [slots, repeats · B, T, C] → [slots, B, T, C]. */
export function overRepeats(step: Step, x: Tensor, repeats: number): Tensor {
  if (repeats === 1) return x;
  const [slots = 0, rows = 0, T = 0, C = 0] = x.shape;
  const B = rows / repeats;
  return reshape(sum(step, reshape(x, [slots, repeats, B * T * C]), { axes: 1 }), [slots, B, T, C]);
}
