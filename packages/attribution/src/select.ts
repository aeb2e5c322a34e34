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
 * The n best edges, before pruning; ties by lower dense index. n of all edges or more keeps everything.
 * @throws LimnError `data/score-shape`, `data/edges-unscored`, `usage/circuit-size`, `usage/unknown-ranking`
 */
export function selectTopN(scores: Scores, n: number, { ranking = 'absolute' }: SelectionOptions = {}): Circuit {
  return ofBest(scores, rankedEdges(scores, ranking), n);
}

/**
 * For many sizes at once: one ranking, one circuit per size.
 * @throws LimnError `data/score-shape`, `data/edges-unscored`, `usage/circuit-size`, `usage/unknown-ranking`
 */
export function selectTopNs(
  scores: Scores,
  sizes: readonly number[],
  { ranking = 'absolute' }: SelectionOptions = {},
): Circuit[] {
  const order = rankedEdges(scores, ranking);
  return sizes.map((n) => ofBest(scores, order, n));
}

/** The first n of edges in the order of their scores: no edge without one is among the n best, and all edges need no order. */
function ofBest(scores: Scores, order: Uint32Array, n: number): Circuit {
  const best = order.subarray(0, checkedSize(n));
  if (best.length < order.length && best.some((edge) => Number.isNaN(scores.values[edge]))) throw unscored(scores, n);
  return ofDense(scores.graph, best);
}

function unscored({ graph, values }: Scores, n: number): LimnError {
  const scored = [...graph.edges()].filter(({ u, v }) => !Number.isNaN(values[graph.dense(u, v)])).length;
  return new LimnError(
    'data/edges-unscored',
    `The best ${n} edges cannot be chosen: only ${scored} of ${graph.edgeCount} have a score${scored > n ? ' and are reached' : ''}.`,
    {
      details: { n, scored, edges: graph.edgeCount },
      hint: 'Choose no more than there are scores, or score every edge; a graph file has null where an edge has no score.',
    },
  );
}

/**
 * Every edge whose |score| (or score) is at least `threshold`, before pruning; never one without a score.
 * @throws LimnError `usage/threshold`, `usage/unknown-ranking`
 */
export function selectThreshold(
  scores: Scores,
  threshold: number,
  { ranking = 'absolute' }: SelectionOptions = {},
): Circuit {
  if (typeof threshold !== 'number' || Number.isNaN(threshold))
    throw new LimnError('usage/threshold', `A threshold of scores is a number; given ${String(threshold)}.`, {
      details: { threshold },
    });
  return Circuit.where(scores.graph, (u, v) => {
    const score = scoreAt(scores, u, v);
    return rankingKey(score, ranking) >= threshold && !Number.isNaN(score);
  });
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
 * @throws LimnError `data/score-shape`, `data/edges-unscored`, `usage/circuit-size`, `usage/circuit-fraction`, `usage/unknown-ranking`
 */
export function selectFraction(scores: Scores, fraction: number, options: SelectionOptions = {}): Circuit {
  return selectTopN(scores, sizeOfFraction(scores.graph, fraction), options);
}

/**
 * Best-first search: start from `logits`; take the best edge whose destination is already reached, which reaches its
 * source; stop after n edges. O(E log E) with a binary heap. Ties by lower dense index. Edges without a score are never taken, unless n
 * is of all edges or more.
 * @throws LimnError `data/edges-unscored`, `usage/circuit-size`, `usage/unknown-ranking`
 */
export function selectGreedy(scores: Scores, n: number, options: SelectionOptions = {}): Circuit {
  return selectGreedies(scores, [n], options)[0] as Circuit;
}

/**
 * For many sizes at once: one search, one circuit per size, each within the next.
 * @throws LimnError `data/edges-unscored`, `usage/circuit-size`, `usage/unknown-ranking`
 */
export function selectGreedies(scores: Scores, sizes: readonly number[], options: SelectionOptions = {}): Circuit[] {
  const { graph } = scores;
  const most = sizes.reduce((largest, n) => (checkedSize(n) < graph.edgeCount ? Math.max(largest, n) : largest), 0);
  const order = greedyEdges(scores, most, options);
  return sizes.map((n) => {
    if (n >= graph.edgeCount) return Circuit.full(graph);
    if (n > order.length) throw unscored(scores, n);
    return ofDense(graph, order.slice(0, n));
  });
}

/** Dense indices of the edges in the order in which the search takes them, `most` at most; fewer where the scored ones it reaches are fewer. */
function greedyEdges(scores: Scores, most: number, { ranking = 'absolute' }: SelectionOptions): number[] {
  const { graph, values } = scores;
  const keys = new Float64Array(graph.nForward * graph.nBackward);
  for (const { u, v } of graph.edges()) keys[graph.dense(u, v)] = rankingKey(scoreAt(scores, u, v), ranking);
  const heap = new EdgeHeap(keys);
  const reach = (v: number): void => {
    for (let u = 0; u < graph.prev(v); u++) {
      const edge = graph.dense(u, v);
      if (!Number.isNaN(values[edge])) heap.push(edge);
    }
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
