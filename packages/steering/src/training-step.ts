// One update's gradients: every example at both strengths, all values from one backward pass, in parts that fit the memory.
import type { Step } from '@limn/gpu';
import { tokenBatch, type HookedModel } from '@limn/hooks';
import { abs, add, detach, fromData, gradients, mul, scale, sumAll, type Tensor } from '@limn/tensor';
import { touchedRows } from './apply-method.js';
import type { SteeringExample } from './examples.js';
import { recordObjective, type SettledObjective } from './objective.js';
import type { Steering } from './steering.js';

/** An example with what the untouched model says behind it. */
export interface PreparedExample extends SteeringExample {
  /** Log-probabilities [V]. */
  readonly reference: Float32Array;
  /** Its Δ is to stay: of the goal 'parity'. */
  readonly retained: boolean;
}

/** What is differentiated. */
export interface UpdateSetup {
  readonly model: HookedModel;
  readonly steering: Steering;
  readonly objective: SettledObjective;
  /** λ_M of scalars that activations decide: their mean ℓ1 over rows, summed over places. 0 for values by position. */
  readonly producedWeight: number;
}

/** An update, recorded: read it in the same step. */
export interface RecordedUpdate {
  /** E, mean over examples of the sum over strengths, [1]. */
  readonly effect: Tensor;
  /** F, mean over examples and strengths, [1]. */
  readonly drift: Tensor;
  /** Mean ℓ1 of scalars that activations decided, [1]; for methods without such undefined. */
  readonly produced: Tensor | undefined;
  /** ∂(E + λ_F F + λ_M M) / ∂ each of `steering.parameters`. */
  readonly slopes: readonly Tensor[];
}

/** Records one update from parts of at most `atOnce` examples, like lengths together. */
export function recordUpdate(
  step: Step,
  setup: UpdateSetup,
  batch: readonly PreparedExample[],
  atOnce: number,
): RecordedUpdate {
  const targets = setup.steering.parameters.map(({ tensor }) => tensor);
  const sorted = [...batch].sort((a, b) => a.prompt.length - b.prompt.length);
  const size = Math.ceil(batch.length / Math.ceil(batch.length / atOnce));
  const parts = Array.from({ length: Math.ceil(batch.length / size) }, (_, p) => {
    const examples = sorted.slice(p * size, (p + 1) * size);
    const { effect, drift, produced } = recordPart(step, setup, examples, batch.length);
    const { faithfulnessWeight } = setup.objective;
    const smooth = add(step, effect, scale(step, drift, faithfulnessWeight));
    const loss = produced ? add(step, smooth, scale(step, produced, setup.producedWeight)) : smooth;
    const slopes = gradients(step, loss, 'ones', targets, { missing: 'zeros' });
    return { effect: detach(effect), drift: detach(drift), produced: produced && detach(produced), slopes };
  });
  return parts.reduce((a, b) => ({
    effect: add(step, a.effect, b.effect),
    drift: add(step, a.drift, b.drift),
    produced: a.produced && b.produced && add(step, a.produced, b.produced),
    slopes: a.slopes.map((slope, i) => add(step, slope, b.slopes[i] as Tensor)),
  }));
}

/** E, F and M of some of the `total` examples of an update: their shares of the means. */
function recordPart(
  step: Step,
  { model, steering, objective, producedWeight }: UpdateSetup,
  examples: readonly PreparedExample[],
  total: number,
): { readonly effect: Tensor; readonly drift: Tensor; readonly produced: Tensor | undefined } {
  const { strengths } = objective;
  const rows = strengths.flatMap((strength) => examples.map((example) => ({ ...example, strength })));
  const produced: Tensor[] = [];
  const interventions = steering.interventions({
    strength: rows.map(({ strength }) => strength),
    roles: rows.map(({ roles }) => roles),
    ...(producedWeight > 0
      ? {
          onProduced: (into: Step, scalars: Tensor, slots: Int32Array) =>
            produced.push(sumAll(into, mul(into, touchedRows(into, slots), abs(into, scalars)))),
        }
      : {}),
  });
  const tokens = tokenBatch(
    rows.map(({ prompt }) => prompt),
    model.info,
  );
  const { logits } = model.run(step, { tokens }, { interventions, logits: 'last' });
  const V = model.info.vocabulary;
  const reference = new Float32Array(examples.length * V);
  examples.forEach((example, i) => reference.set(example.reference, i * V));
  const sums = recordObjective(step, objective, logits, {
    answers: rows.map(({ correct, wrong }) => [correct, wrong]),
    strengths: rows.map(({ strength }) => strength),
    retained: rows.map(({ retained }) => retained),
    reference: fromData(step, reference, [examples.length, V], { label: 'untouched model' }),
  });
  const perRow = 1 / (total * strengths.length);
  return {
    effect: scale(step, sums.effect, 1 / total),
    drift: scale(step, sums.drift, perRow),
    produced:
      produced.length === 0
        ? undefined
        : scale(
            step,
            produced.reduce((a, b) => add(step, a, b)),
            perRow,
          ),
  };
}
