// A comparison as the record and the page that `limn compare --out` writes.
import type {
  Circuit,
  CircuitComparison,
  CircuitComparisons,
  CrossFaithfulness,
  OverlapAgainstFaithfulness,
  Ranking,
  Selector,
} from '@limn/attribution';
import {
  comparisonToJson,
  renderComparison,
  type ComparedPair,
  type ComparisonRecord,
  type OverlapRecord,
} from '@limn/report';
import type { OutputLayout } from './output.js';

/** What `limn compare --out` writes. */
export const COMPARISON_FILES: OutputLayout = { entries: ['result.json', 'report.html'], mark: 'result.json' };

/** Everything found out about several circuits. */
export interface Compared {
  readonly n: number;
  readonly selector: Selector;
  readonly ranking: Ranking;
  /** By name. */
  readonly circuits: Readonly<Record<string, Circuit>>;
  readonly comparisons: CircuitComparisons;
  /** Where they were run on one another's pairs. */
  readonly cross?: { readonly run: CrossFaithfulness; readonly against: OverlapAgainstFaithfulness } | undefined;
}

/** The files by name. */
export function comparisonFiles(
  found: Compared,
  provenance: ComparisonRecord['provenance'],
): readonly (readonly [name: string, content: string])[] {
  const record = comparisonRecord(found, provenance);
  return [
    ['result.json', comparisonToJson(record)],
    ['report.html', renderComparison(record)],
  ];
}

function comparisonRecord(found: Compared, provenance: ComparisonRecord['provenance']): ComparisonRecord {
  const { n, selector, ranking, circuits, comparisons, cross } = found;
  const { names, pairs, core, withoutCore } = comparisons;
  const places = new Map(names.map((name, i) => [name, i]));
  const place = (name: string): number => places.get(name) ?? -1;
  const compared = ({ first, second, edges, nodes }: CircuitComparison): ComparedPair => ({
    first: place(first),
    second: place(second),
    edges: overlapRecord(edges),
    nodes: overlapRecord(nodes),
  });
  const { layers, heads, edgeCount } = (circuits[names[0] ?? ''] as Circuit).graph;
  const { model } = provenance;
  return {
    schema: 'limn.result',
    version: 1,
    kind: 'comparison',
    title: `${names.length} circuits${model?.name === undefined ? '' : ` of ${model.name}`} compared`,
    provenance,
    n,
    selector,
    ranking,
    graph: { layers, heads, edgeCount },
    circuits: names.map((name) => ({ name, kept: circuits[name]?.edgeCount ?? 0 })),
    pairs: pairs.map(compared),
    core,
    ...(withoutCore === null ? {} : { withoutCore: withoutCore.map(compared) }),
    ...(cross && { cross: crossRecord(cross, names, place) }),
  };
}

/** The matrix in the order of the names, which is not that of a record's keys where a name is a number. */
function crossRecord(
  { run, against }: NonNullable<Compared['cross']>,
  names: readonly string[],
  place: (name: string) => number,
): NonNullable<ComparisonRecord['cross']> {
  const value = (task: string, circuit: string): number | null =>
    run.faithfulness[run.tasks.indexOf(task)]?.[run.circuits.indexOf(circuit)]?.value ?? null;
  return {
    faithfulness: names.map((task) => names.map((circuit) => value(task, circuit))),
    points: against.points.map((point) => ({ ...point, task: place(point.task), circuit: place(point.circuit) })),
    correlation: against.correlation,
  };
}

/** The fields of the record, and no others. */
const overlapRecord = ({
  first,
  second,
  shared,
  iou,
  recallOfFirst,
  recallOfSecond,
  population,
  p,
  log10P,
}: CircuitComparison['edges']): OverlapRecord => ({
  first,
  second,
  shared,
  iou,
  recallOfFirst,
  recallOfSecond,
  population,
  p,
  log10P,
});
