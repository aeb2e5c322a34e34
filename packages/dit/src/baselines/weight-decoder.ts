// The weight-space decoder: what a fine-tune learnt, read from its weights by kernel ridge regression on fine-tunes of which it is known. No run of a model has a part in it.
import { LimnError, shownValue } from '@limn/gpu';
import type { RunControls } from '@limn/hooks';
import { placedFactors, type AdaptedModel, type BaseOptions, type LoraWeights } from '../lora/lora-weights.js';
import { diffKernel, kernelDiffs, type KernelDiffs } from './diff-kernel.js';
import { kernelRidge, type LeftOut, type RidgeFit } from './kernel-ridge.js';

/** λ where nobody says: the kernel of a diff with itself is 1. */
const LAMBDAS = Array.from({ length: 25 }, (_, i) => 2 ** (i - 20));

/** How a decoder is fitted. */
export interface WeightDecoderOptions extends BaseOptions, Pick<RunControls, 'signal' | 'onProgress'> {
  /** Strengths to choose from. Default 2⁻²⁰ … 2⁴. */
  readonly lambdas?: readonly number[] | undefined;
  /** Of every diff what it is left out together with, such as its topic: two diffs of one topic would give one another away. Default: each by itself. */
  readonly groups?: readonly (number | string)[] | undefined;
}

/** A fitted decoder. */
export class WeightDecoder {
  readonly #model: AdaptedModel;
  readonly #known: KernelDiffs;
  readonly #fit: RidgeFit;
  readonly #options: BaseOptions;

  /** Made by `weightDecoder`. */
  constructor(model: AdaptedModel, known: KernelDiffs, fit: RidgeFit, options: BaseOptions) {
    this.#model = model;
    this.#known = known;
    this.#fit = fit;
    this.#options = options;
  }

  /** The strength with the least error on what was left out. */
  get lambda(): number {
    return this.#fit.lambda;
  }

  /** That error for every strength: the mean of ‖label − prediction‖² over diffs predicted without their group. */
  get leftOut(): readonly LeftOut[] {
    return this.#fit.leftOut;
  }

  /** What is predicted of a diff that changes nothing, [d]. */
  get intercept(): Float64Array {
    return this.#fit.intercept.slice();
  }

  /**
   * The label vector [d] of every diff, ŷ = b + Σ_i k(diff, i)·α_i. Cost: a kernel value with each of the diffs that it was fitted on, and as many times d.
   * @throws LimnError `data/lora-base`, `data/lora-processed`, `data/lora-empty`, `data/lora-module`, `data/lora-rank`, `data/lora-shape`, `data/lora-values`; AbortedError
   */
  async predict(
    diffs: readonly LoraWeights[],
    controls: Pick<RunControls, 'signal' | 'onProgress'> = {},
  ): Promise<Float64Array[]> {
    const { weights, intercept } = this.#fit;
    const asked = kernelDiffs(diffs.map((lora) => placedFactors(this.#model, lora, this.#options)));
    const kernel = await diffKernel(asked, this.#known, controls);
    const [n, d] = [this.#known.count, intercept.length];
    return diffs.map((_, row) => {
      const vector = intercept.slice();
      for (let i = 0; i < n; i++) {
        const alike = kernel[row * n + i] as number;
        for (let c = 0; c < d; c++) vector[c] = (vector[c] as number) + alike * (weights[i * d + c] as number);
      }
      return vector;
    });
  }

  /**
   * For every diff the scores of candidates, which need never have been labels: the cosine of ŷ − b and candidate − b, b what a diff that changes nothing would give. 0 where one of them is 0.
   * @throws LimnError as `predict`, and `data/baseline` for candidates that are no vectors of the labels' width
   */
  async scores(
    diffs: readonly LoraWeights[],
    candidates: readonly ArrayLike<number>[],
    controls: Pick<RunControls, 'signal' | 'onProgress'> = {},
  ): Promise<Float64Array[]> {
    const { intercept } = this.#fit;
    const d = intercept.length;
    checkVectors('candidate', candidates, d);
    const ends = candidates.map((each) => direction(each, intercept));
    const predicted = await this.predict(diffs, controls);
    return predicted.map((vector) => {
      const own = direction(vector, intercept);
      return Float64Array.from(ends, (end) => end.reduce((sum, value, c) => sum + value * (own[c] as number), 0));
    });
  }
}

/**
 * Fits labels, one vector for each diff (its name's embedding, or 1 at its class), to diffs by ridge regression with `diffKernel`, and chooses λ by leaving out one group at a time, in closed form. The kernel is the same however a change is
 * written as factors, and does not see how large it is. Cost: n²/2 kernel values of Σ over maps r²·(in + out) multiplications, then 4n³/3 and n²·(d + 2) for each λ: 1,000 diffs of rank 1 on all maps of GPT-2
 * small are 7·10¹⁰ multiplications, 4,000 of a model of width 128 with 4 layers as many, and 1.2·10¹¹ for the fit; 24·n² bytes of memory, 0.4 GB for 4,000. Pauses in which a signal is heard come every 2²⁶ multiplications.
 * @throws LimnError `data/baseline` for labels and groups that do not fit, `usage/baseline` for strengths that are none; `data/lora-base`, `data/lora-processed`, `data/lora-empty`, `data/lora-module`, `data/lora-rank`, `data/lora-shape`,
 * `data/lora-values`; AbortedError
 */
export async function weightDecoder(
  model: AdaptedModel,
  diffs: readonly LoraWeights[],
  labels: readonly ArrayLike<number>[],
  { lambdas = LAMBDAS, groups, anyBase, ...controls }: WeightDecoderOptions = {},
): Promise<WeightDecoder> {
  const n = diffs.length;
  const d = labels[0]?.length ?? 0;
  if (labels.length !== n) throw refuse('the number of labels', labels.length, `${n}, one for each diff`);
  if (d === 0) throw refuse('the width of labels', d, 'from 1');
  checkVectors('label', labels, d);
  const own = groups ?? diffs.map((_, i) => i);
  if (own.length !== n) throw refuse('the number of groups', own.length, `${n}, one for each diff`);
  const members = [...new Set(own)].map((group) => own.flatMap((each, i) => (each === group ? [i] : [])));
  if (members.length < 2)
    throw refuse('the number of groups', members.length, 'two at least, so that one can be left out');
  const [first, ...rest] = lambdas;
  if (first === undefined || !lambdas.every((lambda) => Number.isFinite(lambda) && lambda > 0))
    throw new LimnError('usage/baseline', `The weight decoder: lambdas are ${shownValue(lambdas.join(', '))}; allowed: positive numbers, one at least.`); // prettier-ignore
  const known = kernelDiffs(diffs.map((lora) => placedFactors(model, lora, { anyBase })));
  const kernel = await diffKernel(known, known, controls);
  const targets = new Float64Array(n * d);
  labels.forEach((label, i) => targets.set(Float64Array.from(label), i * d));
  const fit = await kernelRidge({ kernel, targets, n, d, groups: members }, [first, ...rest], controls);
  return new WeightDecoder(model, known, fit, { anyBase });
}

/** (vector − origin) / its length; 0 where that is 0. */
function direction(vector: ArrayLike<number>, origin: Float64Array): Float64Array {
  const rest = origin.map((value, i) => (vector[i] as number) - value);
  const length = Math.sqrt(rest.reduce((sum, value) => sum + value * value, 0));
  return length === 0 ? rest : rest.map((value) => value / length);
}

function checkVectors(what: string, vectors: readonly ArrayLike<number>[], width: number): void {
  vectors.forEach((vector, i) => {
    if (vector.length !== width) throw refuse(`the width of ${what} ${i}`, vector.length, `${width}`);
    for (let c = 0; c < width; c++)
      if (!Number.isFinite(vector[c])) throw refuse(`${what} ${i} at ${c}`, vector[c], 'finite numbers');
  });
}

function refuse(what: string, given: unknown, allowed: string): LimnError {
  return new LimnError('data/baseline', `The weight decoder: ${what} is ${String(given)}; allowed: ${allowed}.`, {
    details: { what, given: String(given), allowed },
  });
}
