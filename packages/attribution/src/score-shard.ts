// One shard of a scoring run: the mean over its pairs and what was left out, as text that tells damage, and the sum of many.
import { LimnError } from '@limn/gpu';
import { floatsToText, openSealed, sealText, textToFloats } from '@limn/hooks';
import type { Graph } from './graph.js';
import type { Scores } from './scores.js';

/** A pair that was left out. */
export interface QuarantinedPair {
  /** Its place in the list of pairs, from 0. */
  readonly pair: number;
  /** The code of the error that it caused. */
  readonly code: string;
  readonly reason: string;
}

/** The scores of one shard. */
export interface ScoreShard {
  /** Pairs that the mean is over. */
  readonly examples: number;
  /** [nForward × nBackward], NaN where not an edge; absent when every pair was left out. */
  readonly values: Float64Array | undefined;
  /** By example the scores of its edges, in the order of `graph.edges()`; where they are kept. */
  readonly perExample?: readonly Float32Array[] | undefined;
  /** Places count within the shard. */
  readonly quarantined: readonly QuarantinedPair[];
}

const FORMAT = 'limn.score-shard';

/** The shard under its key. Numbers of JSON give every f64 back, bit for bit, and base64 every f32. */
export function shardText({ examples, values, perExample, quarantined }: ScoreShard, key: string): Promise<string> {
  const edges = values && [...values].filter((x) => !Number.isNaN(x));
  const rows = perExample && { perExample: perExample.map(floatsToText) };
  const head = { format: FORMAT, version: 1, key, examples, quarantined };
  return sealText(JSON.stringify({ ...head, edges: edges ?? null, ...rows }));
}

/** The shard of that key from its text; undefined for no text, and for text that is damaged, cut off, or of another key or graph. */
export async function readShard(text: string | undefined, key: string, graph: Graph): Promise<ScoreShard | undefined> {
  const body = await openSealed(text);
  if (body === undefined) return undefined;
  const shard = JSON.parse(body) as {
    readonly format: string;
    readonly version: number;
    readonly key: string;
    readonly examples: number;
    readonly quarantined: readonly QuarantinedPair[];
    readonly edges: readonly number[] | null;
    readonly perExample?: readonly string[];
  };
  if (shard.format !== FORMAT || shard.version !== 1 || shard.key !== key) return undefined;
  const { examples, quarantined, edges } = shard;
  const perExample = shard.perExample?.map(textToFloats);
  if (edges === null) return { examples, values: undefined, perExample, quarantined };
  if (edges.length !== graph.edgeCount) return undefined;
  const values = new Float64Array(graph.nForward * graph.nBackward).fill(Number.NaN);
  // In the order of the dense index, as they were written.
  let at = 0;
  for (let i = 0; i < values.length; i++)
    if (graph.isEdge(Math.floor(i / graph.nBackward), i % graph.nBackward)) values[i] = edges[at++] as number;
  return { examples, values, perExample, quarantined };
}

/**
 * Σ_s n_s · mean_s / Σ_s n_s, in the order given.
 * @throws LimnError `data/pairs-quarantined` when no shard has a pair left
 */
export function mergeShards(graph: Graph, shards: readonly ScoreShard[]): Scores {
  const examples = shards.reduce((total, shard) => total + shard.examples, 0);
  if (examples === 0) {
    const [first] = shards.flatMap(({ quarantined }) => quarantined);
    throw new LimnError(
      'data/pairs-quarantined',
      `Not one pair could be scored; the first ${first?.reason ?? 'is missing'} (${first?.code ?? 'none'}).`,
      { details: { first: first ? { ...first } : null } },
    );
  }
  const values = new Float64Array(graph.nForward * graph.nBackward).fill(Number.NaN);
  for (const { u, v } of graph.edges()) values[graph.dense(u, v)] = 0;
  for (const shard of shards)
    for (const [i, x] of shard.values?.entries() ?? []) values[i] = (values[i] as number) + shard.examples * x;
  return { graph, values: values.map((x) => x / examples) };
}
