// A random circuit to hold a found one against: as many edges, as deep, every edge on a path input → logits.
import { Circuit } from './circuit.js';
import { pathStatistics } from './circuit-paths.js';
import type { Graph } from './graph.js';
import { prune } from './prune.js';
import { RandomDraws } from './random-draws.js';

/** A random circuit, and how well it matches. */
export interface RandomCircuit {
  /** As many edges as the pruned circuit that was matched, and equal to its own prune. */
  readonly circuit: Circuit;
  readonly seed: number;
  /** Mean edges of a path input → logits; null where there is no edge. */
  readonly meanPathLength: number | null;
  /** The same of the circuit that was matched. */
  readonly matchedPathLength: number | null;
}

/** Paths in a row that add nothing, or more edges than are wanted, before the rest is filled edge by edge. */
const PATIENCE = 20;

/**
 * Unites random paths of the graph until there are as many edges as in the pruned `circuit`. A path's length is that of a
 * random walk in the circuit, from the logits back to the input, every edge into a node as likely as the others; among the
 * graph's paths of that length all are equally likely. The last edges, where no whole path fits, are drawn among those
 * that join nodes already reached. The mean length over all paths of the union comes close to that of the circuit, and is given.
 * @throws LimnError `tensor/random` (a seed that is no whole number below 2⁵³)
 */
export function randomCircuitLike(circuit: Circuit, { seed }: { readonly seed: number }): RandomCircuit {
  const { graph } = circuit;
  const model = prune(circuit);
  // A stream per size: circuits of one seed at two sizes have nothing in common.
  const draws = new RandomDraws(seed, model.edgeCount);
  const grown = new GrowingCircuit(graph, model.edgeCount);
  const { longest, meanLength } = pathStatistics(model);
  if (longest !== null) {
    const walks = new WalkLengths(model);
    const paths = new PathsByLength(graph, longest);
    for (let misses = 0; grown.left > 0 && misses < PATIENCE;)
      misses = grown.addPath(paths.draw(walks.draw(draws), draws)) ? 0 : misses + 1;
    grown.complete(draws);
  }
  const made = grown.circuit();
  return {
    circuit: made,
    seed,
    meanPathLength: pathStatistics(made).meanLength,
    matchedPathLength: meanLength,
  };
}

/** Lengths of random walks logits → input in a pruned circuit. */
class WalkLengths {
  /** Sources by node, `logits` last; a source that feeds several inputs of a head stands there as often. */
  readonly #into: readonly (readonly number[])[];

  constructor(circuit: Circuit) {
    const { graph } = circuit;
    const sources = (slots: readonly number[]): number[] => slots.flatMap((v) => circuit.sourcesOf(v));
    this.#into = [...graph.nodes.map((_, u) => sources(graph.inputsOf(u))), sources([graph.nBackward - 1])];
  }

  draw(draws: RandomDraws): number {
    let length = 0;
    for (let node = this.#into.length - 1; node !== 0; length++) node = draws.pick(this.#into[node] ?? [0]);
    return length;
  }
}

/** Paths input → logits of the whole graph with a given number of edges, all equally likely. */
class PathsByLength {
  readonly #graph: Graph;
  /** Slots of each source. */
  readonly #inputs: readonly (readonly number[])[];
  /** By length k: running sums over the sources u of the number of paths input → u with k edges, up to a factor per k. */
  readonly #sums: readonly Float64Array[];

  constructor(graph: Graph, longest: number) {
    this.#graph = graph;
    this.#inputs = graph.nodes.map((_, u) => graph.inputsOf(u));
    const level = (counts: Float64Array): Float64Array => {
      // Only shares within one length matter; a factor keeps the counts of deep models finite.
      const most = counts.reduce((a, b) => Math.max(a, b), 0);
      let sum = 0;
      return counts.map((count) => (sum += most === 0 ? 0 : count / most));
    };
    const sums = [level(Float64Array.from(graph.nodes, (_, u) => (u === 0 ? 1 : 0)))];
    for (let k = 1; k < longest; k++) {
      const before = sums[k - 1] as Float64Array;
      // The sources of a slot are a prefix, so their sum is one running sum.
      const counts = this.#inputs.map((slots) =>
        slots.reduce((count, v) => count + (before[graph.prev(v) - 1] ?? 0), 0),
      );
      sums.push(level(Float64Array.from(counts)));
    }
    this.#sums = sums;
  }

  /** Dense indices of the edges of one path. */
  draw(length: number, draws: RandomDraws): number[] {
    const graph = this.#graph;
    const edges: number[] = [];
    let slot = graph.nBackward - 1;
    for (let k = length - 1; k >= 0; k--) {
      const u = this.#drawSource(this.#sums[k] as Float64Array, graph.prev(slot), draws);
      edges.push(graph.dense(u, slot));
      // The inputs of a head have the same sources.
      if (k > 0) slot = draws.pick(this.#inputs[u] ?? []);
    }
    return edges;
  }

  /** A source below `count`, as likely as its part of the running sum. */
  #drawSource(sums: Float64Array, count: number, draws: RandomDraws): number {
    const at = draws.uniform() * (sums[count - 1] ?? 0);
    let low = 0;
    let high = count - 1;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((sums[middle] ?? 0) > at) high = middle;
      else low = middle + 1;
    }
    return low;
  }
}

/** A set of edges that is equal to its own prune at every size, and ends at exactly the wanted one. */
class GrowingCircuit {
  readonly #graph: Graph;
  readonly #mask: Uint8Array;
  readonly #alive: Uint8Array;
  #left: number;

  constructor(graph: Graph, edges: number) {
    this.#graph = graph;
    this.#mask = new Uint8Array(graph.nForward * graph.nBackward);
    this.#alive = new Uint8Array(graph.nForward);
    this.#left = edges;
  }

  /** Edges still wanted. */
  get left(): number {
    return this.#left;
  }

  circuit(): Circuit {
    return new Circuit(this.#graph, this.#mask);
  }

  /** Adds a path when it has new edges, and no more than are wanted. */
  addPath(path: readonly number[]): boolean {
    const fresh = path.filter((edge) => !this.#mask[edge]);
    if (fresh.length === 0 || fresh.length > this.#left) return false;
    for (const edge of fresh) this.#add(edge);
    return true;
  }

  /** Adds edges between living nodes, and a new node where those are all there, until none is wanted. */
  complete(draws: RandomDraws): void {
    while (this.#left > 0) {
      const missing = draws.subset(this.#between(), this.#left);
      for (const edge of missing) this.#add(edge);
      if (this.#left > 0) this.#addNode(draws);
    }
  }

  /** Missing edges whose ends are both alive. */
  #between(): number[] {
    const graph = this.#graph;
    const dense: number[] = [];
    for (const { u, v } of graph.edges()) {
      const owner = graph.ownerOf(v);
      const edge = graph.dense(u, v);
      if (!this.#mask[edge] && this.#alive[u] && (owner === undefined || this.#alive[owner])) dense.push(edge);
    }
    return dense;
  }

  /** A new node takes an edge in and an edge out. Where one edge is left, input → logits makes room: no path needs it. */
  #addNode(draws: RandomDraws): void {
    const graph = this.#graph;
    const direct = graph.dense(0, graph.nBackward - 1);
    if (this.#left === 1) {
      this.#mask[direct] = 0;
      this.#left++;
    }
    const node = draws.pick(graph.nodes.map((_, u) => u).filter((u) => !this.#alive[u]));
    const slot = draws.pick(graph.inputsOf(node));
    const before = graph.nodes.map((_, u) => u).filter((u) => u < graph.prev(slot) && this.#alive[u]);
    const after = graph.slots
      .map((_, v) => v)
      .filter((v) => graph.isEdge(node, v) && this.#alive[graph.ownerOf(v) ?? 0]);
    this.#add(graph.dense(draws.pick(before), slot));
    this.#add(graph.dense(node, draws.pick(after)));
  }

  #add(edge: number): void {
    const { nBackward } = this.#graph;
    this.#mask[edge] = 1;
    this.#left--;
    this.#alive[Math.floor(edge / nBackward)] = 1;
    const owner = this.#graph.ownerOf(edge % nBackward);
    if (owner !== undefined) this.#alive[owner] = 1;
  }
}
