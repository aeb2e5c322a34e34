// Pruning to a fixpoint: a node survives iff it has a kept edge out and a kept edge into any of its slots; dead nodes lose their edges, until nothing changes.
import { Circuit } from './circuit.js';

/**
 * The part of `circuit` on some path input → logits. `input` needs no edge in, `logits` nothing; a head lives with one
 * edge into any of q, k, v. Only removes; the fixpoint is on nodes and edges alike.
 */
export function prune(circuit: Circuit): Circuit {
  const { graph } = circuit;
  const mask = circuit.mask();
  const out = new Int32Array(graph.nForward);
  const into = new Int32Array(graph.nForward);
  for (const { u, v } of circuit.edges()) {
    out[u] = (out[u] ?? 0) + 1;
    const owner = graph.ownerOf(v);
    if (owner !== undefined) into[owner] = (into[owner] ?? 0) + 1;
  }
  const dead = (u: number): boolean => out[u] === 0 || (u !== 0 && into[u] === 0);
  const gone = new Uint8Array(graph.nForward);
  const queue: number[] = [];
  const bury = (u: number): void => {
    if (!gone[u] && dead(u)) {
      gone[u] = 1;
      queue.push(u);
    }
  };
  for (let u = 0; u < graph.nForward; u++) bury(u);
  const drop = (u: number, v: number): void => {
    const i = graph.dense(u, v);
    if (!mask[i]) return;
    mask[i] = 0;
    out[u] = (out[u] ?? 0) - 1;
    const owner = graph.ownerOf(v);
    if (owner !== undefined) into[owner] = (into[owner] ?? 0) - 1;
    bury(u);
    if (owner !== undefined) bury(owner);
  };
  for (let u = queue.pop(); u !== undefined; u = queue.pop()) {
    for (let v = 0; v < graph.nBackward; v++) if (graph.isEdge(u, v)) drop(u, v);
    for (const v of graph.inputsOf(u)) for (let w = 0; w < graph.prev(v); w++) drop(w, v);
  }
  return new Circuit(graph, mask);
}
