// The whole column as one function: a model and pairs in; edge scores, circuits and their faithfulness out.
import {
  agreement,
  cleanCorrupted,
  eap,
  eapIgInputs,
  evaluateCircuits,
  exactEdges,
  metricByName,
  type AttributionProgress,
  type Metric,
  type MetricValues,
  type Pair,
  type Scores,
} from '@limn/attribution';
import type { HookedModel } from '@limn/hooks';
import type { MetricName } from '@limn/tasks';
import type { Findings } from './circuit-record.js';
import type { ProgressEvent } from './console.js';
import { circuitToShow, measureCurves, type Curves } from './curves.js';
import { flagsOf } from './flags.js';
import { METRIC_DESCRIPTIONS, chooseMethod, type MethodChoice } from './methods.js';
import type { PairSets } from './pairs-source.js';

/** What every stage of the pipeline accepts. */
export interface PipelineControls {
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((event: ProgressEvent) => void) | undefined;
}

export interface CircuitRequest extends PipelineControls {
  readonly model: HookedModel;
  readonly sets: PairSets;
  readonly metric: MetricName;
  readonly method: MethodChoice;
  /** Also scores every edge exactly, to compare with. Costs one run per edge and pair. */
  readonly compareWithExact?: boolean;
}

/** Scores every edge, selects circuits at the sizes of the contract, and measures each on the evaluation pairs. */
export async function findCircuit(request: CircuitRequest): Promise<Findings> {
  const { model, sets, method } = request;
  const metric = metricByName(request.metric);
  const scores = await scoreEdges(model, sets.discovery, metric, method, request);
  const { curves, values } = await measure(model, scores, sets.evaluation, metric, request);
  const exact = request.compareWithExact === true ? await compare(request, metric, scores) : undefined;
  return {
    title: sets.title,
    task: { name: sets.name, pairs: sets.evaluation.length, title: sets.title, description: sets.description },
    metric: { name: metric.name, description: METRIC_DESCRIPTIONS[request.metric] },
    method,
    scores,
    curves,
    shown: circuitToShow(curves),
    pairs: sets.evaluation,
    values,
    ...(exact === undefined ? {} : { exact }),
    flags: flagsOf(curves, sets, metric.name, method),
  };
}

/** Edge scores by any method; positive means that the edge helps. */
export async function scoreEdges(
  model: HookedModel,
  pairs: readonly Pair[],
  metric: Metric,
  method: MethodChoice,
  { signal, onProgress }: PipelineControls = {},
): Promise<Scores> {
  const options = { metric, signal, onProgress: named(`scores by ${method.name}`, onProgress) };
  switch (method.name) {
    case 'eap':
      return eap(model, pairs, options);
    case 'eap-ig-inputs':
      return eapIgInputs(model, pairs, { ...options, steps: method.igSteps, rule: method.igRule });
    case 'clean-corrupted':
      return cleanCorrupted(model, pairs, options);
    case 'exact':
      return exactEdges(model, pairs, options);
  }
}

/** Faithfulness curves of the circuits that `scores` select, on `pairs`. */
async function measure(
  model: HookedModel,
  scores: Scores,
  pairs: readonly Pair[],
  metric: Metric,
  { signal, onProgress }: PipelineControls,
): Promise<{ readonly curves: Curves; readonly values: NonNullable<Findings['values']> }> {
  const perPair = { clean: [] as readonly number[], corrupted: [] as readonly number[] };
  const curves = await measureCurves(scores, async (circuits) => {
    const found = await evaluateCircuits(model, circuits, pairs, {
      metrics: [metric],
      signal,
      onProgress: named('faithfulness', onProgress),
    });
    perPair.clean = [...(found.clean.perExample[metric.name] ?? [])];
    perPair.corrupted = [...(found.empty.perExample[metric.name] ?? [])];
    const mean = (values: MetricValues): number => values.mean[metric.name] ?? Number.NaN;
    return {
      baselines: { clean: mean(found.clean), corrupted: mean(found.empty) },
      values: found.circuits.map(mean),
    };
  });
  return { curves, values: perPair };
}

async function compare(
  request: CircuitRequest,
  metric: Metric,
  scores: Scores,
): Promise<NonNullable<Findings['exact']>> {
  const method = chooseMethod('exact', 1, 'left');
  const exact = await scoreEdges(request.model, request.sets.discovery, metric, method, request);
  return { scores: exact, agreement: agreement(scores, exact) };
}

/** Gives the progress of a package a phase for the terminal. */
function named(
  phase: string,
  onProgress: PipelineControls['onProgress'],
): ((progress: AttributionProgress) => void) | undefined {
  return onProgress && (({ unit, done, total }) => onProgress({ phase, unit, done, total }));
}
