// What a model makes of the pairs before any scoring: metric and accuracy of the clean and the corrupted prompts, from two forward passes.
import { inBatches, settleControls } from '@limn/hooks';
import type { Step } from '@limn/gpu';
import type { HookedModel, RunControls } from '@limn/hooks';
import { readFloats, type Tensor } from '@limn/tensor';
import { accuracy } from './accuracy.js';
import { denominatorFlags, type CurveFlag } from './curve-flags.js';
import { MetricSum, type MetricValues } from './evaluation-base.js';
import { expectDistinctNames } from './metric-identity.js';
import { metricLoss } from './metric-loss.js';
import { checkAnswers, type Metric } from './metrics.js';
import { checkPairs } from './pair-checks.js';
import { pairTokens } from './pair-tokens.js';
import type { Pair } from './pairs.js';
import { tokenLengths, type TokenLength } from './token-lengths.js';

/** What to measure. */
export interface PreviewOptions extends RunControls {
  readonly metrics: readonly Metric[];
}

/** A metric over the pairs of one side. */
export interface SideSummary {
  readonly mean: number;
  /** Sample standard deviation; NaN for one pair. */
  readonly standardDeviation: number;
  /** Share of pairs with a value above 0. */
  readonly positive: number;
}

/** One metric, clean and corrupted. */
export interface PreviewedMetric {
  readonly name: string;
  readonly clean: SideSummary;
  readonly corrupted: SideSummary;
  /** b − b′: what faithfulness is divided by. */
  readonly denominator: number;
  /** Share of pairs on which the clean prompt does better than the corrupted one. */
  readonly better: number;
  /** Reasons to doubt the denominator: codes `faithfulness-undefined`, `denominator-round-off`, `denominator-spread`, `denominator-negative`. */
  readonly warnings: readonly CurveFlag[];
}

/** What a model makes of pairs. */
export interface PairsPreview {
  readonly pairs: number;
  readonly metrics: readonly PreviewedMetric[];
  /** Share of the `of` pairs with answers of both kinds whose best correct answer has a higher logit than every incorrect one; NaN for none. */
  readonly accuracy: { readonly clean: number; readonly corrupted: number; readonly of: number };
  /** How many pairs have how many tokens, rising. */
  readonly lengths: readonly TokenLength[];
  /** The metrics of every pair, `accuracy` (1 or 0) among them. */
  readonly values: { readonly clean: MetricValues; readonly corrupted: MetricValues };
}

/**
 * Runs the clean and the corrupted prompt of every pair once.
 * @throws LimnError `data/pairs-empty`, `data/pairs-field`, `data/pairs-length-mismatch`, `data/pairs-too-long`, `data/pairs-unknown-id`, `data/pairs-…`, `usage/metric-loss`, `usage/metric-name`, `memory/over-budget`, `usage/batch-size`, `usage/memory`; AbortedError
 */
export async function previewPairs(
  model: HookedModel,
  pairs: readonly Pair[],
  options: PreviewOptions,
): Promise<PairsPreview> {
  const { metrics } = options;
  const controls = { ...options, ...settleControls(options) };
  const measured = [...metrics.filter((metric) => metric !== accuracy), accuracy];
  expectDistinctNames(measured);
  checkPairs(pairs, { model: model.info });
  checkAnswers(pairs, metrics);
  const sides = SIDES.map(() => new MetricSum(measured, pairs.length));
  await inBatches(
    model.gpu,
    pairs,
    {
      what: 'The preview',
      unit: 'pair',
      label: 'preview',
      record: (step, batch) => recordSides(step, model, batch, measured),
      lengthOf: ({ clean }) => clean.length,
      async take(step, recorded, places) {
        const losses = await Promise.all(
          recorded.map((side) => Promise.all(side.map((loss) => readFloats(step, loss)))),
        );
        for (const [s, side] of sides.entries()) side.add(losses[s] ?? [], places);
      },
    },
    controls,
  );
  const [clean, corrupted] = sides.map((side) => side.values()) as [MetricValues, MetricValues];
  const of = pairs.filter(hasBoth).length;
  const right = (side: MetricValues): number =>
    pairs.filter((pair, n) => hasBoth(pair) && side.perExample[accuracy.name]?.[n] === 1).length / of;
  return {
    pairs: pairs.length,
    metrics: metrics.map(({ name }) => summarise(name, clean, corrupted)),
    accuracy: { clean: right(clean), corrupted: right(corrupted), of },
    lengths: tokenLengths(pairs.map((pair) => pair.clean.length)),
    values: { clean, corrupted },
  };
}

const SIDES = ['clean', 'corrupted'] as const;
const hasBoth = ({ correct, incorrect }: Pair): boolean => correct.length > 0 && incorrect.length > 0;

/** Of either side, losses [N] per metric. */
function recordSides(
  step: Step,
  model: HookedModel,
  pairs: readonly Pair[],
  metrics: readonly Metric[],
): (readonly Tensor[])[] {
  const [clean, corrupted] = SIDES.map((side) => {
    const tokens = pairTokens(pairs, side, model.info);
    return model.run(step, { tokens }, { logits: 'last' }).logits;
  }) as [Tensor, Tensor];
  // Accuracy leaves out the pairs without answers of both kinds; any id stands in for those.
  const answered = pairs.map((pair) => (hasBoth(pair) ? pair : { ...pair, correct: [0], incorrect: [0] }));
  return [clean, corrupted].map((logits) =>
    metrics.map((metric) => metricLoss(step, metric, logits, metric === accuracy ? answered : pairs, clean)),
  );
}

function summarise(name: string, clean: MetricValues, corrupted: MetricValues): PreviewedMetric {
  const [b, b0] = [clean, corrupted].map((side) => side.perExample[name] ?? new Float64Array()) as [
    Float64Array,
    Float64Array,
  ];
  const denominator = (clean.mean[name] ?? Number.NaN) - (corrupted.mean[name] ?? Number.NaN);
  const warnings = [...denominatorFlags(b, b0)];
  if (denominator < 0)
    warnings.push({
      code: 'denominator-negative',
      text: `The model does better on the corrupted prompts (by ${(-denominator).toPrecision(3)} on the mean): the answers may be the wrong way round, or the model cannot do the task.`,
    });
  return {
    name,
    clean: summariseSide(b),
    corrupted: summariseSide(b0),
    denominator,
    better: b.filter((x, i) => x > (b0[i] ?? Number.NaN)).length / b.length,
    warnings,
  };
}

function summariseSide(values: Float64Array): SideSummary {
  const mean = values.reduce((a, x) => a + x, 0) / values.length;
  const squares = values.reduce((sum, x) => sum + (x - mean) ** 2, 0);
  return {
    mean,
    standardDeviation: Math.sqrt(squares / (values.length - 1)),
    positive: values.filter((x) => x > 0).length / values.length,
  };
}
