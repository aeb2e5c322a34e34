// How far the shown circuit depends on which pairs it was found on, and why that is not always known.
import { selectionStability, type Scores, type SelectionStability, type Selector } from '@limn/attribution';
import type { Unit } from './circuit-request.js';
import type { CircuitMethod } from './methods.js';

/** Circuits selected again, each from pairs drawn with replacement. */
const RESAMPLES = 100;
/** Scores of single pairs are kept up to this many bytes: 240 pairs of GPT-2 small, at 280 kB each. */
const KEPT_BYTES = 64 * 2 ** 20;

/** Why the scores of single pairs are not kept; undefined where they are. */
export function whyNoExamples(request: {
  readonly method: CircuitMethod;
  readonly unit?: Unit | undefined;
  readonly pairs: number;
  /** How many of them differ. */
  readonly distinct: number;
  readonly sharded: boolean;
  readonly graph: { readonly nForward: number; readonly nBackward: number };
}): string | undefined {
  const { method, unit = 'edge', pairs, distinct, sharded, graph } = request;
  const bytes = pairs * graph.nForward * graph.nBackward * Float32Array.BYTES_PER_ELEMENT;
  if (distinct < 2) return pairs < 2 ? 'one pair cannot be resampled' : `the ${pairs} pairs are one and the same`;
  if (unit !== 'edge') return 'it is known for choices of edges only';
  if (method === 'learned-masks') return 'masks are learnt from all pairs together';
  if (method === 'exact') return 'exact patching keeps no scores of single pairs';
  if (sharded) return 'shards keep no scores of single pairs';
  if (bytes > KEPT_BYTES)
    return `scores of ${pairs} single pairs would take ${Math.ceil(bytes / 2 ** 20)} MiB, more than ${KEPT_BYTES / 2 ** 20} MiB`;
  return undefined;
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
  const found = await selectionStability(scores, { n, selector, resamples: RESAMPLES, signal });
  return isKnown(found) ? { stability: found } : { missing: found.band.reason as string };
}

function isKnown(found: SelectionStability): found is KnownStability {
  return found.band.reason === undefined;
}
