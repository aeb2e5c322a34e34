// The values of targets in a run of several rows of one prompt, as the model computes them there.
import { LimnError, type Step } from '@limn/gpu';
import { blockHook, type HookName, type Run } from '@limn/hooks';
import {
  add,
  fromData,
  gatherLogits,
  gatherRows,
  mean,
  mul,
  readFloats,
  reshape,
  slice,
  sum,
  type Tensor,
} from '@limn/tensor';
import type { FeatureEncoder } from '../encoder.js';
import type { FrozenFeatures, FrozenLayer, FrozenPrompt } from './frozen-prompt.js';
import {
  placeOf,
  type DirectionTarget,
  type FeatureTarget,
  type GraphTarget,
  type LogitTarget,
} from './graph-target.js';

/** What a run must be asked for so that the values of targets can be told. */
export interface TargetRequest {
  readonly capture: readonly HookName[];
  /** Positions whose logits are needed. */
  readonly positions: readonly number[];
}

/**
 * What the values of targets take.
 * @throws LimnError `usage/graph-target` for a target inside attention, whose value no site of a run is
 */
export function targetRequest(prompt: FrozenPrompt, targets: readonly GraphTarget[]): TargetRequest {
  const capture = new Set<HookName>();
  const positions = new Set<number>();
  for (const target of targets)
    switch (target.kind) {
      case 'feature':
        capture.add(encoderOf(prompt, target.layer).reads);
        break;
      case 'logits':
        positions.add(target.position);
        break;
      case 'direction': {
        const { layer, at } = placeOf(target, prompt);
        capture.add(blockHook(layer, `hook_resid_${at}`));
        break;
      }
      case 'slot':
        throw new LimnError(
          'usage/graph-target',
          'Effects are measured on features, logits and directions, not inside attention.',
          {
            details: { slot: target.slot, layer: target.layer, head: target.head },
          },
        );
    }
  return { capture: [...capture], positions: [...positions].sort((a, b) => a - b) };
}

/** Values [B, targets] of a run of B rows of the prompt, row-major, that was asked for `request`. */
export async function targetValues(
  step: Step,
  prompt: FrozenPrompt,
  run: Run,
  request: TargetRequest,
  targets: readonly GraphTarget[],
): Promise<Float64Array> {
  const values = new Float64Array(run.B * targets.length);
  const put = (found: ArrayLike<number>, places: readonly number[]): void => {
    for (let b = 0; b < run.B; b++)
      for (const [i, place] of places.entries())
        values[b * targets.length + place] = found[b * places.length + i] as number;
  };
  const of = (test: (target: GraphTarget) => boolean): number[] =>
    [...targets.keys()].filter((i) => test(targets[i] as GraphTarget));
  const reading: Promise<void>[] = [];
  for (const layer of prompt.layers.keys()) {
    const places = of((target) => target.kind === 'feature' && target.layer === layer);
    if (places.length === 0) continue;
    const list = places.map((i) => targets[i] as FeatureTarget);
    reading.push(
      readFloats(step, preActivationsOf(step, encoderOf(prompt, layer), run, list)).then((found) => put(found, places)),
    );
  }
  for (const site of new Set(
    targets.map((target) => (target.kind === 'direction' ? siteOf(prompt, target) : undefined)),
  )) {
    if (site === undefined) continue;
    const places = of((target) => target.kind === 'direction' && siteOf(prompt, target) === site);
    const list = places.map((i) => targets[i] as DirectionTarget);
    const rows = fromData(step, Float32Array.from(list.flatMap(({ vector }) => [...vector])), [
      list.length,
      prompt.model.info.width,
    ]);
    reading.push(readFloats(step, productsAt(step, run.at(site), rows, list)).then((found) => put(found, places)));
  }
  for (const [p, position] of request.positions.entries()) {
    const places = of((target) => target.kind === 'logits' && target.position === position);
    const list = places.map((i) => targets[i] as LogitTarget);
    reading.push(logitsOf(step, run, p, request.positions.length, list).then((found) => put(found, places)));
  }
  await Promise.all(reading);
  return values;
}

const encoderOf = ({ layers }: FrozenPrompt, layer: number): FeatureEncoder =>
  ((layers[layer] as FrozenLayer).features as FrozenFeatures).encoder;

const siteOf = (prompt: FrozenPrompt, target: DirectionTarget): HookName => {
  const { layer, at } = placeOf(target, prompt);
  return blockHook(layer, `hook_resid_${at}`);
};

/** Products of x [B, T, n] at the targets' positions with a row [n] each, [B, targets]. */
function productsAt(step: Step, x: Tensor, rows: Tensor, targets: readonly GraphTarget[]): Tensor {
  const [B = 0, T = 0, n = 0] = x.shape;
  const places = Uint32Array.from({ length: B * targets.length }, (_, i) => {
    const { position } = targets[i % targets.length] as GraphTarget;
    return Math.floor(i / targets.length) * T + position;
  });
  const there = gatherRows(step, reshape(x, [B * T, n]), fromData(step, places, [places.length]));
  return sum(step, mul(step, reshape(there, [B, targets.length, n]), rows), { axes: 2 });
}

/** h of features of one layer, [B, targets]. */
function preActivationsOf(step: Step, encoder: FeatureEncoder, run: Run, targets: readonly FeatureTarget[]): Tensor {
  const ids = fromData(
    step,
    Uint32Array.from(targets, ({ feature }) => feature),
    [targets.length],
  );
  const bEnc = encoder.tensor('bEnc');
  const own = reshape(gatherRows(step, reshape(bEnc, [bEnc.size, 1]), ids), [targets.length]);
  const rows = gatherRows(step, encoder.tensor('wEnc'), ids);
  return add(step, productsAt(step, run.at(encoder.reads), rows, targets), own);
}

/** Σ ±(logit − mean logit) at the p-th of P positions whose logits the run has, [B, targets]. */
async function logitsOf(
  step: Step,
  run: Run,
  p: number,
  P: number,
  targets: readonly LogitTarget[],
): Promise<Float64Array> {
  const { B } = run;
  const V = run.logits.shape[1] as number;
  const logits = P === 1 ? run.logits : reshape(slice(step, reshape(run.logits, [B, P, V]), 1, p, 1), [B, V]);
  const ids = [...new Set(targets.flatMap(({ up, down }) => [...up, ...down]))];
  const all = fromData(
    step,
    Uint32Array.from({ length: B * ids.length }, (_, i) => ids[i % ids.length] as number),
    [B, ids.length],
  );
  const [chosen, means] = await Promise.all([
    readFloats(step, gatherLogits(step, logits, all)),
    readFloats(step, mean(step, logits, { axes: 1 })),
  ]);
  return Float64Array.from({ length: B * targets.length }, (_, i) => {
    const b = Math.floor(i / targets.length);
    const { up, down, demeaned } = targets[i % targets.length] as LogitTarget;
    const centre = demeaned ? (means[b] as number) : 0;
    const total = (tokens: readonly number[]): number =>
      tokens.reduce((sum, token) => sum + (chosen[b * ids.length + ids.indexOf(token)] as number) - centre, 0);
    return total(up) - total(down);
  });
}
