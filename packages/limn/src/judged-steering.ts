// Whether the cells of a steering are the cause of what it does, as a record and the terminal have it: effect, controls, stability, what happens off the task.
import type { HookedModel, RunProgress } from '@limn/hooks';
import type { SteeringRecord, SteeringVerdictRecord } from '@limn/report';
import {
  causalVerdict,
  type CausalVerdict,
  type ControlPrompt,
  type Refit,
  type SteeringExample,
  type SteeringValues,
} from '@limn/steering';

/** Test prompts that sets of values are measured on: some fifty sets, both ways. */
const MEASURED = 64;

/** What a verdict takes besides the values. */
export interface JudgementPlan {
  /** Prompts of other tasks; none where there is none that fits. */
  readonly controls: readonly ControlPrompt[];
  /** How many times to learn again from redrawn prompts. 0: whether the same cells are found again stays unknown. */
  readonly refits: number;
  readonly refit: Refit;
  readonly seed: number;
}

/** What is judged, and where. */
export interface JudgementRequest extends JudgementPlan {
  readonly model: HookedModel;
  readonly values: SteeringValues;
  readonly training: readonly SteeringExample[];
  readonly test: readonly SteeringExample[];
  readonly signal: AbortSignal;
  readonly onProgress: (progress: RunProgress & { readonly phase: string }) => void;
}

/** @throws LimnError as `causalVerdict`, and as the refits; AbortedError */
export async function judgeSteering(request: JudgementRequest): Promise<SteeringVerdictRecord> {
  const { model, values, training, test, controls, refits, refit, seed, signal, onProgress } = request;
  const verdict = await causalVerdict(model, test.slice(0, MEASURED), values, {
    seed,
    controls,
    signal,
    onProgress: (progress) => onProgress({ phase: 'controls', ...progress }),
    training,
    ...(refits > 0 ? { refit, bootstraps: refits } : {}),
  });
  return verdictRecord(verdict);
}

function verdictRecord(verdict: CausalVerdict): SteeringVerdictRecord {
  const { effect, ci95, examples, pPerm, stability, offTask, supported, because, kept, cellsFor90, perplexity } =
    verdict;
  const { placebo, sufficiency, necessity } = verdict;
  const drawn: readonly (readonly [string, readonly number[]])[] = [
    ['shuffled cells', verdict.permutation.effects],
    ['signs redrawn', verdict.signShuffle.effects],
    ['random vectors', verdict.randomVectors.effects],
    ['on other answers', [placebo.onPlacebo]],
    ['of other answers', placebo.ofPlaceboFit === null ? [] : [placebo.ofPlaceboFit]],
  ];
  return {
    effect,
    // Of one prompt there is no spread.
    interval: { low: ci95?.[0] ?? effect, high: ci95?.[1] ?? effect },
    p: pPerm,
    stability: stability?.share ?? null,
    offTask: offTask?.meanKl ?? null,
    supported,
    controls: drawn
      .filter(([, effects]) => effects.length > 0)
      .map(([name, effects]) => ({
        name,
        draws: effects.length,
        mean: effects.reduce((sum, each) => sum + each, 0) / effects.length,
        low: Math.min(...effects),
        high: Math.max(...effects),
        effects: [...effects],
      })),
    cells: sufficiency.flatMap(({ cells, share: only }, i) => {
      const without = necessity[i]?.share ?? null;
      return only === null || without === null ? [] : [{ k: cells, only, without }];
    }),
    reasons: [
      ...because,
      `the effect is a mean over ${count(examples, 'prompt')} about things that no training prompt is about`,
      ...(stability === null
        ? []
        : [
            `${stability.stable} of ${stability.kept} cells are found again in 80 % of ${count(stability.refits, 'refit')}`,
          ]),
      ...(cellsFor90 === null ? [] : [`${cellsFor90} of ${kept} cells alone have 90 % of the effect`]),
      ...(offTask === null
        ? []
        : [
            `KL on ${count(offTask.prompts, 'prompt')} of other tasks: ${offTask.meanKl.toFixed(3)} nats, at most ${offTask.largestKl.toFixed(3)}`,
          ]),
      ...(perplexity === null
        ? []
        : [
            `perplexity of those prompts ${perplexity.untouched.perplexity.toPrecision(3)}, changed by ${(100 * perplexity.largestChange).toFixed(1)} % at the worse strength`,
          ]),
    ],
  };
}

const count = (n: number, what: string): string => `${n} ${what}${n === 1 ? '' : 's'}`;

/** The verdict in a few lines. */
export function describeVerdict(verdict: NonNullable<SteeringRecord['verdict']>): string[] {
  const { effect, interval, p, stability, offTask, supported, reasons = [] } = verdict;
  const figures = [
    `effect ${effect.toFixed(2)} logits (95 %: ${interval.low.toFixed(2)} to ${interval.high.toFixed(2)})`,
    `p ${p.toPrecision(2)}`,
    `stability ${stability === null ? 'not measured' : `${(100 * stability).toFixed(0)} %`}`,
    `KL off the task ${offTask === null ? 'not measured' : `${offTask.toFixed(3)} nats`}`,
  ];
  return [
    `that these cells are the cause is ${supported ? 'supported' : 'not supported'}: ${figures.join(', ')}`,
    ...reasons.map((reason) => `  ${reason}`),
  ];
}
