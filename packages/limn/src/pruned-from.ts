// What pruning took from the circuit that is shown: edges of a choice of edges, chosen nodes of a choice of nodes or neurons.
import {
  pruneReport,
  selectBy,
  selectTopNeurons,
  selectTopNodes,
  type Circuit,
  type PruneReport,
  type Scores,
  type Selector,
} from '@limn/attribution';
import type { UnitFindings } from './circuit-record.js';
import type { ShownCircuit } from './shown-circuit.js';
import { unitScores } from './unit-curves.js';

/** The choice, made again. Of chosen nodes the edges that went lead into nodes that were not chosen, and are not named. */
export function prunedFrom({
  scores,
  selector,
  shown,
  units,
}: {
  readonly scores: Scores;
  readonly selector: Selector;
  readonly shown: ShownCircuit;
  readonly units: UnitFindings | undefined;
}): Pick<PruneReport, 'edges' | 'nodes'> {
  if (units === undefined) return pruneReport(selectBy(scores, [shown.n], selector, 'absolute')[0] as Circuit);
  const ranked = unitScores(units.unit, units.scores);
  const count = units.chosen.get(shown.n)?.units ?? 0;
  const chosen = units.unit === 'node' ? selectTopNodes(ranked, count) : selectTopNeurons(ranked, count).circuit;
  const { graph } = chosen;
  return {
    edges: [],
    nodes: pruneReport(chosen).nodes.filter(({ name }) => chosen.feeds(graph.forwardIndex(name))),
  };
}
