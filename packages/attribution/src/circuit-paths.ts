// The paths input → logits of a circuit, counted without listing them: N(u) = Σ N(w) over the kept edges w → u, and Σ lengths likewise.
import type { Circuit } from './circuit.js';

/** All paths input → logits of a circuit. Two edges into different inputs of one head make different paths. */
export interface PathStatistics {
  /** How many. Exact: a deep model has more than a double can count. */
  readonly count: bigint;
  /** log₁₀ of the count; null where there is none. */
  readonly log10Count: number | null;
  /** Edges on a path: mean over all of them, fewest and most; null where there is none. */
  readonly meanLength: number | null;
  readonly shortest: number | null;
  readonly longest: number | null;
}

/** Fraction bits of the mean length, which is divided as whole numbers. */
const MEAN_BITS = 52n;

interface Reach {
  readonly count: bigint;
  /** Sum of the lengths of all these paths. */
  readonly length: bigint;
  readonly shortest: number;
  readonly longest: number;
}

const NOWHERE: Reach = { count: 0n, length: 0n, shortest: Infinity, longest: -Infinity };

/** Counts the paths by dynamic programming, O(edges). What lies on no path does not count, pruned or not. */
export function pathStatistics(circuit: Circuit): PathStatistics {
  const { graph } = circuit;
  const reach: Reach[] = [{ count: 1n, length: 0n, shortest: 0, longest: 0 }];
  const into = (slots: readonly number[]): Reach => {
    let { count, length, shortest, longest } = NOWHERE;
    for (const v of slots)
      for (const u of circuit.sourcesOf(v)) {
        const from = reach[u] ?? NOWHERE;
        if (from.count === 0n) continue;
        count += from.count;
        length += from.length + from.count;
        shortest = Math.min(shortest, from.shortest + 1);
        longest = Math.max(longest, from.longest + 1);
      }
    return { count, length, shortest, longest };
  };
  // Forward indices are a topological order.
  for (let u = 1; u < graph.nForward; u++) reach.push(into(graph.inputsOf(u)));
  const { count, length, shortest, longest } = into([graph.nBackward - 1]);
  if (count === 0n) return { count, log10Count: null, meanLength: null, shortest: null, longest: null };
  return {
    count,
    log10Count: log10(count),
    meanLength: Number((length << MEAN_BITS) / count) / 2 ** Number(MEAN_BITS),
    shortest,
    longest,
  };
}

/** log₁₀ of a positive whole number of any size, from its leading digits. */
function log10(count: bigint): number {
  const digits = count.toString();
  const leading = digits.slice(0, 17);
  return Math.log10(Number(leading)) + digits.length - leading.length;
}
