// A comparison of circuits as lines for the terminal.
import type { CircuitComparison, CrossFaithfulness, OverlapAgainstFaithfulness, Overlap } from '@limn/attribution';
import type { Compared } from './comparison-output.js';

/** Rows under a heading, every column as wide as its widest cell; the first is text, the others are numbers. */
export function columns(head: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const widths = head.map((_, i) => Math.max(...[head, ...rows].map((row) => (row[i] ?? '').length)));
  return [head, ...rows].map((row) =>
    `  ${row.map((cell, i) => (i === 0 ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0))).join('  ')}`.trimEnd(),
  );
}

const ratio = (value: number | null): string => (value === null ? '–' : value.toFixed(2).replace(/^-(?=0\.00$)/, ''));
/** Small probabilities by their logarithm, which does not underflow. */
const chance = ({ p, log10P }: Overlap): string => (log10P < -4 ? `1e${log10P.toFixed(1)}` : p.toPrecision(2));

/** Edges or nodes of every two circuits: shared, IoU, recall both ways, and the chance of an overlap as large. */
export function overlapLines(what: 'edges' | 'nodes', comparisons: readonly CircuitComparison[]): string[] {
  return columns(
    [what, 'shared', 'IoU', 'recall of first', 'of second', 'p'],
    comparisons.map(({ first, second, [what]: overlap }) => [
      `${first} × ${second}`,
      `${overlap.shared} of ${overlap.first}, ${overlap.second}`,
      ratio(overlap.iou),
      ratio(overlap.recallOfFirst),
      ratio(overlap.recallOfSecond),
      chance(overlap),
    ]),
  );
}

/** f of every circuit (column) on the pairs of every task (row). */
export function crossLines({ tasks, circuits, faithfulness }: CrossFaithfulness): string[] {
  return columns(
    ['pairs of \\ circuit of', ...circuits],
    tasks.map((task, t) => [task, ...(faithfulness[t] ?? []).map(({ value }) => ratio(value))]),
  );
}

/** Whether overlap predicts faithfulness, over every task and every other circuit. */
export function correlationLines({ correlation }: OverlapAgainstFaithfulness): string[] {
  return columns(
    ['overlap against faithfulness', 'points', 'Pearson', 'Spearman'],
    Object.entries(correlation).map(([name, { points, pearson, spearman }]) => [
      name,
      String(points),
      ratio(pearson),
      ratio(spearman),
    ]),
  );
}

/** All of it: what every two share, with and without what all do, and how far one does another's work. */
export function comparisonLines({ n, selector, ranking, circuits, comparisons, cross }: Compared): string[] {
  const { pairs, core, withoutCore } = comparisons;
  const both = (all: readonly CircuitComparison[]): string[] =>
    (['edges', 'nodes'] as const).flatMap((what) => overlapLines(what, all));
  return [
    `${Object.keys(circuits).length} circuits of ${n} edges each, by ${selector} ${ranking === 'signed' ? 'signed score' : '|score|'}, pruned`,
    ...both(pairs),
    ...(withoutCore
      ? [`without what all share, ${core.edges.length} edges and ${core.nodes.length} nodes`, ...both(withoutCore)]
      : []),
    ...(cross ? ['faithfulness across tasks', ...crossLines(cross.run), ...correlationLines(cross.against)] : []),
  ];
}
