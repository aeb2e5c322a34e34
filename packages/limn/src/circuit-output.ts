// The three files of a circuit, and the few lines a person reads on the terminal.
import {
  graphToJson,
  type Agreement,
  type Completeness,
  type Drop,
  type IgConvergence,
  type Minimality,
  type SmallestCircuit,
} from '@limn/attribution';
import { ablationWords, recordToJson, renderReport, type CircuitRecord, type Provenance } from '@limn/report';
import { circuitRecord, type Findings, type UnitFindings } from './circuit-record.js';
import { DELTA, RANDOM } from './curve-controls.js';
import { doubts } from './flags.js';
import { ALL_TASKS, readingFigures, type Judgements, type ReadingFigures } from './judgements.js';
import { leftOutLines, type LeftOutPair } from './left-out.js';
import type { LearntMasks } from './learnt-masks.js';
import type { OutputLayout } from './output.js';
import { headlineCurve, type ShownCircuit } from './shown-circuit.js';
import { randomUnits } from './unit-curves.js';

export const CIRCUIT_FILES: OutputLayout = {
  entries: ['graph.json', 'result.json', 'report.html'],
  mark: 'result.json',
};

/** The headline of a result: baselines, the circuit shown, and the fewest top edges that reach each threshold. */
export interface FindingFigures {
  readonly task: string;
  readonly metric: string;
  readonly baselines: CircuitRecord['baselines'];
  readonly circuit: Pick<ShownCircuit, 'n' | 'kept' | 'faithfulness'> & { readonly edgeCount: number };
  readonly smallest: CircuitRecord['smallest'];
  /** The shown circuit's band, what it is held against at its size, and how often resampled searches find it again. */
  readonly doubts: {
    readonly band?: { readonly low: number | null; readonly high: number | null };
    readonly controls: Readonly<Record<string, { readonly faithfulness: number | null; readonly draws: number }>>;
    readonly jaccard?: number;
    readonly pruned: number;
  };
  /** Every size of the headline curve: what it costs to read. */
  readonly reading: readonly ReadingFigures[];
  /** With exact patching of every edge, or of a sample, where that was asked for. */
  readonly agreement?: Agreement;
  /** Scores with m points of the path against those with more, where that was asked for. */
  readonly convergence?: Pick<IgConvergence, 'steps' | 'referenceSteps' | 'agreement' | 'overlaps' | 'relativeChange'>;
  /** Subsets knocked out of the circuit and of the model, where that was asked for. */
  readonly completeness?: Omit<Completeness, 'circuit'>;
  /** Where circuits were chosen by nodes or neurons: how many of how many are in the circuit shown. */
  readonly chosen?: { readonly unit: string; readonly units: number; readonly of: number };
  /** Where masks were learnt. */
  readonly masks?: LearntMasks;
  /** Where a smallest circuit was searched for. */
  readonly search?: Pick<SmallestCircuit, 'threshold' | 'found' | 'setbacks' | 'passesFrom'>;
  /** Where parts were dropped: how many of each verdict, and the edges that the circuit does not need. */
  readonly knockOut?: KnockOutFigures;
  readonly flags: CircuitRecord['flags'];
  /** Pairs that were left out, and why. */
  readonly leftOut: readonly LeftOutPair[];
}

/** What dropping every part alone came to. */
export interface KnockOutFigures {
  readonly edges: Readonly<Record<Drop['verdict'], number>>;
  readonly nodes: Readonly<Record<Drop['verdict'], number>>;
  readonly dispensable: readonly string[];
}

/** Names and contents. `show` gives the text of a token id. */
export function circuitFiles(
  found: Findings,
  provenance: Provenance,
  show: (id: number) => string,
): readonly (readonly [name: string, content: string])[] {
  const record = circuitRecord(found, provenance, show);
  return [
    ['graph.json', graphFile(found, provenance)],
    ['result.json', recordToJson(record)],
    ['report.html', renderReport([record])],
  ];
}

/** EAP-IG's schema, with what upstream leaves out under `limn`. */
export function graphFile({ scores, shown, method, metric, task, units }: Findings, provenance: Provenance): string {
  const chosen = units?.chosen.get(shown.n);
  const { circuit } = shown;
  const graph = graphToJson({
    scores,
    circuit: chosen?.neurons ? { circuit, neurons: chosen.neurons } : circuit,
    nodeScores: units?.scores,
    provenance: {
      loss: `negated ${metric.name}`,
      metric: metric.name,
      method: method.name,
      ...(method.igSteps === undefined ? {} : { igSteps: method.igSteps, igRule: method.igRule }),
      ...(method.igVariant === undefined ? {} : { igVariant: method.igVariant }),
      pairs: task.pairs,
      batch: 'mean over pairs',
      ablation: method.ablation,
      ...(method.masks === undefined ? {} : { masks: method.masks }),
      selection: {
        by: method.selector,
        ranking: 'absolute',
        n: shown.n,
        kept: shown.kept,
        ...(units === undefined ? {} : { unit: units.unit, units: chosen?.units ?? 0 }),
      },
      ...(provenance.pairsSha256 === undefined ? {} : { pairsSha256: provenance.pairsSha256 }),
      weightsSha256: provenance.model.weightsSha256,
      weightProcessing: provenance.model.weightProcessing,
      seed: provenance.seed,
      versions: provenance.versions,
      commandLine: provenance.commandLine,
    },
  });
  return `${JSON.stringify(graph)}\n`;
}

/** The figures of {@link describeFinding}, for programs. */
export function figuresOf(found: Findings): FindingFigures {
  const { task, metric, curves, shown, scores, flags, leftOut } = found;
  return {
    task: task.name,
    metric: metric.name,
    baselines: curves.baselines,
    circuit: { n: shown.n, kept: shown.kept, edgeCount: scores.graph.edgeCount, faithfulness: shown.faithfulness },
    smallest: curves.smallest,
    doubts: doubtsOf(found),
    reading: readingFigures(curves),
    ...(found.exact === undefined ? {} : { agreement: found.exact.agreement }),
    ...judgementFigures(found.judgements),
    ...(found.units === undefined ? {} : { chosen: chosenOf(found.units, shown.n) }),
    ...(found.masks === undefined ? {} : { masks: found.masks }),
    ...(found.search === undefined ? {} : { search: searchFigures(found.search) }),
    ...(found.knockOut === undefined ? {} : { knockOut: knockOutFigures(found.knockOut) }),
    flags,
    leftOut,
  };
}

function chosenOf({ unit, scores, chosen }: UnitFindings, n: number) {
  const of = unit === 'node' ? scores.values.length : (scores.neurons?.length ?? 0);
  return { unit, units: chosen.get(n)?.units ?? 0, of };
}

function judgementFigures({ convergence, completeness }: Judgements) {
  const figures: Pick<FindingFigures, 'convergence' | 'completeness'>[] = [];
  if (convergence) {
    const { scores: _scores, reference: _reference, ...known } = convergence;
    figures.push({ convergence: known });
  }
  if (completeness) {
    const { circuit: _circuit, ...known } = completeness;
    figures.push({ completeness: known });
  }
  return Object.assign({}, ...figures) as Pick<FindingFigures, 'convergence' | 'completeness'>;
}

const searchFigures = ({ threshold, found, setbacks, passesFrom }: SmallestCircuit) => ({
  threshold,
  found,
  setbacks,
  passesFrom,
});

function knockOutFigures({ edges, nodes, dispensable }: Minimality): KnockOutFigures {
  const count = (drops: readonly Drop[]) => {
    const of = (verdict: Drop['verdict']): number => drops.filter((drop) => drop.verdict === verdict).length;
    return { needed: of('needed'), idle: of('idle'), harmful: of('harmful'), unknown: of('unknown') };
  };
  return { edges: count(edges), nodes: count(nodes), dispensable };
}

/** Lines about what was learnt, searched and dropped, where that was asked for. */
function furtherLines({ curves, shown, exact, masks, search, knockOut }: Findings): string[] {
  const lines: string[] = [];
  const reading = readingFigures(curves).find(({ n }) => n === shown.n);
  if (reading && reading.edges > 0)
    lines.push(
      `  ${reading.nodes} nodes besides input and logits, on paths of ${reading.meanPathLength.toFixed(1)} edges`,
    );
  if (exact) {
    const { spearman, signAgreement, topOverlap } = exact.agreement;
    const of = exact.sample === undefined ? '' : ` of ${exact.sample.edges} edges`;
    const rank = spearman === null ? 'undefined' : spearman.toFixed(3);
    lines.push(
      `  against exact patching${of}: rank correlation ${rank}, ${percent(signAgreement)} of the signs, ${percent(topOverlap.value)} of the top ${topOverlap.k}`,
    );
  }
  if (masks)
    lines.push(
      `  masks: ${masks.edges} edges open after ${masks.updates} updates, at a loss of ${masks.loss.toPrecision(3)}`,
    );
  if (search?.found) {
    const { found, evaluated } = search;
    lines.push(`  smallest with ${percent(search.threshold)}: size ${found.n}, of ${evaluated.length} sizes run`);
  }
  if (knockOut) {
    const { edges, nodes } = knockOutFigures(knockOut);
    const of = (what: string, all: number, drops: typeof edges): string =>
      `${drops.needed} of ${all} ${what} are needed, ${drops.idle} idle, ${drops.harmful} harmful` +
      (drops.unknown > 0 ? `, ${drops.unknown} unknown (no finite metric without them)` : '');
    lines.push(
      `  dropped one at a time: ${of('edges', knockOut.edges.length, edges)}; ${of('nodes', knockOut.nodes.length, nodes)}`,
    );
  }
  return lines;
}

function doubtsOf({ curves, shown, stability, pruned }: Findings): FindingFigures['doubts'] {
  const controls = (headlineCurve(curves).baselines ?? []).flatMap(({ name, points }) =>
    points
      .filter(({ n }) => n === shown.n)
      .map(({ faithfulness, values }) => [name, { faithfulness, draws: values.length }] as const),
  );
  return {
    ...(shown.band === undefined ? {} : { band: { low: shown.band.low, high: shown.band.high } }),
    controls: Object.fromEntries(controls),
    ...(stability === undefined ? {} : { jaccard: stability.jaccard.withAll }),
    pruned: pruned.edges.length,
  };
}

/** '91 %', '0 %', without a sign on what rounds to none. */
const percent = (f: number | null): string => (f === null ? 'undefined' : `${Math.round(100 * f) + 0} %`);

/** The same in words, in the order in which a reader asks: other pairs, chance, no gradients, another search. */
function doubtsInWords(found: Findings): string[] {
  const { band, controls, jaccard } = doubtsOf(found);
  const random = controls[RANDOM];
  const delta = controls[DELTA];
  const together = controls[ALL_TASKS];
  const units = found.units && controls[randomUnits(found.units.unit)];
  const parts = [
    band && band.low !== null ? [`${percent(band.low)} to ${percent(band.high)} over redrawn pairs`] : [],
    random ? [`random circuits as large keep ${percent(random.faithfulness)}`] : [],
    units ? [`as many random ${found.units?.unit}s keep ${percent(units.faithfulness)}`] : [],
    delta ? [`the top ${found.shown.n} by |Δ| ${percent(delta.faithfulness)}`] : [],
    together ? [`the top ${found.shown.n} for all tasks together ${percent(together.faithfulness)}`] : [],
    jaccard === undefined ? [] : [`searches on redrawn pairs agree with it by ${percent(jaccard)} (Jaccard)`],
  ].flat();
  return parts.length > 0 ? [`  held against: ${parts.join('; ')}`] : [];
}

/** A short summary: how good the model is at it, the circuit, its strongest edges, and what puts these figures in doubt. */
export function describeFinding(found: Findings): string[] {
  const { method, task, title, metric, curves, shown, scores, flags } = found;
  const { graph } = scores;
  const { clean, corrupted } = curves.baselines;
  const { state } = ablationWords(method);
  const units = found.units && chosenOf(found.units, shown.n);
  const smallest = curves.smallest
    .map(
      ({ threshold, n }) =>
        `${percent(threshold)} with ${n === null ? 'no size tested' : `${units ? '' : 'the top '}${n}`}`,
    )
    .join(', ');
  const strongest = [...graph.edges()]
    .map(({ u, v }) => ({ name: graph.edgeName(u, v), score: scores.values[graph.dense(u, v)] ?? Number.NaN }))
    .sort((a, b) => Math.abs(b.score) - Math.abs(a.score))
    .slice(0, 5);
  // Every metric is higher where the model is better; the divergence is negated for it.
  const measured = metric.name === 'kl' ? '−kl' : metric.name;
  const pruned =
    shown.kept === shown.n ? '' : ` (${method.selector === 'greedy' ? 'the first' : 'the top'} ${shown.n}, pruned)`;
  const choice = units ? ` (the top ${units.units} of ${units.of} ${units.unit}s, pruned)` : pruned;
  return [
    `${title} (${task.pairs} pairs)`,
    `  ${measured}: ${clean.toFixed(3)} on clean prompts, ${corrupted.toFixed(3)} ${state}`,
    `  circuit: ${shown.kept} of ${graph.edgeCount} edges${choice} keep ${percent(shown.faithfulness)} of that difference`,
    ...doubtsInWords(found),
    ...furtherLines(found),
    `  edges needed: ${smallest}`,
    `  strongest edges: ${strongest.map(({ name, score }) => `${name} ${score >= 0 ? '+' : '−'}${Math.abs(score).toPrecision(2)}`).join(', ')}`,
    ...leftOutLines(found.leftOut),
    ...doubts(flags).map((text) => `  note: ${text}`),
  ];
}
