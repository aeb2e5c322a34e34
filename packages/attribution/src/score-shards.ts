// Scoring in shards of pairs that are kept as they finish: a run that was killed goes on, several processes share one, and a bad pair costs itself only.
import { settleControls, yieldToEvents } from '@limn/hooks';
import { LimnError, sha256, throwIfAborted } from '@limn/gpu';
import type { HookedModel, TextStore } from '@limn/hooks';
import { ablationName, settleAblation } from './ablation.js';
import { resampleCounts } from './bootstrap.js';
import { buildGraph } from './graph.js';
import type { Graph } from './graph.js';
import { expectMethodOptions } from './method-table.js';
import { metricIdentity } from './metric-identity.js';
import { checkPairs } from './pairs.js';
import type { Pair } from './pairs.js';
import { edgeIndices, ResampleSum } from './resampled-scores.js';
import { scoreEdges } from './score-edges.js';
import type { ScoreEdgesOptions } from './score-edges.js';
import { mergeShards, readShard, shardText } from './score-shard.js';
import type { QuarantinedPair, ScoreShard } from './score-shard.js';
import type { Scores } from './scores.js';

/** Options of a scorer, and how its pairs are cut. With `resamples`, shards keep the scores of every pair: 4 bytes an edge, as text 6. */
export interface ShardedScoringOptions extends Omit<ScoreEdgesOptions, 'perExample' | 'perPosition'> {
  /** Where shards are kept, by key, a hex digest. `write` must be atomic. */
  readonly store: TextStore;
  /** Pairs in a shard. Default 16. Other sizes give other shards, and other last bits. */
  readonly shardSize?: number | undefined;
  /** Score only every `of`-th shard, from `index` (0 … of − 1): what one of several processes does. Default: all. */
  readonly part?: { readonly index: number; readonly of: number } | undefined;
  /**
   * What decides the last bits besides the model, the pairs and these options: the adapter and its kernel plan. Goes into the keys, so
   * that shards of another machine are never taken for one's own.
   */
  readonly machine: string;
}

/** What is known after a run over some or all shards. */
export interface ShardedScores {
  /** There when every shard is; the same bits whoever computed them, and in whatever order. */
  readonly scores: Scores | undefined;
  /** Shards that are done, found in the store, and there are in all. */
  readonly shards: { readonly done: number; readonly found: number; readonly total: number };
  /** Pairs that could not be scored, and why; the scores are a mean over the others. */
  readonly quarantined: readonly QuarantinedPair[];
}

const SHARD_SIZE = 16;

/**
 * Scores by `options.method`, shard by shard: score = Σ_s n_s · mean_s / Σ_s n_s in float64, in the order of the pairs. Each shard is
 * computed by itself, so that who computes it changes no bit. A pair that the model or the metric cannot take, or whose scores are no
 * numbers, is quarantined by name, and its shard computed without it. Resamples are drawn of the pairs that are left, when all shards
 * are there: what a shard keeps depends on no number and no seed.
 * @throws LimnError `usage/shard`, `usage/resamples`, `data/pairs-empty`, `data/pairs-quarantined` when no pair is left, and as the
 * method; AbortedError
 */
export async function scoreInShards(
  model: HookedModel,
  pairs: readonly Pair[],
  options: ShardedScoringOptions,
): Promise<ShardedScores> {
  const { store, shardSize = SHARD_SIZE, part = { index: 0, of: 1 }, machine, ...rest } = options;
  const { onProgress, resamples, ...scoring } = rest;
  checkCut(shardSize, part);
  expectMethodOptions(options.method, options);
  if (resamples) resampleCounts(1, resamples.count, resamples.seed ?? 0);
  if (pairs.length === 0) throw new LimnError('data/pairs-empty', 'There is no pair to score.');
  const graph = buildGraph(model.info);
  const total = Math.ceil(pairs.length / shardSize);
  const identity = runIdentity(model, options, machine);
  const pairsOf = (s: number): readonly Pair[] => pairs.slice(s * shardSize, (s + 1) * shardSize);
  /** The shard that is kept, else when it is `ours` the one that is made and kept now. */
  const shardAt = async (
    s: number,
    ours: boolean,
  ): Promise<{ readonly shard?: ScoreShard; readonly found: boolean }> => {
    throwIfAborted(scoring.signal, 'Scoring in shards');
    const key = await sha256(JSON.stringify([identity, pairsOf(s).map((pair) => pairIdentity(pair))]));
    const kept = await readShard(await store.read(key), key, graph);
    if (kept) return { shard: kept, found: true };
    if (!ours) return { found: false };
    const shard = await scoreShard(model, graph, pairsOf(s), { ...scoring, perExample: resamples !== undefined });
    await store.write(key, await shardText(shard, key));
    return { shard, found: false };
  };

  const shards = new Map<number, ScoreShard>();
  let found = 0;
  for (let s = 0; s < total; s++) {
    const { shard, found: wasThere } = await shardAt(s, s % part.of === part.index);
    if (wasThere) found++;
    // The rows of single pairs are read again when they are needed, one shard at a time.
    if (shard) shards.set(s, { ...shard, perExample: undefined });
    onProgress?.({ unit: 'pairs', done: Math.min((s + 1) * shardSize, pairs.length), total: pairs.length });
  }
  const inOrder = [...shards].sort(([a], [b]) => a - b);
  const quarantined = inOrder.flatMap(([s, shard]) =>
    shard.quarantined.map((bad) => ({ ...bad, pair: s * shardSize + bad.pair })),
  );
  const progress = { shards: { done: shards.size, found, total }, quarantined };
  if (shards.size < total) return { scores: undefined, ...progress };
  const scores = mergeShards(
    graph,
    inOrder.map(([, shard]) => shard),
  );
  if (resamples === undefined) return { scores, ...progress };
  const bad = new Set(quarantined.map(({ pair }) => pair));
  const sums = new ResampleSum(
    resamples,
    graph,
    pairs.filter((_, i) => !bad.has(i)),
  );
  const rowOrder = Uint32Array.from({ length: graph.edgeCount }, (_, k) => k);
  let place = 0;
  for (let s = 0; s < total; s++) {
    for (const row of (await shardAt(s, true)).shard?.perExample ?? []) {
      sums.add(row, rowOrder, place++);
      await yieldToEvents();
    }
  }
  return { scores: { ...scores, resampled: sums.result() }, ...progress };
}

/** One shard: the pairs that can be scored, and those that cannot. */
async function scoreShard(
  model: HookedModel,
  graph: Graph,
  pairs: readonly Pair[],
  scoring: ScoreEdgesOptions,
): Promise<ScoreShard> {
  const quarantined: QuarantinedPair[] = [];
  const left = [...pairs.keys()].filter((i) => {
    const problem = problemOf(model, pairs[i] as Pair, scoring);
    if (problem) quarantined.push({ pair: i, code: problem.code, reason: problem.message });
    return problem === undefined;
  });
  while (left.length > 0) {
    try {
      const { values, perExample } = await scoreEdges(
        model,
        left.map((i) => pairs[i] as Pair),
        scoring,
      );
      const edges = edgeIndices(graph);
      const rows = perExample?.map((row) => Float32Array.from(edges, (edge) => row[edge] as number));
      return { examples: left.length, values, perExample: rows, quarantined: inPairOrder(quarantined) };
    } catch (error) {
      const at = notFiniteAt(error);
      const pair = at === undefined ? undefined : left[at];
      if (pair === undefined || at === undefined) throw error;
      left.splice(at, 1);
      const { code, message } = error as LimnError;
      // The message counts within what was left of the shard; the record has the place.
      quarantined.push({ pair, code, reason: message.replace(/^Pair \d+ gives /, 'gives ') });
    }
  }
  return { examples: 0, values: undefined, quarantined: inPairOrder(quarantined) };
}

const inPairOrder = (quarantined: readonly QuarantinedPair[]): QuarantinedPair[] =>
  [...quarantined].sort((a, b) => a.pair - b.pair);

/** Why this pair cannot even be run. */
function problemOf(
  model: HookedModel,
  pair: Pair,
  { metric }: Pick<ShardedScoringOptions, 'metric'>,
): LimnError | undefined {
  try {
    checkPairs([pair], { model: model.info });
    metric.check(pair, 'the pair');
    return undefined;
  } catch (error) {
    if (error instanceof LimnError && error.code.startsWith('data/')) return error;
    throw error;
  }
}

/** The place of the pair that a scorer refused for scores that are no numbers. */
function notFiniteAt(error: unknown): number | undefined {
  if (!(error instanceof LimnError) || error.code !== 'data/score-not-finite') return undefined;
  const { pair } = error.details as { readonly pair?: number };
  return pair;
}

/** Everything but the pairs that decides a shard's numbers. */
function runIdentity(model: HookedModel, options: ShardedScoringOptions, machine: string): readonly unknown[] {
  const { method, metric, steps = null, rule = null, variant = null, resamples } = options;
  const ablation = settleAblation(options.ablation);
  const { batchSize, memoryBytes } = settleControls(options);
  const { fingerprint, processing, architecture } = model.info;
  const means = typeof ablation === 'object' ? ablation.digest : null;
  return [
    ['limn score shard', 1, machine, architecture, fingerprint, processing],
    [method, metricIdentity(metric), steps, rule, variant, ablationName(ablation), means, batchSize, memoryBytes],
    ...(resamples === undefined ? [] : ['with the scores of every pair']),
  ];
}

const pairIdentity = ({ clean, corrupted, correct, incorrect }: Pair): unknown => [
  clean,
  corrupted,
  correct,
  incorrect,
];

function checkCut(shardSize: number, { index, of }: { readonly index: number; readonly of: number }): void {
  const whole = (value: number, least: number): boolean => Number.isInteger(value) && value >= least;
  if (whole(shardSize, 1) && whole(of, 1) && whole(index, 0) && index < of) return;
  throw new LimnError(
    'usage/shard',
    `Shards hold a whole number of pairs, and part i of n has 0 ≤ i < n; given ${shardSize} pairs, part ${index} of ${of}.`,
    { details: { shardSize, index, of } },
  );
}
