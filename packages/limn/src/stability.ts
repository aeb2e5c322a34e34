// How far the shown circuit depends on which pairs it was found on, and why that is not always known.
import {
  distinctPairs,
  selectionStability,
  type Pair,
  type Scores,
  type SelectionStability,
  type Selector,
} from '@limn/attribution';
import type { Unit } from './circuit-request.js';
import type { CircuitMethod } from './methods.js';

/** Circuits selected again, each from pairs drawn with replacement. */
const RESAMPLES = 100;
/** Fewer say little. */
const FEWEST = 10;
/** Sums over resamples take up to this many bytes, 8 an edge: 100 of GPT-2 medium are 186 MB, of large 41 fit. */
const SUMS_BYTES = 256 * 2 ** 20;
/** Scores of single pairs in one shard take up to this many bytes, 4 an edge, before they are text. */
const SHARD_BYTES = 128 * 2 ** 20;

/** Of what, and how, a circuit is searched for. */
export interface StabilityRequest {
  readonly method: CircuitMethod;
  readonly unit?: Unit | undefined;
  readonly pairs: readonly Pair[];
  /** Of shards, the pairs of one. */
  readonly shardSize?: number | undefined;
  readonly edges: number;
}

/** The resamples that the scores are summed over while they are made, or why there are none. */
export type PlannedResamples =
  | { readonly resamples: { readonly count: number }; readonly missing?: undefined }
  | { readonly resamples?: undefined; readonly missing: string };

/** As many resamples as there is room for. The same request gives the same ones, in whichever process a part of it runs. */
export function planResamples({
  method,
  unit = 'edge',
  pairs,
  shardSize = 0,
  edges,
}: StabilityRequest): PlannedResamples {
  const count = Math.min(RESAMPLES, Math.floor(SUMS_BYTES / (8 * edges)));
  const inShard = Math.min(shardSize, pairs.length) * edges * Float32Array.BYTES_PER_ELEMENT;
  if (pairs.length < 2) return { missing: 'one pair cannot be resampled' };
  if (distinctPairs(pairs) < 2) return { missing: `the ${pairs.length} pairs are one and the same` };
  if (unit !== 'edge') return { missing: 'it is known for choices of edges only' };
  if (method === 'learned-masks') return { missing: 'masks are learnt from all pairs together' };
  if (count < FEWEST) return { missing: `of ${edges} edges only ${count} resamples have room` };
  if (inShard > SHARD_BYTES)
    return {
      missing: `the scores of single pairs would take ${Math.ceil(inShard / 2 ** 20)} MiB in a shard, more than ${SHARD_BYTES / 2 ** 20} MiB: shards of fewer pairs have room`,
    };
  return { resamples: { count } };
}

/** A stability that is known. */
export type KnownStability = SelectionStability & {
  readonly jaccard: { readonly withAll: number };
  readonly band: { readonly low: number; readonly high: number };
};

/** Selects the shown size again from resampled pairs; where no two of the pairs differ, tells why that says nothing. @throws AbortedError */
export async function stabilityOf(
  scores: Scores,
  n: number,
  { selector, signal }: { readonly selector: Selector; readonly signal?: AbortSignal | undefined },
): Promise<{ readonly stability?: KnownStability; readonly missing?: string }> {
  const found = await selectionStability(scores, { n, selector, signal });
  return isKnown(found) ? { stability: found } : { missing: found.band.reason as string };
}

function isKnown(found: SelectionStability): found is KnownStability {
  return found.band.reason === undefined;
}
