// Scores summed over resampled examples, Σ_i c_ri · s_i for every resample r: all that a selection's stability needs, in memory that does not grow with the examples.
import { resampleCounts } from './bootstrap.js';
import { distinctPairs } from './distinct-examples.js';
import type { Graph } from './graph.js';
import type { Pair } from './pairs.js';

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

/** Where each of these indices stands among them. */
function positionsOf(indices: Uint32Array): Uint32Array {
  const positions = new Uint32Array(indices.reduce((most, index) => Math.max(most, index), 0) + 1);
  for (let k = 0; k < indices.length; k++) positions[indices[k] as number] = k;
  return positions;
}

/** sum[k] += factor · values[indices[start + k]]. */
export function addRow(
  sum: Float64Array,
  values: ArrayLike<number>,
  {
    indices,
    start = 0,
    factor,
  }: { readonly indices: ArrayLike<number>; readonly start?: number; readonly factor: number },
): void {
  for (let k = 0; k < sum.length; k++)
    sum[k] = (sum[k] as number) + factor * (values[indices[start + k] as number] as number);
}

/** Adds examples to the sums of the resamples that draw them, as they arrive. */
export class ResampleSum {
  readonly #seed: number;
  readonly #distinct: number;
  /** Dense indices in the order of the sums, and the other way round. */
  readonly #edges: Uint32Array;
  #positions: Uint32Array | undefined;
  /** By resample, how often it draws each example. */
  readonly #counts: readonly Uint32Array[];
  readonly #sums: readonly Float64Array[];

  /** `pairs` are the examples. @throws LimnError `usage/resamples`, `data/no-examples`, `tensor/random` (seed) */
  constructor({ count, seed = 0 }: Resamples, graph: Graph, pairs: readonly Pair[]) {
    this.#counts = resampleCounts(pairs.length, count, seed);
    this.#seed = seed;
    this.#distinct = distinctPairs(pairs);
    this.#edges = edgeIndices(graph);
    this.#sums = this.#counts.map(() => new Float64Array(graph.edgeCount));
  }

  /** Adds to example `place` the scores `values[indices[k]]`, in the order of the sums, as many times over as there are indices. */
  add(values: ArrayLike<number>, indices: ArrayLike<number>, place: number): void {
    for (let r = 0; r < this.#sums.length; r++) {
      const factor = this.#counts[r]?.[place] as number;
      if (factor === 0) continue;
      for (let start = 0; start < indices.length; start += this.#edges.length)
        addRow(this.#sums[r] as Float64Array, values, { indices, start, factor });
    }
  }

  /** Adds one score of example `place`, that of the edge with this dense index. */
  addOne(value: number, edge: number, place: number): void {
    this.#positions ??= positionsOf(this.#edges);
    const k = this.#positions[edge] as number;
    for (let r = 0; r < this.#sums.length; r++) {
      const sum = this.#sums[r] as Float64Array;
      sum[k] = (sum[k] as number) + (this.#counts[r]?.[place] as number) * value;
    }
  }

  result(): ResampledScores {
    const [first] = this.#counts as readonly [Uint32Array, ...Uint32Array[]];
    return { seed: this.#seed, examples: first.length, distinct: this.#distinct, sums: this.#sums };
  }
}
