// Some edges as callers give them, a circuit or a list, as a circuit of the graph at hand.
import { LimnError } from '@limn/gpu';
import { Circuit } from './circuit.js';
import type { Graph } from './graph.js';

/** Some edges: those of a circuit, or a list by source and slot. */
export type EdgeSubset = Circuit | readonly { readonly u: number; readonly v: number }[];

/** All edges of the graph where none are given. `data/graph-mismatch`, `data/unknown-edge`. */
export function circuitOfEdges(graph: Graph, edges: EdgeSubset | undefined): Circuit {
  if (edges === undefined) return Circuit.full(graph);
  if (edges instanceof Circuit) {
    if (edges.graph.equals(graph)) return edges;
    throw new LimnError('data/graph-mismatch', 'The edges to patch belong to a model of another shape.', {
      details: {
        model: { layers: graph.layers, heads: graph.heads, block: graph.block },
        edges: { layers: edges.graph.layers, heads: edges.graph.heads, block: edges.graph.block },
      },
    });
  }
  const mask = new Uint8Array(graph.nForward * graph.nBackward);
  for (const { u, v } of edges) {
    if (!graph.isEdge(u, v))
      throw new LimnError(
        'data/unknown-edge',
        `Source ${u} feeds no slot ${v} in this graph, so it is no edge to patch.`,
        {
          details: { u, v, sources: graph.nForward, slots: graph.nBackward },
          hint: 'graph.edges() gives every edge; graph.parseEdge("a0.h1->m0") gives the indices of one.',
        },
      );
    mask[graph.dense(u, v)] = 1;
  }
  return new Circuit(graph, mask);
}
