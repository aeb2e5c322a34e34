// How much a LoRA changes each map: ‖s·B·A‖ from the Gram matrices of its factors, and against the weight that it changes.
import { linearMap, type HookedModel } from '@limn/hooks';
import { concat, mul, readFloats, sumAll } from '@limn/tensor';
import {
  loraScale,
  placedFactors,
  type BaseOptions,
  type LoraFactors,
  type LoraWeights,
} from '../lora/lora-weights.js';

/** The size of one map's change. */
export interface DiffNorm {
  /** Its name in `linears()`. */
  readonly map: string;
  readonly layer: number;
  /** ‖ΔW‖, Frobenius, ΔW = s·B·A. */
  readonly norm: number;
  /** ‖ΔW‖ / ‖W‖; Infinity for a weight that is 0. */
  readonly relative: number;
}

/**
 * ‖ΔW‖² = s²·Σ_{kl} (A·Aᵀ)_{kl}·(Bᵀ·B)_{kl} in float64, O(r²·(in + out)): the product itself is never made. It does not depend on how ΔW is
 * written as factors.
 */
export function changeNorm({ a, b, rank }: LoraFactors, scale: number): number {
  const [inWidth, outWidth] = [a.length / rank, b.length / rank];
  let squared = 0;
  for (let k = 0; k < rank; k++)
    for (let l = 0; l < rank; l++) {
      let [ofA, ofB] = [0, 0];
      for (let i = 0; i < inWidth; i++) ofA += (a[k * inWidth + i] as number) * (a[l * inWidth + i] as number);
      for (let o = 0; o < outWidth; o++) ofB += (b[o * rank + k] as number) * (b[o * rank + l] as number);
      squared += ofA * ofB;
    }
  // Terms that cancel may leave a negative rest of round-off.
  return Math.abs(scale) * Math.sqrt(Math.max(0, squared));
}

/** ‖ΔW‖ over all maps: the root of their squares' sum. */
export const wholeNorm = ({ modules, rsLora }: LoraWeights): number =>
  Math.hypot(...Array.from(modules.values(), (factors) => changeNorm(factors, loraScale(factors, rsLora))));

/**
 * The norm of every map's change, in the model's order; weights are those that the model has now, what is merged among them.
 * @throws LimnError `data/lora-empty`, `data/lora-module`, `data/lora-rank`, `data/lora-shape`, `data/lora-values`, `data/lora-base`,
 * `data/lora-processed`; `hooks/unknown-site` for a model that has no such weight; `gpu/…`
 */
export async function diffNorms(model: HookedModel, lora: LoraWeights, options: BaseOptions = {}): Promise<DiffNorm[]> {
  const placed = placedFactors(model, lora, options);
  using step = model.gpu.step({ label: 'norms of weights' });
  const squares = placed.map(({ linear }) => {
    const { weight } = linearMap(step, model, linear);
    return sumAll(step, mul(step, weight, weight));
  });
  const found = await readFloats(step, concat(step, squares, 0));
  return placed.map(({ linear, factors, scale }, i) => {
    const norm = changeNorm(factors, scale);
    return { map: linear.name, layer: linear.layer, norm, relative: norm / Math.sqrt(found[i] as number) };
  });
}
