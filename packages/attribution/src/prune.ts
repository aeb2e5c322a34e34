// Pruning to a fixpoint: a node survives iff it has a kept edge out and a kept edge into any of its slots; dead nodes lose their edges, until nothing changes.
import { Circuit } from './circuit.js';

/** A node that pruning removed, and which rule it broke first: no kept edge out (`unread`), or none into any slot (`unfed`). */
export interface PrunedNode {
  readonly name: string;
  readonly reason: 'unread' | 'unfed';
}

/** A pruned circuit, and all that pruning took away from the one it was given. */
export interface PruneReport {
  /** What is left: the same as {@link prune}. */
  readonly circuit: Circuit;
  /** Names of the edges, in the order in which they went. */
  readonly edges: readonly string[];
  /** Nodes that had an edge in the given circuit and have none now, in the order in which they went. */
  readonly nodes: readonly PrunedNode[];
}

/**
 * The part of `circuit` on some path input → logits. `input` needs no edge in, `logits` nothing; a head lives with one
 * edge into any of q, k, v. Only removes; the fixpoint is on nodes and edges alike.
 */
export function prune(circuit: Circuit): Circuit {
  return removeDead(circuit).circuit;
}

/** {@link prune}, with the names of what went: first what breaks a rule at once, then what that leaves without an edge, and so on. */
export function pruneReport(circuit: Circuit): PruneReport {
  const { graph } = circuit;
  const { circuit: left, edges, nodes } = removeDead(circuit);
  return {
    circuit: left,
    edges: edges.map((i) => graph.edgeName(Math.floor(i / graph.nBackward), i % graph.nBackward)),
    nodes: nodes.map(({ u, reason }) => ({ name: graph.nodeName(u), reason })),
  };
}

/** Dense indices of the removed edges and the removed nodes, in order. */
function removeDead(circuit: Circuit): {
  readonly circuit: Circuit;
  readonly edges: readonly number[];
  readonly nodes: readonly { readonly u: number; readonly reason: PrunedNode['reason'] }[];
} {
  const { graph } = circuit;
  const mask = circuit.mask();
  const out = new Int32Array(graph.nForward);
  const into = new Int32Array(graph.nForward);
  for (const { u, v } of circuit.edges()) {
    out[u] = (out[u] ?? 0) + 1;
    const owner = graph.ownerOf(v);
    if (owner !== undefined) into[owner] = (into[owner] ?? 0) + 1;
  }
  const edges: number[] = [];
  const nodes: { u: number; reason: PrunedNode['reason'] }[] = [];
  const gone = new Uint8Array(graph.nForward);
  const bury = (u: number): void => {
    const reason = out[u] === 0 ? 'unread' : u !== 0 && into[u] === 0 ? 'unfed' : undefined;
    if (gone[u] || reason === undefined) return;
    gone[u] = 1;
    nodes.push({ u, reason });
  };
  // A node without any edge has nothing to lose.
  for (let u = 0; u < graph.nForward; u++)
    if (out[u] === 0 && into[u] === 0) gone[u] = 1;
    else bury(u);
  const drop = (u: number, v: number): void => {
    const i = graph.dense(u, v);
    if (!mask[i]) return;
    mask[i] = 0;
    edges.push(i);
    out[u] = (out[u] ?? 0) - 1;
    const owner = graph.ownerOf(v);
    if (owner !== undefined) into[owner] = (into[owner] ?? 0) - 1;
    bury(u);
    if (owner !== undefined) bury(owner);
  };
  // The list grows while it is walked.
  for (const { u } of nodes) {
    for (let v = 0; v < graph.nBackward; v++) if (graph.isEdge(u, v)) drop(u, v);
    for (const v of graph.inputsOf(u)) for (let w = 0; w < graph.prev(v); w++) drop(w, v);
  }
  return { circuit: edges.length === 0 ? circuit : new Circuit(graph, mask), edges, nodes };
}
