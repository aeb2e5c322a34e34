// The loss that a dictionary is trained on: its terms and weights, and which of them an activation has.
import { LimnError } from '@limn/gpu';
import type { DictionaryConfig } from '../dictionary-config.js';
import type { AuxiliaryTerm } from './dead-features.js';
import type { ReconstructionMeasure } from './reconstruction.js';
import type { SparsityTerm } from './sparsity.js';

/** L = reconstruction + λ · sparsity + α · auxiliary + λ_P · pre-activation. */
export interface DictionaryLoss {
  readonly reconstruction: ReconstructionMeasure;
  /** Of `relu` and `jump-relu`; the others say themselves how many features fire. */
  readonly sparsity?: SparsityTerm;
  /** Of `top-k` and `batch-top-k`: dead features rebuild what the others left over. */
  readonly auxiliary?: AuxiliaryTerm;
  /** Of `relu` and `jump-relu`: mean over rows of Σ max(θ_i − h_i, 0) ‖d_i‖ over dead features, θ = 0 for `relu`. */
  readonly preActivation?: { readonly weight: number };
}

/**
 * Refuses terms that the activation has not got, and weights that are not numbers of at least 0.
 * @throws LimnError `usage/dictionary-loss`
 */
export function checkLoss(
  { activation, outputWidth }: Pick<DictionaryConfig, 'activation' | 'outputWidth'>,
  loss: DictionaryLoss,
): void {
  const { sparsity, auxiliary, preActivation } = loss;
  const dense = activation.kind === 'relu' || activation.kind === 'jump-relu';
  const weights = [sparsity?.weight, auxiliary?.weight, preActivation?.weight].filter((each) => each !== undefined);
  const odd = weights.find((weight) => !(Number.isFinite(weight) && weight >= 0));
  const problem =
    odd !== undefined
      ? `has the weight ${odd}, which is not a number of at least 0`
      : (sparsity || preActivation) && !dense
        ? `has a sparsity or pre-activation term, but ${activation.kind} itself says how many features fire`
        : auxiliary && dense
          ? `has an AuxK term, which only top-k and batch-top-k take; given ${activation.kind}`
          : sparsity?.kind === 'l0' && activation.kind !== 'jump-relu'
            ? `has an l0 term, but only jump-relu has a gradient for it; given ${activation.kind}`
            : sparsity && !['l1', 'l1-decoder', 'l0', 'tanh'].includes(sparsity.kind)
              ? `has a sparsity term '${String(sparsity.kind)}', which is none of l1, l1-decoder, l0 and tanh`
              : sparsity?.kind === 'tanh' && !(Number.isFinite(sparsity.steepness) && sparsity.steepness > 0)
                ? `has a tanh term of steepness ${sparsity.steepness}, which is not a positive number`
                : auxiliary && !(Number.isSafeInteger(auxiliary.features) && auxiliary.features >= 1)
                  ? `has an AuxK term of ${auxiliary.features} features, which is not a whole number of at least 1`
                  : undefined;
  if (problem !== undefined)
    throw new LimnError('usage/dictionary-loss', `The loss ${problem}.`, {
      details: { activation: activation.kind, outputWidth, loss },
    });
}
