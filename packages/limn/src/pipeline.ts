// The whole column as one function: a model and pairs in; edge scores, circuits and their faithfulness out.
import {
  accuracy,
  agreement,
  buildGraph,
  curveFlags,
  faithfulnessCurves,
  kl,
  meanOutputs,
  pruneReport,
  selectBy,
  type Ablation,
  type Circuit,
  type FaithfulnessCurves,
  scoreInShards,
  metricByName,
  scoreEdges,
  type AttributionProgress,
  type QuarantinedPair,
  type ScoreEdgesOptions,
  type Scores,
  type ShardedScores,
  type ShardStore,
} from '@limn/attribution';
import type { HookedModel } from '@limn/hooks';
import type { MetricName } from '@limn/tasks';
import type { Findings } from './circuit-record.js';
import type { ProgressEvent } from './console.js';
import { controlsOf, type CurveControls } from './curve-controls.js';
import { flagsOf, leftOutFlags, stabilityFlags } from './flags.js';
import { leftOut, placeOf, scoreUsable, usableSets, type LeftOutPair } from './left-out.js';
import { measurable } from './measurable.js';
import { METRIC_DESCRIPTIONS, type MethodChoice } from './methods.js';
import type { PairSets } from './pairs-source.js';
import { circuitToShow, headlineCurve } from './shown-circuit.js';
import { stabilityOf, whyNoExamples } from './stability.js';

/** Random circuits per size of the headline curve, where the caller does not say. */
export const DEFAULT_DRAWS = 3;
/** Of the bands on faithfulness, recorded with them. */
const BANDS = { confidence: 0.95, resamples: 1000, seed: 0 } as const;

/** What every stage of the pipeline accepts. */
export interface PipelineControls {
  readonly signal?: AbortSignal | undefined;
  /** Told of every phase, and how far it is. */
  readonly onProgress?: ((event: ProgressEvent) => void) | undefined;
}

/** Where shards of scores are kept, how large they are, and what made their bits. */
export interface ShardPlan {
  readonly store: ShardStore;
  /** Pairs in a shard. */
  readonly size: number;
  /** Only every `of`-th shard, from `index`. */
  readonly part?: { readonly index: number; readonly of: number } | undefined;
  /** Adapter and kernel plan. */
  readonly machine: string;
}

export interface CircuitRequest extends PipelineControls {
  readonly model: HookedModel;
  readonly sets: PairSets;
  readonly metric: MetricName;
  readonly method: MethodChoice;
  /** Keep the scores of groups of pairs as they are finished, and go on from what is kept. */
  readonly shards?: ShardPlan | undefined;
  /** Random connected circuits per size to hold the curve against; 0 for none. Default 3. */
  readonly draws?: number | undefined;
  /** Go on without pairs that the metric or the model cannot take, or whose scores are no numbers. */
  readonly skipBadPairs?: boolean | undefined;
  /** Also scores every edge exactly, to compare with. Costs one run per edge and pair. */
  readonly compareWithExact?: boolean;
}

/** Scores every edge, selects circuits at the sizes of the contract, and measures each on the evaluation pairs. */
export async function findCircuit(given: CircuitRequest): Promise<Findings> {
  const request = await withUsablePairs(given);
  const ablation = await ablationOf(request);
  try {
    return await findUnder(ablation, request);
  } finally {
    if (typeof ablation === 'object') ablation.dispose();
  }
}

/** The request with the pairs that can be used, where it asks for that. */
async function withUsablePairs<Request extends CircuitRequest>(request: Request): Promise<Request> {
  if (request.skipBadPairs !== true) return request;
  const { model, sets, signal } = request;
  return { ...request, sets: await usableSets({ model, sets, metric: metricByName(request.metric), signal }) };
}

/** What removed edges carry: means are taken over the corrupted prompts of the search, which no measurement sees. */
async function ablationOf({ model, sets, method, signal, onProgress }: CircuitRequest): Promise<Ablation> {
  if (method.ablation === 'patch' || method.ablation === 'zero') return method.ablation;
  return meanOutputs(
    model,
    sets.discovery.map(({ corrupted }) => corrupted),
    { positional: method.ablation === 'mean-positional', signal, onProgress: named('mean outputs', onProgress) },
  );
}

async function findUnder(ablation: Ablation, request: CircuitRequest): Promise<Findings> {
  const { model, sets, method, signal, onProgress } = request;
  const metric = metricByName(request.metric);
  const controls = (phase: string, unit: string, total: number) => {
    onProgress?.({ phase, done: 0, total, unit });
    return { metric, ablation, signal, onProgress: named(phase, onProgress) };
  };
  const scoring = controls(`scores by ${method.name}`, 'pairs', sets.discovery.length);
  const missing = whyNoExamples({
    method: method.name,
    pairs: sets.discovery.length,
    sharded: request.shards !== undefined,
    graph: buildGraph(model.info),
  });
  const { scores, bad } = await scoresOf(request, { ...scoring, perExample: missing === undefined });
  const measured = await faithfulnessCurves(model, scores, sets.evaluation, {
    ...controls('faithfulness', 'pairs', sets.evaluation.length),
    selector: method.selector,
    also: measurable([kl, accuracy], sets.evaluation).filter(({ name }) => name !== metric.name),
    // One pair drawn again is the same pair.
    ...(sets.evaluation.length > 1 ? { bands: BANDS } : {}),
  });
  const { baselines, values } = await controlsOf(model, sets, measured, {
    ...controls('controls', 'pairs', sets.evaluation.length),
    draws: request.draws ?? DEFAULT_DRAWS,
    selector: method.selector,
  });
  const curves = heldAgainst(measured, baselines, values);
  const shown = circuitToShow(curves);
  const stability = missing === undefined ? stabilityOf(scores, shown.n, method.selector) : undefined;
  const exact =
    request.compareWithExact === true
      ? await scoreEdges(model, sets.discovery, {
          ...controls('scores by exact', 'pairs', sets.discovery.length),
          method: 'exact',
        })
      : undefined;
  const without = [...(sets.leftOut ?? []), ...bad];
  return {
    title: sets.title,
    task: {
      name: sets.name,
      pairs: sets.evaluation.length,
      searchPairs: sets.discovery.length - bad.length,
      heldOut: sets.heldOut,
      title: sets.title,
      description: sets.description,
    },
    metric: { name: metric.name, description: METRIC_DESCRIPTIONS[request.metric] },
    method,
    scores,
    curves,
    shown,
    pruned: pruneReport(selectBy(scores, [shown.n], method.selector, 'absolute')[0] as Circuit),
    ...(sets.evaluation.length > 1 ? { bands: BANDS } : {}),
    ...(stability === undefined ? {} : { stability }),
    pairs: sets.evaluation,
    values,
    ...(exact === undefined ? {} : { exact: { scores: exact, agreement: agreement(scores, exact) } }),
    flags: [...flagsOf(curves, sets, metric.name, method), ...stabilityFlags(missing), ...leftOutFlags(without)],
    leftOut: without,
  };
}

/** The curves with the headline one's baselines, and the flags that follow from them. */
function heldAgainst(
  measured: FaithfulnessCurves,
  baselines: CurveControls['baselines'],
  { clean, corrupted }: CurveControls['values'],
): FaithfulnessCurves {
  const headline = headlineCurve(measured);
  const curves = measured.curves.map((curve) => (curve === headline ? { ...curve, baselines } : curve));
  const edgeCount = headline.points.at(-1)?.n ?? 0;
  const ends = { clean: Float64Array.from(clean), corrupted: Float64Array.from(corrupted) };
  return { ...measured, curves, flags: curveFlags({ edgeCount, ...ends, curves }) };
}

type Scoring = Pick<ScoreEdgesOptions, 'metric' | 'ablation' | 'perExample' | 'signal' | 'onProgress'>;

/** Scores of the search's pairs, whole or from shards, and the pairs that they are without. */
async function scoresOf(
  { model, sets, method, shards, skipBadPairs }: CircuitRequest,
  scoring: Scoring,
): Promise<{ readonly scores: Scores; readonly bad: readonly LeftOutPair[] }> {
  const { discovery, places } = sets;
  const options = { ...scoring, method: method.name, steps: method.igSteps, rule: method.igRule };
  if (shards !== undefined) {
    const { perExample: _perExample, ...sharded } = options;
    const { scores, quarantined } = await scoreInShards(model, discovery, { ...sharded, ...cut(shards) });
    return { scores: scores as Scores, bad: shardsWithout(quarantined, places?.discovery) };
  }
  return skipBadPairs === true
    ? scoreUsable(model, discovery, places?.discovery, options)
    : { scores: await scoreEdges(model, discovery, options), bad: [] };
}

/** The pairs that shards were made without, by their places in the file. */
export function shardsWithout(
  quarantined: readonly QuarantinedPair[],
  places: readonly string[] | undefined,
): readonly LeftOutPair[] {
  return quarantined.map(({ pair, code, reason }) =>
    leftOut('search', { where: placeOf(places, pair), code, message: reason }),
  );
}

/** One part of the shards of a search, without what comes after the scores; `leftOut` are the pairs that it is without. */
export async function scoreCircuitShards(
  given: CircuitRequest & { readonly shards: ShardPlan },
): Promise<ShardedScores & { readonly leftOut: readonly LeftOutPair[] }> {
  const request = await withUsablePairs(given);
  const { model, sets, method, shards, signal, onProgress } = request;
  const ablation = await ablationOf(request);
  try {
    const scored = await scoreInShards(model, sets.discovery, {
      metric: metricByName(request.metric),
      method: method.name,
      steps: method.igSteps,
      rule: method.igRule,
      ablation,
      signal,
      onProgress: named(`scores by ${method.name}`, onProgress),
      ...cut(shards),
    });
    const { discovery } = sets.places ?? {};
    return { ...scored, leftOut: [...(sets.leftOut ?? []), ...shardsWithout(scored.quarantined, discovery)] };
  } finally {
    if (typeof ablation === 'object') ablation.dispose();
  }
}

const cut = ({ store, size, part, machine }: ShardPlan) => ({ store, shardSize: size, part, machine });

/** Gives the progress of a package a phase for the terminal. */
function named(
  phase: string,
  onProgress: PipelineControls['onProgress'],
): ((progress: AttributionProgress) => void) | undefined {
  return onProgress && (({ unit, done, total }) => onProgress({ phase, unit, done, total }));
}
