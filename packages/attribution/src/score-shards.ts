// Scoring in shards of pairs that are kept as they finish: a run that was killed goes on, several processes share one, and a bad pair costs itself only.
import { LimnError, sha256, throwIfAborted } from '@limn/gpu';
import type { HookedModel } from '@limn/hooks';
import { ablationName, settleAblation } from './ablation.js';
import { buildGraph } from './graph.js';
import { metricIdentity } from './metric-identity.js';
import { checkPairs } from './pairs.js';
import type { Pair } from './pairs.js';
import { settleControls } from './run-options.js';
import { scoreEdges } from './score-edges.js';
import type { ScoreEdgesOptions } from './score-edges.js';
import { mergeShards, readShard, shardText } from './score-shard.js';
import type { QuarantinedPair, ScoreShard } from './score-shard.js';
import type { Scores } from './scores.js';

/** Where shards are kept, by key: a folder, a database, the browser's storage. `write` must be atomic; a key is a hex digest. */
export interface ShardStore {
  /** The text of that key, or undefined where there is none. */
  read(key: string): Promise<string | undefined>;
  /** Keeps the text, whole or not at all. */
  write(key: string, text: string): Promise<void>;
}

/** Options of a scorer, and how its pairs are cut. */
export interface ShardedScoringOptions extends Omit<ScoreEdgesOptions, 'perExample' | 'perPosition'> {
  readonly store: ShardStore;
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
 * numbers, is quarantined by name, and its shard computed without it.
 * @throws LimnError `usage/shard`, `usage/metric-identity`, `data/pairs-empty`, `data/pairs-quarantined` when no pair is left, and as the method; AbortedError
 */
export async function scoreInShards(
  model: HookedModel,
  pairs: readonly Pair[],
  options: ShardedScoringOptions,
): Promise<ShardedScores> {
  const {
    store,
    shardSize = SHARD_SIZE,
    part = { index: 0, of: 1 },
    machine,
    onProgress,
    signal,
    ...scoring
  } = options;
  checkCut(shardSize, part);
  if (pairs.length === 0) throw new LimnError('data/pairs-empty', 'There is no pair to score.');
  const graph = buildGraph(model.info);
  const total = Math.ceil(pairs.length / shardSize);
  const identity = runIdentity(model, options, machine);
  const shards = new Map<number, ScoreShard>();
  let found = 0;
  for (let s = 0; s < total; s++) {
    throwIfAborted(signal, 'Scoring in shards');
    const start = s * shardSize;
    const own = pairs.slice(start, start + shardSize);
    const key = await sha256(JSON.stringify([identity, own.map((pair) => pairIdentity(pair))]));
    const kept = await readShard(await store.read(key), key, graph);
    if (kept) {
      found++;
      shards.set(s, kept);
    } else if (s % part.of === part.index) {
      const shard = await scoreShard(model, own, { ...scoring, signal });
      await store.write(key, await shardText(shard, key));
      shards.set(s, shard);
    }
    onProgress?.({ unit: 'pairs', done: Math.min(start + shardSize, pairs.length), total: pairs.length });
  }
  const inOrder = [...shards].sort(([a], [b]) => a - b);
  const quarantined = inOrder.flatMap(([s, shard]) =>
    shard.quarantined.map((bad) => ({ ...bad, pair: s * shardSize + bad.pair })),
  );
  const complete = shards.size === total;
  return {
    scores: complete
      ? mergeShards(
          graph,
          inOrder.map(([, shard]) => shard),
        )
      : undefined,
    shards: { done: shards.size, found, total },
    quarantined,
  };
}

/** One shard: the pairs that can be scored, and those that cannot. */
async function scoreShard(
  model: HookedModel,
  pairs: readonly Pair[],
  scoring: Omit<ShardedScoringOptions, 'store' | 'machine'>,
): Promise<ScoreShard> {
  const quarantined: QuarantinedPair[] = [];
  const left = [...pairs.keys()].filter((i) => {
    const problem = problemOf(model, pairs[i] as Pair, scoring);
    if (problem) quarantined.push({ pair: i, code: problem.code, reason: problem.message });
    return problem === undefined;
  });
  while (left.length > 0) {
    try {
      const { values } = await scoreEdges(
        model,
        left.map((i) => pairs[i] as Pair),
        scoring,
      );
      return { examples: left.length, values, quarantined: inPairOrder(quarantined) };
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
  const { method, metric, steps = null, rule = null, variant = null } = options;
  const ablation = settleAblation(options.ablation);
  const { batchSize, memoryBytes } = settleControls(options);
  const { fingerprint, processing, architecture } = model.info;
  const means = typeof ablation === 'object' ? ablation.digest : null;
  return [
    ['limn score shard', 1, machine, architecture, fingerprint, processing],
    [method, metricIdentity(metric), steps, rule, variant, ablationName(ablation), means, batchSize, memoryBytes],
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
