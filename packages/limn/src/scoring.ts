// Scores of the pairs of a search, by whatever method: in one run, from shards, or as masks that are learnt; and of nodes where they are asked for.
import {
  countEdges,
  learnedMasks,
  meanOutputs,
  metricByName,
  onlyOptionsOf,
  scoreEdges,
  scoreInShards,
  scoreNodes,
  type Ablation,
  type LearnedMasks,
  type MethodName,
  type NodeScores,
  type QuarantinedPair,
  type ScoreEdgesOptions,
  type Scores,
  type ShardedScores,
} from '@limn/attribution';
import { named, type CircuitRequest, type ShardPlan } from './circuit-request.js';
import { leftOut, placeOf, scoreUsable, usableSets, type LeftOutPair } from './left-out.js';
import { nodeMethod, type MethodChoice } from './methods.js';
import { planResamples, type PlannedResamples } from './stability.js';

/** The request with the pairs that can be used, where it asks for that. */
export async function withUsablePairs<Request extends CircuitRequest>(request: Request): Promise<Request> {
  if (request.skipBadPairs !== true) return request;
  const { model, sets, signal } = request;
  return { ...request, sets: await usableSets({ model, sets, metric: metricByName(request.metric), signal }) };
}

/** What removed edges carry: means are taken over the corrupted prompts of the search, which no measurement sees. */
export async function ablationOf({ model, sets, method, signal, onProgress }: CircuitRequest): Promise<Ablation> {
  if (method.ablation === 'patch' || method.ablation === 'zero') return method.ablation;
  return meanOutputs(
    model,
    sets.discovery.map(({ corrupted }) => corrupted),
    { positional: method.ablation === 'mean-positional', signal, onProgress: named('mean outputs', onProgress) },
  );
}

type Scoring = Pick<ScoreEdgesOptions, 'metric' | 'ablation' | 'resamples' | 'signal' | 'onProgress'>;

/** The resamples of a search's scores, as one process and as many parts make them. */
export function resamplesOf({ model, sets, method, unit, shards }: CircuitRequest): PlannedResamples {
  return planResamples({
    method: method.name,
    unit,
    pairs: sets.discovery,
    shardSize: shards?.size,
    edges: countEdges(model.info),
  });
}

/** What a search scored. */
export interface SearchScores {
  readonly scores: Scores;
  /** Pairs that the scores are without. */
  readonly bad: readonly LeftOutPair[];
  /** Of learned masks, how the learning went. */
  readonly history?: LearnedMasks['history'];
}

/**
 * Scores of the search's pairs, whole, from shards, or learnt.
 * @throws LimnError as `scoreEdges`, `scoreInShards` and `learnedMasks`; AbortedError
 */
export async function scoresOf(request: CircuitRequest, scoring: Scoring): Promise<SearchScores> {
  const { model, sets, method, shards, skipBadPairs, checkpoints } = request;
  const { discovery, places } = sets;
  if (method.name === 'learned-masks') {
    const { resamples: _resamples, ...controls } = scoring;
    return { ...(await learnedMasks(model, discovery, { ...controls, ...method.masks, checkpoints })), bad: [] };
  }
  const all = { ...scoring, method: method.name, ...pathOf(method), variant: method.igVariant };
  const options = onlyOptionsOf(method.name, all);
  if (shards !== undefined) {
    const { scores, quarantined } = await scoreInShards(model, discovery, { ...options, ...cut(shards) });
    return { scores: scores as Scores, bad: shardsWithout(quarantined, places?.discovery) };
  }
  return skipBadPairs === true
    ? scoreUsable(model, discovery, places?.discovery, options)
    : { scores: await scoreEdges(model, discovery, options), bad: [] };
}

/**
 * Scores of nodes, and for neurons of every dimension of their outputs, of the pairs that the edges were scored on.
 * @throws LimnError as `scoreNodes`; AbortedError
 */
export function nodeScoresOf(
  { model, sets, method, unit }: CircuitRequest,
  bad: readonly LeftOutPair[],
  scoring: Omit<Scoring, 'resamples'>,
): Promise<NodeScores> {
  const without = new Set(bad.map(({ where }) => where));
  return scoreNodes(
    model,
    sets.discovery.filter((_, i) => !without.has(placeOf(sets.places?.discovery, i))),
    {
      ...scoring,
      method: nodeMethod(method.name),
      ...pathOf(method),
      neurons: unit === 'neuron',
    },
  );
}

/** The pairs that shards were made without, by their places in the file. */
function shardsWithout(
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
    const name = method.name as MethodName;
    const scored = await scoreInShards(model, sets.discovery, {
      ...onlyOptionsOf(name, { ...pathOf(method), variant: method.igVariant, ablation }),
      metric: metricByName(request.metric),
      method: name,
      resamples: resamplesOf(request).resamples,
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

const pathOf = ({ igSteps, igRule }: MethodChoice) => ({ steps: igSteps, rule: igRule });
const cut = ({ store, size, part, machine }: ShardPlan) => ({ store, shardSize: size, part, machine });
