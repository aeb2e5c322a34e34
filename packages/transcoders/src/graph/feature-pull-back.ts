// What the weights alone say: vectors pulled back through encoders, heads and MLPs without a prompt. Dunefsky et al. 2024, §3, eq. 22–27.
import type { Step } from '@limn/gpu';
import type { HookedModel } from '@limn/hooks';
import {
  concat,
  fromData,
  gatherRows,
  matmul,
  readFloats,
  readWords,
  reshape,
  sqrt,
  square,
  sum,
  topK,
  MAX_TOP_K,
  scale,
  type Tensor,
} from '@limn/tensor';
import type { Dictionary } from '../dictionary.js';
import { throughGain } from './through-norm.js';

/**
 * What a feature reads of the stream but for 1/s: C(W_enc[f]∘γ), [C]; the row of W_enc itself where the dictionary reads the stream.
 * At a prompt, 1/s is exactly what is missing: `FrozenPrompt` has it.
 */
export function encoderDirection(step: Step, model: HookedModel, dictionary: Dictionary, feature: number): Tensor {
  const { layer, input, inputWidth } = dictionary.config;
  const row = gatherRows(step, dictionary.tensor('wEnc'), fromData(step, Uint32Array.of(feature), [1]));
  const read = input === 'ln2.hook_normalized' ? throughGain(step, model.norm(`blocks.${layer}.ln2`), row) : row;
  return reshape(read, [inputWidth]);
}

/** What heads of a layer read of the stream, but for A and 1/s, so as to write v [C]: C(γ∘W_V^h·W_O^h·v) of every head, [H, C]. */
export function headDirections(step: Step, model: HookedModel, layer: number, v: Tensor): Tensor {
  const C = model.info.width;
  const rows = Array.from({ length: model.info.heads }, (_, head) => {
    const weights = model.headWeights(step, layer, head);
    const written = matmul(step, reshape(v, [1, C]), weights.wO, { transposeB: true });
    return matmul(step, written, weights.wV, { transposeB: true });
  });
  return throughGain(
    step,
    model.norm(`blocks.${layer}.ln1`),
    rows.length === 1 ? (rows[0] as Tensor) : concat(step, rows, 0),
  );
}

/** ‖C(γ∘W_V^h·W_O^h·v)‖ of every head of a layer, [H]: which heads can carry a vector at all. */
export function headNorms(step: Step, model: HookedModel, layer: number, v: Tensor): Tensor {
  return sqrt(step, sum(step, square(step, headDirections(step, model, layer, v)), { axes: 1 }));
}

/** W_dec·v for every feature, [F]: how strongly what each writes is read by v [C]. Times a feature's activation it is an attribution. */
export function connectionStrengths(step: Step, dictionary: Dictionary, v: Tensor): Tensor {
  const { features, outputWidth } = dictionary.config;
  return reshape(matmul(step, dictionary.tensor('wDec'), reshape(v, [1, outputWidth]), { transposeB: true }), [
    features,
  ]);
}

/** A feature, head or token and how strongly it is connected. */
export interface Connection {
  readonly index: number;
  readonly strength: number;
}

/** The largest and the most negative of a list of strengths on the GPU [n], at most 64 each. */
export async function strongest(
  step: Step,
  strengths: Tensor,
  count = 10,
): Promise<{ readonly most: readonly Connection[]; readonly least: readonly Connection[] }> {
  const row = reshape(strengths, [1, strengths.size]);
  const k = Math.min(count, strengths.size, MAX_TOP_K);
  const [most, least] = [topK(step, row, k), topK(step, scale(step, row, -1), k)];
  const [mostValues, mostPlaces, leastValues, leastPlaces] = await Promise.all([
    readFloats(step, most.values),
    readWords(step, most.indices),
    readFloats(step, least.values),
    readWords(step, least.indices),
  ]);
  const list = (values: Float32Array, places: Uint32Array, sign: 1 | -1): Connection[] =>
    [...places].map((index, i) => ({ index, strength: sign * (values[i] as number) }));
  return { most: list(mostValues, mostPlaces, 1), least: list(leastValues, leastPlaces, -1) };
}
