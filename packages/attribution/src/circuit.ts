// A circuit: an immutable set of edges of one graph, C ⊆ E.
import { LimnError } from '@limn/gpu';
import type { Graph } from './graph.js';

/** A set of edges of one graph. Immutable: every operation gives a new circuit. */
export class Circuit {
  readonly graph: Graph;
  readonly edgeCount: number;
  /** [nForward × nBackward], 1 where the edge is kept. Never handed out. */
  readonly #mask: Uint8Array;

  /**
   * `mask` is copied.
   * @throws LimnError `data/circuit-shape` for a mask of another length, `data/unknown-edge` for a 1 where the graph has no edge
   */
  constructor(graph: Graph, mask: Uint8Array) {
    if (mask.length !== graph.nForward * graph.nBackward)
      throw new LimnError(
        'data/circuit-shape',
        `A circuit mask of ${mask.length} entries does not fit ${graph.nForward} sources × ${graph.nBackward} slots.`,
        { details: { given: mask.length, sources: graph.nForward, slots: graph.nBackward } },
      );
    this.graph = graph;
    this.#mask = new Uint8Array(mask.length);
    let count = 0;
    for (let i = 0; i < mask.length; i++) {
      if (!mask[i]) continue;
      const u = Math.floor(i / graph.nBackward);
      const v = i % graph.nBackward;
      if (!graph.isEdge(u, v))
        throw new LimnError(
          'data/unknown-edge',
          `The mask keeps ${graph.edgeName(u, v)}, which is no edge of this graph.`,
          {
            details: { u, v },
          },
        );
      this.#mask[i] = 1;
      count++;
    }
    this.edgeCount = count;
  }

  /** No edge: what is left when everything is corrupted. */
  static empty(graph: Graph): Circuit {
    return new Circuit(graph, new Uint8Array(graph.nForward * graph.nBackward));
  }

  /** Every edge: the model itself. */
  static full(graph: Graph): Circuit {
    return Circuit.where(graph, () => true);
  }

  /** The edges (u, v) for which `keep` says yes. */
  static where(graph: Graph, keep: (u: number, v: number) => boolean): Circuit {
    const mask = new Uint8Array(graph.nForward * graph.nBackward);
    for (const { u, v } of graph.edges()) if (keep(u, v)) mask[graph.dense(u, v)] = 1;
    return new Circuit(graph, mask);
  }

  /** The named edges: `Circuit.ofEdges(graph, ['a0.h1->m0', 'm0->logits'])`. @throws LimnError `data/unknown-edge` */
  static ofEdges(graph: Graph, names: Iterable<string>): Circuit {
    const mask = new Uint8Array(graph.nForward * graph.nBackward);
    for (const name of names) {
      const { u, v } = graph.parseEdge(name);
      mask[graph.dense(u, v)] = 1;
    }
    return new Circuit(graph, mask);
  }

  /** Does this circuit keep the edge (u, v)? False where there is none. */
  has(u: number, v: number): boolean {
    return this.graph.isEdge(u, v) && this.#mask[this.graph.dense(u, v)] === 1;
  }

  /** A copy of the mask, [nForward × nBackward]. */
  mask(): Uint8Array {
    return this.#mask.slice();
  }

  /** Every kept edge, by destination, then by source. */
  *edges(): Generator<{ readonly u: number; readonly v: number }> {
    for (const edge of this.graph.edges()) if (this.has(edge.u, edge.v)) yield edge;
  }

  /** Names of the kept edges, by destination, then by source. */
  edgeNames(): string[] {
    return [...this.edges()].map(({ u, v }) => this.graph.edgeName(u, v));
  }

  /** The sources that feed slot `v` in this circuit, ascending. */
  sourcesOf(v: number): number[] {
    const found: number[] = [];
    for (let u = 0; u < this.graph.prev(v); u++) if (this.has(u, v)) found.push(u);
    return found;
  }

  /** Does source `u` feed anything in this circuit? */
  feeds(u: number): boolean {
    const { nBackward } = this.graph;
    return this.#mask.subarray(u * nBackward, (u + 1) * nBackward).includes(1);
  }

  /** Sources with at least one kept edge out, ascending. */
  sources(): number[] {
    return this.graph.nodes.map((_, u) => u).filter((u) => this.feeds(u));
  }

  /** Names of the nodes that a kept edge touches, `logits` included. */
  nodeNames(): string[] {
    const touched = new Set<string>();
    for (const { u, v } of this.edges()) {
      touched.add(this.graph.nodeName(u));
      const owner = this.graph.ownerOf(v);
      touched.add(owner === undefined ? 'logits' : this.graph.nodeName(owner));
    }
    return [...this.graph.nodes.map((_, u) => this.graph.nodeName(u)), 'logits'].filter((name) => touched.has(name));
  }

  /** Edges of either. @throws LimnError `data/graph-mismatch` */
  union(other: Circuit): Circuit {
    return Circuit.where(this.#same(other), (u, v) => this.has(u, v) || other.has(u, v));
  }

  /** Edges of both. @throws LimnError `data/graph-mismatch` */
  intersection(other: Circuit): Circuit {
    return Circuit.where(this.#same(other), (u, v) => this.has(u, v) && other.has(u, v));
  }

  /** Edges of this one that the other lacks. @throws LimnError `data/graph-mismatch` */
  difference(other: Circuit): Circuit {
    return Circuit.where(this.#same(other), (u, v) => this.has(u, v) && !other.has(u, v));
  }

  /**
   * Whether both keep the same edges of equal graphs.
   * @throws LimnError `data/graph-mismatch`
   */
  equals(other: Circuit): boolean {
    return (
      this.graph.equals(other.graph) && this.edgeCount === other.edgeCount && this.difference(other).edgeCount === 0
    );
  }

  #same(other: Circuit): Graph {
    if (!this.graph.equals(other.graph))
      throw new LimnError('data/graph-mismatch', 'The two circuits belong to models of different shape.', {
        details: {
          first: { layers: this.graph.layers, heads: this.graph.heads, block: this.graph.block },
          second: { layers: other.graph.layers, heads: other.graph.heads, block: other.graph.block },
        },
      });
    return this.graph;
  }
}
