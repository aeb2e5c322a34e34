// A batch in parts: each part's share of the loss, of its terms and of every gradient, and their sum.
import type { Step } from '@limn/gpu';
import { add, addScaled, detach, gradients, type Tensor } from '@limn/tensor';

/** The parts of a loss without their weights, each [1] and off the tape. */
export interface DictionaryLossParts {
  readonly reconstruction: Tensor;
  readonly sparsity?: Tensor;
  readonly auxiliary?: Tensor;
  readonly preActivation?: Tensor;
}

/** A term of the loss besides reconstruction: its sum over these rows as a share of the batch's mean, [1] and on the tape. */
export interface LossTerm {
  readonly name: Exclude<keyof DictionaryLossParts, 'reconstruction'>;
  readonly value: Tensor;
  readonly weight: number;
}

/** A part's share of the sums over the batch. */
export interface StepShare {
  readonly loss: Tensor;
  readonly parts: DictionaryLossParts;
  readonly fvu: Tensor;
  /** In how many rows each feature fired, [F], of every layer that is trained. */
  readonly fired: readonly Tensor[];
  /** Gradients of the targets, in their order. */
  readonly slopes: readonly Tensor[];
}

/** The share of rows whose loss is reconstruction + Σ weight · term; its gradients for `targets` are recorded. */
export function stepShare(
  step: Step,
  {
    reconstruction,
    terms,
    fvu,
    fired,
    targets,
  }: {
    readonly reconstruction: Tensor;
    readonly terms: readonly LossTerm[];
    readonly fvu: Tensor;
    readonly fired: readonly Tensor[];
    readonly targets: readonly Tensor[];
  },
): StepShare {
  const total = terms.reduce((sum, { value, weight }) => addScaled(step, sum, value, weight), reconstruction);
  return {
    loss: detach(total),
    parts: {
      reconstruction: detach(reconstruction),
      ...Object.fromEntries(terms.map(({ name, value }) => [name, detach(value)])),
    },
    fvu: detach(fvu),
    fired,
    slopes: gradients(step, total, 'ones', targets, { missing: 'zeros' }),
  };
}

/** What two parts of a batch are together. */
export function addShares(step: Step, a: StepShare, b: StepShare): StepShare {
  const parts = Object.entries(a.parts).map(([name, value]) => [
    name,
    add(step, value, b.parts[name as keyof DictionaryLossParts] as Tensor),
  ]);
  const each = (of: readonly Tensor[], and: readonly Tensor[]): Tensor[] =>
    of.map((one, i) => add(step, one, and[i] as Tensor));
  return {
    loss: add(step, a.loss, b.loss),
    parts: Object.fromEntries(parts) as DictionaryLossParts,
    fvu: add(step, a.fvu, b.fvu),
    fired: each(a.fired, b.fired),
    slopes: each(a.slopes, b.slopes),
  };
}
