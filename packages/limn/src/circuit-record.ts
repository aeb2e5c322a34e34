// One circuit's findings as the record that result.json and the report page are made from.
import type {
  BaselineCurve,
  BootstrapOptions,
  CurvePoint,
  Drop,
  FaithfulnessCurves,
  Minimality,
  NodeScores,
  Pair,
  PruneReport,
  Scores,
  SmallestCircuit,
} from '@limn/attribution';
import type {
  BaselineRecord,
  CircuitRecord,
  DropRecord,
  EdgeRow,
  KnockOutRecord,
  PointRecord,
  Provenance,
} from '@limn/report';
import type { Unit } from './circuit-request.js';
import { referenceOf, type ExactComparison } from './exact-comparison.js';
import type { Judgements } from './judgements.js';
import type { LeftOutPair } from './left-out.js';
import type { LearntMasks } from './learnt-masks.js';
import type { MethodChoice } from './methods.js';
import { headlineCircuits, type ShownCircuit } from './shown-circuit.js';
import type { KnownStability } from './stability.js';
import type { ChosenUnits } from './unit-curves.js';

/** The whole table of edges is kept up to this size; beyond it, the edges of largest |score|. GPT-2 small has 32,491. */
const EDGES_KEPT = 40_000;
/** More edges than this are a blot, not a drawing. */
const EDGES_DRAWN = 1000;
/** Pairs shown to the reader. */
const PAIRS_SHOWN = 24;

/** Circuits that were chosen by nodes or neurons. */
export interface UnitFindings {
  readonly unit: Exclude<Unit, 'edge'>;
  readonly scores: NodeScores;
  /** What was chosen at each size of the headline curve. */
  readonly chosen: ReadonlyMap<number, ChosenUnits>;
}

/** Everything found out about one task. */
export interface Findings {
  readonly task: CircuitRecord['task'];
  readonly title: string;
  readonly metric: CircuitRecord['metric'];
  readonly method: MethodChoice;
  readonly scores: Scores;
  readonly curves: FaithfulnessCurves;
  /** The circuit that graph.json marks and that the page opens on. */
  readonly shown: ShownCircuit;
  /** What pruning took from the shown circuit. */
  readonly pruned: Pick<PruneReport, 'edges' | 'nodes'>;
  /** How the bands of the curves were drawn. */
  readonly bands?: Required<{ readonly [K in keyof BootstrapOptions]: number }>;
  /** The shown circuit selected again from resampled pairs. */
  readonly stability?: KnownStability;
  /** Where circuits were chosen by nodes or neurons. */
  readonly units?: UnitFindings;
  /** The smallest circuit of the threshold that was asked for. */
  readonly search?: SmallestCircuit;
  /** Where masks were learnt. */
  readonly masks?: LearntMasks;
  /** Every edge and node of the shown circuit dropped alone. */
  readonly knockOut?: Minimality;
  /** What else was asked for. */
  readonly judgements: Judgements;
  /** Pairs that the faithfulness was measured on, with the metric of each. */
  readonly pairs: readonly Pair[];
  readonly values?: { readonly clean: readonly number[]; readonly corrupted: readonly number[] };
  /** Where the scores were held against exact patching. */
  readonly exact?: ExactComparison;
  readonly flags: CircuitRecord['flags'];
  /** Pairs that were left out, every one. */
  readonly leftOut: readonly LeftOutPair[];
}

/** `show` gives the text of a token id. */
export function circuitRecord(found: Findings, provenance: Provenance, show: (id: number) => string): CircuitRecord {
  const { scores, curves, shown, method } = found;
  const { graph } = scores;
  const order = edgesToKeep(found);
  const indexOf = new Map(order.map(({ u, v }, i) => [graph.dense(u, v), i]));
  const drawn = drawnCircuits(curves).map(({ n, circuit }) => ({
    n,
    selection: 'absolute' as const,
    edges: [...circuit.edges()].flatMap(({ u, v }) => indexOf.get(graph.dense(u, v)) ?? []),
  }));
  return {
    schema: 'limn.result',
    version: 1,
    title: found.title,
    provenance,
    kind: 'circuit',
    task: found.task,
    metric: found.metric,
    baselines: curves.baselines,
    method: {
      name: method.name,
      title: method.title,
      ...(method.igSteps === undefined ? {} : { igSteps: method.igSteps }),
      ...(method.igRule === undefined ? {} : { igRule: method.igRule }),
      ablation: method.ablation,
      selector: method.selector,
      ...(found.units === undefined ? {} : { unit: found.units.unit }),
    },
    graph: { layers: graph.layers, heads: graph.heads, block: graph.block, edgeCount: graph.edgeCount },
    edges: order.map(({ u, v }) => {
      const row = [graph.edgeName(u, v), numberOrNull(scores, u, v), shown.circuit.has(u, v)];
      // The schema lets the last entry be left out, which its tuple type cannot say.
      return (found.exact === undefined
        ? row
        : [...row, numberOrNull(found.exact.scores, u, v)]) as readonly unknown[] as EdgeRow;
    }),
    circuit: { selection: 'absolute', n: shown.n, kept: shown.kept, faithfulness: shown.faithfulness },
    circuits: drawn,
    curves: curves.curves.map(({ selection, sizes, points, baselines }) => ({
      selection,
      sizes,
      points: points.map((point) => pointRecord(point, found.units)),
      ...(baselines === undefined ? {} : { baselines: baselines.map(baselineRecord) }),
    })),
    ...(curves.also === undefined ? {} : { also: curves.also }),
    ...(found.bands === undefined ? {} : { bands: found.bands }),
    ...(found.stability === undefined ? {} : { stability: stabilityRecord(found.stability, indexOf) }),
    pruned: { edges: found.pruned.edges, nodes: found.pruned.nodes },
    ...(found.knockOut === undefined ? {} : { knockOut: knockOutRecord(found.knockOut) }),
    areas: curves.areas,
    smallest: curves.smallest,
    pairs: found.pairs.slice(0, PAIRS_SHOWN).map((pair, i) => ({
      clean: pair.clean.map(show),
      corrupted: pair.corrupted.map(show),
      correct: pair.correct.map(show),
      incorrect: pair.incorrect.map(show),
      ...(found.values === undefined
        ? {}
        : { values: { clean: found.values.clean[i] ?? 0, corrupted: found.values.corrupted[i] ?? 0 } }),
    })),
    flags: found.flags,
    ...(found.exact === undefined
      ? {}
      : { agreement: { reference: referenceOf(found.exact), ...found.exact.agreement } }),
  };
}

function pointRecord(
  { n, kept, fraction, faithfulness, value, reason, also, band }: CurvePoint,
  units: UnitFindings | undefined,
): PointRecord {
  const chosen = units?.chosen.get(n)?.units;
  return {
    n,
    kept,
    fraction,
    faithfulness,
    value: Number.isFinite(value) ? value : null,
    ...(chosen === undefined ? {} : { units: chosen }),
    ...(reason === undefined ? {} : { reason }),
    ...(also === undefined
      ? {}
      : {
          also: Object.fromEntries(
            Object.entries(also).map(([name, further]) => [
              name,
              { ...further, value: Number.isFinite(further.value) ? further.value : null },
            ]),
          ),
        }),
    ...(band === undefined
      ? {}
      : { band: { low: band.low, high: band.high, ...(band.reason === undefined ? {} : { reason: band.reason }) } }),
  };
}

const finiteOrNull = (x: number): number | null => (Number.isFinite(x) ? x : null);

function knockOutRecord({ value, faithfulness, tolerance, edges, nodes }: Minimality): KnockOutRecord {
  const drop = ({ unit: _unit, ...dropped }: Drop): DropRecord => ({
    ...dropped,
    value: finiteOrNull(dropped.value),
    change: finiteOrNull(dropped.change),
  });
  return { value: finiteOrNull(value), faithfulness, tolerance, edges: edges.map(drop), nodes: nodes.map(drop) };
}

function baselineRecord({ name, points }: BaselineCurve): BaselineRecord {
  return {
    name,
    draws: Math.max(1, ...points.map(({ values }) => values.length)),
    points: points.map(({ n, kept, faithfulness, low, high }) => ({ n, kept, faithfulness, low, high })),
  };
}

/** Frequencies of the edges that some resample selected, by their place in `edges`; those beyond the kept table are left out. */
function stabilityRecord(
  { resamples, seed, jaccard, band, frequency }: KnownStability,
  indexOf: ReadonlyMap<number, number>,
): NonNullable<CircuitRecord['stability']> {
  return {
    resamples,
    seed,
    jaccard: { ...jaccard, low: band.low, high: band.high },
    selected: [...indexOf].flatMap(([dense, i]) => {
      // A count of resamples, without the round-off of its sum.
      const share = Math.round((frequency[dense] ?? 0) * resamples) / resamples;
      return share > 0 ? [[i, share] as const] : [];
    }),
  };
}

function numberOrNull({ graph, values }: Scores, u: number, v: number): number | null {
  const score = values[graph.dense(u, v)] ?? Number.NaN;
  return Number.isFinite(score) ? score : null;
}

/** Every edge in the order of the graph, or the edges of largest |score| together with those of every drawn circuit. */
function edgesToKeep({ scores, curves }: Findings): readonly { readonly u: number; readonly v: number }[] {
  const { graph } = scores;
  const all = [...graph.edges()];
  if (all.length <= EDGES_KEPT) return all;
  const magnitude = ({ u, v }: { u: number; v: number }): number =>
    Math.abs(scores.values[graph.dense(u, v)] ?? 0) || 0;
  const strongest = all.map(magnitude).sort((a, b) => b - a)[EDGES_KEPT - 1] ?? 0;
  const drawn = drawnCircuits(curves);
  return all.filter((edge) => magnitude(edge) >= strongest || drawn.some(({ circuit }) => circuit.has(edge.u, edge.v)));
}

/** The headline circuits that a page can still draw, without repeating one. */
function drawnCircuits(curves: FaithfulnessCurves): ShownCircuit[] {
  return headlineCircuits(curves).filter(
    ({ kept }, i, all) => kept > 0 && kept <= EDGES_DRAWN && kept !== all[i - 1]?.kept,
  );
}
