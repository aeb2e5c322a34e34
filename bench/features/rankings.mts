// Units by what is said of them: orders of features and neurons, and random ones that are like the first in other respects.
import { blockHook, type HookName } from '@limn/hooks';
import {
  fromData,
  gradients,
  matmul,
  mul,
  randomUniform,
  readFloats,
  reshape,
  sub,
  sum,
  type Tensor,
} from '@limn/tensor';
import { answerDifference } from './answer-difference.mjs';
import type { HeldSide, PairRuns } from './pair-runs.mjs';

/** A feature or neuron and its score. */
export interface RankedUnit {
  readonly layer: number;
  readonly unit: number;
  readonly score: number;
}

/** All units with a score other than 0, the largest by size first. */
export function ranked(scores: readonly ArrayLike<number>[]): RankedUnit[] {
  return scores
    .flatMap((own, layer) => Array.from(own, (score, unit) => ({ layer, unit, score })))
    .filter(({ score }) => score !== 0)
    .sort((a, b) => Math.abs(b.score) - Math.abs(a.score) || a.layer - b.layer || a.unit - b.unit);
}

/** Neighbours that a unit's likeness is drawn from. */
const POOL = 8;

/** For each unit another of its layer that is not among the first `apart`, drawn from those nearest to it in a quantity by ratio. No two alike. */
export function likeUnits(
  units: readonly RankedUnit[],
  quantity: readonly ArrayLike<number>[],
  { apart, seed }: { readonly apart: number; readonly seed: number },
): RankedUnit[] {
  const key = ({ layer, unit }: Pick<RankedUnit, 'layer' | 'unit'>): string => `${layer}/${unit}`;
  const taken = new Set(units.slice(0, apart).map(key));
  return units.flatMap(({ layer, unit }, i) => {
    const own = quantity[layer]?.[unit] as number;
    const pool = Array.from(quantity[layer] as ArrayLike<number>, (value, other) => ({
      layer,
      unit: other,
      score: value,
    }))
      .filter((other) => other.score > 0 && !taken.has(key(other)))
      .sort((a, b) => Math.abs(Math.log(a.score / own)) - Math.abs(Math.log(b.score / own)) || a.unit - b.unit)
      .slice(0, POOL);
    const drawn = pool[Math.floor(randomUniform(seed, layer, i) * pool.length)];
    if (!drawn) return [];
    taken.add(key(drawn));
    return [drawn];
  });
}

/** What gradients say of features [F] and of neurons [M] by layer. */
export interface GradientScores {
  readonly features: readonly (readonly number[])[];
  readonly neurons: readonly (readonly number[])[];
}

/**
 * Mean over pairs of (a − a')·∂/∂a of the answers' mean logit difference, the gradient being the mean of both prompts'; attention and
 * normalisation live. A feature's gradient is that of the MLP's output along what it writes.
 */
export async function gradientScores(runs: PairRuns): Promise<GradientScores> {
  const { model, dictionaries, sides } = runs;
  const found = await Promise.all([gradientsOf(runs, sides.clean), gradientsOf(runs, sides.corrupted)]);
  using step = model.gpu.step({ label: 'features: effects by gradients' });
  const B = runs.pairs.length;
  const both = (kind: 'out' | 'post', layer: number): Tensor => {
    const [a, b] = found.map((side) => (side[layer] as SiteGradients)[kind]) as [Float32Array, Float32Array];
    const width = kind === 'out' ? model.info.width : model.info.mlpWidth;
    return fromData(
      step,
      a.map((value, i) => (value + (b[i] as number)) / 2 / B),
      [a.length / width, width],
    );
  };
  const features = dictionaries.map((dictionary, layer) => {
    const along = matmul(step, both('out', layer), dictionary.tensor('wDec'), { transposeB: true });
    const moved = sub(step, sides.clean.activations[layer] as Tensor, sides.corrupted.activations[layer] as Tensor);
    return readFloats(step, sum(step, mul(step, along, moved), { axes: 0 }));
  });
  const neurons = dictionaries.map((_, layer) => {
    const gradient = both('post', layer);
    const moved = sub(step, sides.clean.neurons[layer] as Tensor, sides.corrupted.neurons[layer] as Tensor);
    return readFloats(step, sum(step, mul(step, gradient, reshape(moved, gradient.shape)), { axes: 0 }));
  });
  const plain = async (sums: readonly Promise<Float32Array>[]): Promise<number[][]> =>
    (await Promise.all(sums)).map((own) => [...own]);
  return { features: await plain(features), neurons: await plain(neurons) };
}

interface SiteGradients {
  readonly out: Float32Array;
  readonly post: Float32Array;
}

async function gradientsOf({ model, pairs }: PairRuns, { tokens }: HeldSide): Promise<SiteGradients[]> {
  using step = model.gpu.step({ label: 'features: gradients' });
  const layers = Array.from({ length: model.info.layers }, (_, layer) => layer);
  const capture: HookName[] = layers.flatMap((layer) => [
    blockHook(layer, 'hook_mlp_out'),
    blockHook(layer, 'mlp.hook_post'),
  ]);
  const run = model.run(step, { tokens }, { capture, logits: 'last' });
  const found = gradients(
    step,
    answerDifference(step, run.logits, pairs),
    'ones',
    capture.map((name) => run.at(name)),
  );
  const read = await Promise.all(found.map((gradient) => readFloats(step, gradient)));
  return layers.map((layer) => ({ out: read[2 * layer] as Float32Array, post: read[2 * layer + 1] as Float32Array }));
}
