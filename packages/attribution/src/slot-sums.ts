// How the slots of a circuit are summed with least reading: kept edges one by one, x'_v + Σ_{(u,v) ∈ C} d_u, or, where few are missing, from the sum over all nodes so far, x'_v + Σ_u d_u − Σ_{(u,v) ∉ C} d_u; d_u = ẑ_u − z'_u.
import type { Circuit } from './circuit.js';

/** The rows d_u that a circuit's slots read. */
export interface SlotSums {
  /** Whether the sum over all nodes so far is kept up: where it saves more rows than it costs. */
  readonly running: boolean;
  /** Rows read by all slots, and for the running sum: what the cost of joining a circuit's nodes is in proportion to. */
  readonly rows: number;
}

/** The way with fewer rows; ties go to the edges one by one, which round less. */
export function slotSums(circuit: Circuit): SlotSums {
  const { graph } = circuit;
  const sources = circuit.sources();
  let saved = 0;
  let running = 0;
  // Sources that the running sum has in it by then, 0 … covered − 1, and how many of them are live.
  let covered = 0;
  let inIt = 0;
  for (let v = 0; v < graph.nBackward; v++) {
    const edges = circuit.sourcesOf(v).length;
    const live = sources.filter((u) => u < graph.prev(v)).length;
    if (missingTerms(live, edges) >= edges) continue;
    saved += edges - missingTerms(live, edges);
    if (graph.prev(v) === covered) continue;
    // It is brought up to date: itself again, and the new ones.
    running += live - inIt + (covered === 0 ? 0 : 1);
    covered = graph.prev(v);
    inIt = live;
  }
  return saved > running
    ? { running: true, rows: circuit.edgeCount - saved + running }
    : { running: false, rows: circuit.edgeCount };
}

/** Rows read by a slot with that many edges of `live` nodes before it, when it starts from the running sum. */
export function missingTerms(live: number, edges: number): number {
  return 1 + live - edges;
}
