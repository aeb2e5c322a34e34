// From scores to a circuit of n edges: top-n, threshold, a fraction, or greedy best-first search from the logits (arXiv 2403.17806 §3).
import { LimnError } from '@limn/gpu';
import { Circuit } from './circuit.js';
import type { Graph } from './graph.js';
import { rankedEdges, rankingKey, scoreAt } from './scores.js';
import type { Ranking, Scores } from './scores.js';

/** How edges are compared. */
export interface SelectionOptions {
  /** 'absolute' compares |score| (the paper, CMD); 'signed' keeps the most helpful edges (CPR). Default 'absolute'. */
  readonly ranking?: Ranking;
}

/**
 * The n best edges, before pruning; ties by lower dense index. n beyond the edge count keeps everything.
 * @throws LimnError `data/score-shape`, `usage/circuit-size`
 */
export function selectTopN(scores: Scores, n: number, { ranking = 'absolute' }: SelectionOptions = {}): Circuit {
  return ofDense(scores.graph, rankedEdges(scores, ranking).subarray(0, checkedSize(n)));
}

/**
 * For many sizes at once: one ranking, one circuit per size.
 * @throws LimnError `data/score-shape`, `usage/circuit-size`
 */
export function selectTopNs(
  scores: Scores,
  sizes: readonly number[],
  { ranking = 'absolute' }: SelectionOptions = {},
): Circuit[] {
  const order = rankedEdges(scores, ranking);
  return sizes.map((n) => ofDense(scores.graph, order.subarray(0, checkedSize(n))));
}

/** Every edge whose |score| (or score) is at least `threshold`, before pruning. */
export function selectThreshold(
  scores: Scores,
  threshold: number,
  { ranking = 'absolute' }: SelectionOptions = {},
): Circuit {
  return Circuit.where(scores.graph, (u, v) => rankingKey(scoreAt(scores, u, v), ranking) >= threshold);
}

/**
 * ⌊fraction · edges⌋, as MIB counts: .01 of GPT-2 small's 32,491 edges are 324.
 * @throws LimnError `usage/circuit-fraction`
 */
export function sizeOfFraction(graph: Graph, fraction: number): number {
  if (!(fraction >= 0 && fraction <= 1))
    throw new LimnError('usage/circuit-fraction', `A fraction of the edges is from 0 to 1; given ${fraction}.`, {
      details: { fraction },
    });
  return Math.floor(fraction * graph.edgeCount);
}

/**
 * The best edges up to a fraction of all of them, before pruning: {@link selectTopN} with n = {@link sizeOfFraction}.
 * @throws LimnError `data/score-shape`, `usage/circuit-size`, `usage/circuit-fraction`
 */
export function selectFraction(scores: Scores, fraction: number, options: SelectionOptions = {}): Circuit {
  return selectTopN(scores, sizeOfFraction(scores.graph, fraction), options);
}

/**
 * Best-first search: start from `logits`; take the best edge whose destination is already reached, which reaches its
 * source; stop after n edges. O(E log E) with a binary heap. Ties by lower dense index.
 * @throws LimnError `usage/circuit-size`
 */
export function selectGreedy(scores: Scores, n: number, options: SelectionOptions = {}): Circuit {
  return ofDense(scores.graph, greedyEdges(scores, checkedSize(n), options));
}

/** For many sizes at once: one search, one circuit per size, each within the next. @throws LimnError `usage/circuit-size` */
export function selectGreedies(scores: Scores, sizes: readonly number[], options: SelectionOptions = {}): Circuit[] {
  const order = greedyEdges(scores, Math.max(0, ...sizes.map(checkedSize)), options);
  return sizes.map((n) => ofDense(scores.graph, order.slice(0, n)));
}

/** Dense indices of the edges in the order in which the search takes them, `most` at most. */
function greedyEdges(scores: Scores, most: number, { ranking = 'absolute' }: SelectionOptions): number[] {
  const { graph } = scores;
  const keys = new Float64Array(graph.nForward * graph.nBackward);
  for (const { u, v } of graph.edges()) keys[graph.dense(u, v)] = rankingKey(scoreAt(scores, u, v), ranking);
  const heap = new EdgeHeap(keys);
  const reach = (v: number): void => {
    for (let u = 0; u < graph.prev(v); u++) heap.push(graph.dense(u, v));
  };
  reach(graph.nBackward - 1);
  const reached = new Uint8Array(graph.nForward);
  const taken: number[] = [];
  while (taken.length < most) {
    const edge = heap.pop();
    if (edge === undefined) break;
    taken.push(edge);
    const u = Math.floor(edge / graph.nBackward);
    if (reached[u]) continue;
    reached[u] = 1;
    for (const v of graph.inputsOf(u)) reach(v);
  }
  return taken;
}

/** A max-heap of dense edge indices by key, then by lower index. */
class EdgeHeap {
  readonly #keys: Float64Array;
  readonly #items: number[] = [];

  constructor(keys: Float64Array) {
    this.#keys = keys;
  }

  push(edge: number): void {
    const items = this.#items;
    let i = items.push(edge) - 1;
    while (i > 0) {
      const parent = (i - 1) >> 1;
      if (!this.#before(i, parent)) break;
      this.#swap(i, parent);
      i = parent;
    }
  }

  pop(): number | undefined {
    const items = this.#items;
    const top = items[0];
    const last = items.pop();
    if (top === undefined || last === undefined || items.length === 0) return top;
    items[0] = last;
    let i = 0;
    for (;;) {
      const left = 2 * i + 1;
      let best = i;
      if (left < items.length && this.#before(left, best)) best = left;
      if (left + 1 < items.length && this.#before(left + 1, best)) best = left + 1;
      if (best === i) return top;
      this.#swap(i, best);
      i = best;
    }
  }

  #before(i: number, j: number): boolean {
    const a = this.#items[i] ?? 0;
    const b = this.#items[j] ?? 0;
    const difference = (this.#keys[a] ?? 0) - (this.#keys[b] ?? 0);
    return difference > 0 || (!(difference < 0) && a < b);
  }

  #swap(i: number, j: number): void {
    const items = this.#items;
    const kept = items[i] ?? 0;
    items[i] = items[j] ?? 0;
    items[j] = kept;
  }
}

function ofDense(graph: Graph, edges: Iterable<number>): Circuit {
  const mask = new Uint8Array(graph.nForward * graph.nBackward);
  for (const edge of edges) mask[edge] = 1;
  return new Circuit(graph, mask);
}

function checkedSize(n: number): number {
  if (!Number.isInteger(n) || n < 0)
    throw new LimnError('usage/circuit-size', `A circuit has a whole number of edges, at least 0; given ${n}.`, {
      details: { n },
    });
  return n;
}
