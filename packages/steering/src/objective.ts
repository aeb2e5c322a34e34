// What steering is learnt for: effect E with a margin, faithfulness F of everything but the two answers, and parity where both answers should be alike.
import { LimnError, type Step } from '@limn/gpu';
import {
  abs,
  add,
  bucketDivergence,
  exp,
  fromData,
  gatherLogits,
  log,
  mul,
  relu,
  scale,
  square,
  sub,
  sumAll,
  type BucketForm,
  type Tensor,
} from '@limn/tensor';

/** Both answers can be favoured: Δ_β = z̃_c − z̃_w is to be at least m at β = +1 and at most −m at β = −1. */
export interface FlipObjective {
  readonly kind: 'flip';
  /** m in logits. Default 4: odds of e⁴. */
  readonly margin?: number;
  /**
   * E per row: max(0, m − βΔ), log(1 + exp(m − βΔ)), or −βΔ, which buys effect for ever at the cost of the rest. Default 'hinge'.
   */
  readonly effect?: 'hinge' | 'softplus' | 'linear';
}

/** Neither answer is favoured: max(0, |Δ| − ε)² at β = +1; and on retained examples Δ stays within a share of the model's own. */
export interface ParityObjective {
  readonly kind: 'parity';
  /** ε in logits. Default .1. */
  readonly tolerance?: number;
  /** Retained examples may change by this share of |Δ|: max(0, |Δ̃ − Δ| − share · |Δ|)². Default .1. */
  readonly retentionShare?: number;
  /** What retained examples weigh beside the others. Default 1. */
  readonly retentionWeight?: number;
}

/** What is wanted of Δ, and what faithfulness weighs. */
export interface Objective {
  readonly goal: FlipObjective | ParityObjective;
  /** F: what may not change. Default 'bucket': KL in which the answers are one outcome. */
  readonly faithfulness?: BucketForm;
  /** λ_F. Default 1. */
  readonly faithfulnessWeight?: number;
}

/** An objective with its defaults. */
export interface SettledObjective {
  readonly goal: Required<FlipObjective> | Required<ParityObjective>;
  readonly faithfulness: BucketForm;
  readonly faithfulnessWeight: number;
  /** The strengths that every example is run at. */
  readonly strengths: readonly number[];
}

/**
 * Fills in the defaults.
 * @throws LimnError `usage/steering-objective`
 */
export function settleObjective({
  goal,
  faithfulness = 'bucket',
  faithfulnessWeight = 1,
}: Objective): SettledObjective {
  const settled =
    goal.kind === 'flip'
      ? { margin: 4, effect: 'hinge' as const, ...goal }
      : { tolerance: 0.1, retentionShare: 0.1, retentionWeight: 1, ...goal };
  const numbers = Object.entries({ ...settled, faithfulnessWeight }).filter(([, value]) => typeof value === 'number');
  const bad = numbers.find(([, value]) => !(Number.isFinite(value) && (value as number) >= 0));
  const forms = ['bucket', 'rest', 'mass'];
  const effects = ['hinge', 'softplus', 'linear'];
  const unknown =
    !['flip', 'parity'].includes(settled.kind) ||
    !forms.includes(faithfulness) ||
    (settled.kind === 'flip' && !effects.includes(settled.effect));
  if (bad || unknown)
    throw new LimnError(
      'usage/steering-objective',
      `Steering cannot be learnt for ${JSON.stringify({ goal, faithfulness, faithfulnessWeight })}.`,
      {
        details: bad ? { name: bad[0], value: bad[1] as number } : { faithfulness, goal: settled.kind },
        hint: `Goals are flip (effect ${effects.join(', ')}) and parity; faithfulness is ${forms.join(', ')}; weights and margins are not negative.`,
      },
    );
  return { goal: settled, faithfulness, faithfulnessWeight, strengths: goal.kind === 'flip' ? [1, -1] : [1] };
}

/** The rows of one run: every example at every strength, strength by strength. */
export interface ObjectiveRows {
  /** [S · n] pairs of ids, correct before wrong. */
  readonly answers: readonly (readonly [correct: number, wrong: number])[];
  /** [S · n] */
  readonly strengths: readonly number[];
  /** [S · n]: rows of examples whose Δ is to stay; of the goal 'parity' only. */
  readonly retained: readonly boolean[];
  /** Log-probabilities of the untouched model, [n, V]. */
  readonly reference: Tensor;
}

/** Sums over rows; divide by the number of examples (E) and of rows (F) of the whole batch. */
export interface ObjectiveSums {
  /** Σ E, [1]. */
  readonly effect: Tensor;
  /** Σ F, [1]. */
  readonly drift: Tensor;
}

/** Records E and F from the logits [S · n, V] at the last positions. */
export function recordObjective(
  step: Step,
  objective: Pick<SettledObjective, 'goal' | 'faithfulness'>,
  logits: Tensor,
  rows: ObjectiveRows,
): ObjectiveSums {
  const { effect, drift } = recordRowObjectives(step, objective, logits, rows);
  return { effect: sumAll(step, effect), drift: sumAll(step, drift) };
}

/** The same row by row: E and F, [S · n] each. */
export function recordRowObjectives(
  step: Step,
  { goal, faithfulness }: Pick<SettledObjective, 'goal' | 'faithfulness'>,
  logits: Tensor,
  rows: ObjectiveRows,
): { readonly effect: Tensor; readonly drift: Tensor } {
  const N = rows.strengths.length;
  const ids = fromData(step, Uint32Array.from(rows.answers.flat()), [N, 2], { label: 'answers' });
  const drift = bucketDivergence(step, rows.reference, logits, ids, faithfulness);
  if (goal.kind === 'flip') {
    const signed = fromData(step, Float32Array.from(rows.strengths.flatMap((beta) => [beta, -beta])), [N, 2]);
    const reached = gatherLogits(step, logits, ids, signed);
    return { effect: flipEffect(step, goal, reached), drift };
  }
  const plain = fromData(
    step,
    Float32Array.from({ length: 2 * N }, (_, i) => (i % 2 === 0 ? 1 : -1)),
    [N, 2],
  );
  const delta = gatherLogits(step, logits, ids, plain);
  // A log-probability is a logit but for a constant of the row, which a difference does not see.
  const before = gatherLogits(step, rows.reference, ids, plain);
  const kept = fromData(step, Float32Array.from(rows.retained, Number), [N]);
  const target = mul(step, before, kept);
  const slack = add(
    step,
    scale(step, abs(step, target), goal.retentionShare),
    fromData(
      step,
      Float32Array.from(rows.retained, (retained) => (retained ? 0 : goal.tolerance)),
      [N],
    ),
  );
  const weights = fromData(
    step,
    Float32Array.from(rows.retained, (retained) => (retained ? goal.retentionWeight : 1)),
    [N],
  );
  const excess = square(step, relu(step, sub(step, abs(step, sub(step, delta, target)), slack)));
  return { effect: mul(step, weights, excess), drift };
}

/** E per row from βΔ [N]. */
function flipEffect(step: Step, { margin, effect }: Required<FlipObjective>, reached: Tensor): Tensor {
  if (effect === 'linear') return scale(step, reached, -1);
  const wanted = fromData(step, new Float32Array(reached.size).fill(margin), [reached.size]);
  const short = sub(step, wanted, reached);
  if (effect === 'hinge') return relu(step, short);
  // log(1 + eᵘ) = max(0, u) + log(1 + e^−|u|): no overflow.
  const one = fromData(step, new Float32Array(reached.size).fill(1), [reached.size]);
  return add(step, relu(step, short), log(step, add(step, one, exp(step, scale(step, abs(step, short), -1)))));
}
