// Which nodes and edges of a graph are shown at a threshold, and the sentence that says how many are not.
import { numberText } from '../number-text.js';
import { isMovable } from './graph-names.js';
import type { FeatureGraphRecord } from './graph-record.js';

/** What a reader chose to see. */
export interface GraphChoice {
  /** Nodes whose cumulative influence is up to this. */
  readonly nodes: number;
  /** Of the edges between them, those up to this. */
  readonly edges: number;
  /** Whether constants, which have no influence, are shown. */
  readonly constants: boolean;
}

/** What is shown. */
export interface ShownGraph {
  /** One per node. */
  readonly nodes: readonly boolean[];
  /** Places of edges. */
  readonly edges: readonly number[];
  /** Edges within the thresholds that are too weak to be among those that a page draws. */
  readonly weaker: number;
}

/** Edges that are drawn at once. */
export const mostEdges = 5000;

/** Nodes whose influence is not known count as the most important. Pinned nodes stay. */
export function shownGraph(
  { nodes, edges }: Pick<FeatureGraphRecord, 'nodes' | 'edges'>,
  choice: GraphChoice,
  pinned: ReadonlySet<number> = new Set(),
): ShownGraph {
  // Shares are f32: a threshold that was written as 0.8 is met by a share of 0.80000001.
  const upTo = (share: number | undefined, threshold: number): boolean => (share ?? 0) <= threshold + 1e-6;
  const seen = nodes.map(
    (node, i) =>
      pinned.has(i) ||
      (node.kind === 'bias' ? choice.constants : !isMovable(node) || upTo(node.influence, choice.nodes)),
  );
  const within = edges.flatMap(([source, target, , influence], i) =>
    seen[source] && seen[target] && upTo(influence, choice.edges) ? [i] : [],
  );
  const strength = (i: number): number => Math.abs(edges[i]?.[2] ?? 0);
  const drawn =
    within.length > mostEdges
      ? [...within]
          .sort((a, b) => strength(b) - strength(a) || a - b)
          .slice(0, mostEdges)
          .sort((a, b) => a - b)
      : within;
  return { nodes: seen, edges: drawn, weaker: within.length - drawn.length };
}

/** '62 of 211 nodes, 340 of 2,104 edges shown; hidden are 120 features, 29 errors.' */
export function shownText(
  { nodes, edges, whole }: Pick<FeatureGraphRecord, 'nodes' | 'edges' | 'whole'>,
  shown: ShownGraph,
): string {
  const count = (n: number): string => numberText(n, 9);
  const hidden = new Map<string, number>();
  nodes.forEach(({ kind }, i) => {
    if (!shown.nodes[i]) hidden.set(kind, (hidden.get(kind) ?? 0) + 1);
  });
  const kinds = [...hidden].map(([kind, n]) => `${count(n)} ${plural(kind, n)}`);
  const parts = [
    `${count(nodes.length - [...hidden.values()].reduce((sum, n) => sum + n, 0))} of ${count(nodes.length)} nodes, ` +
      `${count(shown.edges.length)} of ${count(edges.length)} edges shown`,
    kinds.length ? `hidden: ${kinds.join(', ')}` : '',
    shown.weaker ? `${count(shown.weaker)} more edges are weaker than these` : '',
    whole && (whole.nodes > nodes.length || whole.edges > edges.length)
      ? `the whole graph has ${count(whole.nodes)} nodes and ${count(whole.edges)} edges`
      : '',
  ];
  return `${parts.filter(Boolean).join('; ')}.`;
}

const plural = (kind: string, n: number): string => (n === 1 ? kind : kind === 'bias' ? 'biases' : `${kind}s`);
