// The edges into and out of every node, the strongest first.
import type { FeatureGraphRecord } from './graph-record.js';

/** Places of edges by node. */
export interface GraphLinks {
  readonly into: (node: number) => readonly number[];
  readonly outOf: (node: number) => readonly number[];
}

export function graphLinks({ nodes, edges }: Pick<FeatureGraphRecord, 'nodes' | 'edges'>): GraphLinks {
  const into: number[][] = nodes.map(() => []);
  const outOf: number[][] = nodes.map(() => []);
  const size = (i: number): number => Math.abs(edges[i]?.[2] ?? 0);
  const falling = edges.map((_, i) => i).sort((a, b) => size(b) - size(a) || a - b);
  for (const i of falling) {
    const [source = 0, target = 0] = edges[i] ?? [];
    into[target]?.push(i);
    outOf[source]?.push(i);
  }
  return { into: (node) => into[node] ?? [], outOf: (node) => outOf[node] ?? [] };
}
