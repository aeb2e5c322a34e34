// How far circuits share edges and nodes: IoU, recall, and the chance of an overlap as large (arXiv 2403.17806 §5); with and without what all of them share.
import { LimnError } from '@limn/gpu';
import type { Circuit } from './circuit.js';
import type { Graph } from './graph.js';
import { hypergeometricTail } from './hypergeometric.js';
import { prune } from './prune.js';
import type { Ranking, Scores } from './scores.js';
import { selectBy } from './select-by.js';
import type { Selector } from './select-by.js';

/** Two sets, and how far they are one. */
export interface Overlap {
  /** |A|, |B|, |A ∩ B|. */
  readonly first: number;
  readonly second: number;
  readonly shared: number;
  /** |A ∩ B| / |A ∪ B|; null where both are empty. */
  readonly iou: number | null;
  /** |A ∩ B| / |A| and |A ∩ B| / |B|; null where that set is empty. */
  readonly recallOfFirst: number | null;
  readonly recallOfSecond: number | null;
  /** What both were drawn from: all edges; all nodes but `input` and `logits`; less the common core where that was left out. */
  readonly population: number;
  /** P(X ≥ shared) when |B| of the population are drawn at random, hypergeometric. */
  readonly p: number;
  readonly log10P: number;
}

/** Two circuits compared. */
export interface CircuitComparison {
  readonly first: string;
  readonly second: string;
  readonly edges: Overlap;
  /** Nodes that a kept edge touches, without `input` and `logits`, which every circuit has. */
  readonly nodes: Overlap;
}

/** Several circuits compared with one another. */
export interface CircuitComparisons {
  readonly names: readonly string[];
  /** Every two, in order. */
  readonly pairs: readonly CircuitComparison[];
  /** What all of them share. */
  readonly core: { readonly edges: readonly string[]; readonly nodes: readonly string[] };
  /** Every two again, with the core taken out of both and of the population; null for fewer than three circuits. */
  readonly withoutCore: readonly CircuitComparison[] | null;
}

/** Sets of edges and nodes of one circuit, and what they are drawn from. */
interface Parts {
  readonly edges: ReadonlySet<string>;
  readonly nodes: ReadonlySet<string>;
}

/**
 * Compares two circuits as they are; prune first, or a stray edge counts.
 * @throws LimnError `usage/hypergeometric`, `data/graph-mismatch`
 */
export function compareCircuits(first: Circuit, second: Circuit): { readonly edges: Overlap; readonly nodes: Overlap } {
  expectOneGraph([first, second]);
  return compare(partsOf(first), partsOf(second), populations(first.graph));
}

/**
 * Compares every two of several named circuits, and again without the common core: at small n the circuits of all tasks may
 * share the same few edges, which says little about any two of them.
 * @throws LimnError `usage/hypergeometric`, `usage/no-circuits`, `data/graph-mismatch`
 */
export function compareAll(circuits: Readonly<Record<string, Circuit>>): CircuitComparisons {
  const names = Object.keys(circuits);
  const all = Object.values(circuits);
  const [one] = all;
  if (one === undefined || all.length < 2)
    throw new LimnError('usage/no-circuits', `A comparison needs at least two circuits; given ${all.length}.`);
  expectOneGraph(all);
  const parts = all.map(partsOf);
  const inAll = (sets: readonly ReadonlySet<string>[]): string[] =>
    [...(sets[0] ?? [])].filter((name) => sets.every((set) => set.has(name)));
  const core = { edges: inAll(parts.map(({ edges }) => edges)), nodes: inAll(parts.map(({ nodes }) => nodes)) };
  const whole = populations(one.graph);
  const everyTwo = (sets: readonly Parts[], population: typeof whole): CircuitComparison[] =>
    sets.flatMap((a, i) =>
      sets.slice(i + 1).map((b, j) => ({
        first: names[i] ?? '',
        second: names[i + 1 + j] ?? '',
        ...compare(a, b, population),
      })),
    );
  const less = (set: ReadonlySet<string>, taken: readonly string[]): ReadonlySet<string> => {
    const gone = new Set(taken);
    return new Set([...set].filter((name) => !gone.has(name)));
  };
  return {
    names,
    pairs: everyTwo(parts, whole),
    core,
    withoutCore:
      all.length < 3
        ? null
        : everyTwo(
            parts.map(({ edges, nodes }) => ({ edges: less(edges, core.edges), nodes: less(nodes, core.nodes) })),
            { edges: whole.edges - core.edges.length, nodes: whole.nodes - core.nodes.length },
          ),
  };
}

/**
 * The pruned circuits of n edges of several tasks, to be compared at equal n.
 * @throws LimnError `data/score-shape`, `data/edges-unscored`, `usage/unknown-selector`, `usage/unknown-ranking`, `usage/circuit-size`
 */
export function circuitsOfSize(
  tasks: Readonly<Record<string, Scores>>,
  n: number,
  { selector = 'top-n', ranking = 'absolute' }: { readonly selector?: Selector; readonly ranking?: Ranking } = {},
): Record<string, Circuit> {
  return Object.fromEntries(
    Object.entries(tasks).map(([name, scores]) => [
      name,
      prune(selectBy(scores, [n], selector, ranking)[0] as Circuit),
    ]),
  );
}

function partsOf(circuit: Circuit): Parts {
  const nodes = circuit.nodeNames().filter((name) => name !== 'input' && name !== 'logits');
  return { edges: new Set(circuit.edgeNames()), nodes: new Set(nodes) };
}

function populations(graph: Graph): { readonly edges: number; readonly nodes: number } {
  return { edges: graph.edgeCount, nodes: graph.nForward - 1 };
}

function compare(
  first: Parts,
  second: Parts,
  population: { readonly edges: number; readonly nodes: number },
): { readonly edges: Overlap; readonly nodes: Overlap } {
  return {
    edges: overlap(first.edges, second.edges, population.edges),
    nodes: overlap(first.nodes, second.nodes, population.nodes),
  };
}

function overlap(a: ReadonlySet<string>, b: ReadonlySet<string>, population: number): Overlap {
  const shared = [...a].filter((name) => b.has(name)).length;
  const union = a.size + b.size - shared;
  const part = (whole: number): number | null => (whole === 0 ? null : shared / whole);
  return {
    first: a.size,
    second: b.size,
    shared,
    iou: part(union),
    recallOfFirst: part(a.size),
    recallOfSecond: part(b.size),
    population,
    ...hypergeometricTail({ population, marked: a.size, drawn: b.size, observed: shared }),
  };
}

function expectOneGraph(circuits: readonly Circuit[]): void {
  const [first, ...rest] = circuits;
  for (const circuit of rest)
    if (first && !first.graph.equals(circuit.graph))
      throw new LimnError('data/graph-mismatch', 'The circuits belong to models of different shape.');
}
