// Scores summed over resampled examples, Σ_i c_ri · s_i for every resample r: all that a selection's stability needs, in memory that does not grow with the examples.
import { resampleCounts } from './bootstrap.js';
import type { Graph } from './graph.js';

/** Which resamples to sum over while the examples are scored. */
export interface Resamples {
  readonly count: number;
  /** Default 0. Resample number i depends on seed and i alone. */
  readonly seed?: number | undefined;
}

/** Sums of scores over resamples of the examples: resamples · edges · 8 bytes, whatever the number of examples. */
export interface ResampledScores {
  readonly seed: number;
  /** How many examples each resample draws: as many as there are. */
  readonly examples: number;
  /** How many of the examples differ in their ids. */
  readonly distinct: number;
  /** By resample, [edges] in the order of `graph.edges()`: Σ over its examples. */
  readonly sums: readonly Float64Array[];
}

/** Dense indices of all edges, by destination, then source. */
export function edgeIndices(graph: Graph): Uint32Array {
  const edges = new Uint32Array(graph.edgeCount);
  let count = 0;
  for (const { u, v } of graph.edges()) edges[count++] = graph.dense(u, v);
  return edges;
}

/** sum[k] += factor · values[indices[k]]. */
export function addRow(sum: Float64Array, values: ArrayLike<number>, indices: ArrayLike<number>, factor: number): void {
  for (let k = 0; k < sum.length; k++) sum[k] = (sum[k] as number) + factor * (values[indices[k] as number] as number);
}

/** Adds examples to the sums of the resamples that draw them, as they arrive. */
export class ResampleSum {
  readonly #seed: number;
  readonly #distinct: number;
  /** By resample, how often it draws each example. */
  readonly #counts: readonly Uint32Array[];
  readonly #sums: readonly Float64Array[];
  readonly #examples: number;

  /** @throws LimnError `usage/resamples`, `data/no-examples`, `tensor/random` (seed) */
  constructor(
    { count, seed = 0 }: Resamples,
    { examples, distinct, edges }: { readonly examples: number; readonly distinct: number; readonly edges: number },
  ) {
    this.#counts = resampleCounts(examples, count, seed);
    this.#seed = seed;
    this.#examples = examples;
    this.#distinct = distinct;
    this.#sums = this.#counts.map(() => new Float64Array(edges));
  }

  /** Adds example `place`, whose scores are `values[indices[k]]` in the order of the sums. */
  add(values: ArrayLike<number>, indices: ArrayLike<number>, place: number): void {
    for (let r = 0; r < this.#sums.length; r++) {
      const count = this.#counts[r]?.[place] as number;
      if (count > 0) addRow(this.#sums[r] as Float64Array, values, indices, count);
    }
  }

  result(): ResampledScores {
    return { seed: this.#seed, examples: this.#examples, distinct: this.#distinct, sums: this.#sums };
  }
}
