// The files of `limn features graph`, and what it says of a graph in a few lines.
import { featureGraphPage, featureGraphToJson, type FeatureGraphRecord } from '@limn/report';
import {
  graphNodeName,
  graphScores,
  influenceGraph,
  worstResidual,
  type EffectSummary,
  type GraphJson,
} from '@limn/transcoders';
import { strongestFeatures, type CausalCheck } from './causal-check.js';
import type { FeatureGraphFindings } from './feature-graph-record.js';
import { outputText } from './feature-targets.js';
import type { OpenModel } from './model-source.js';
import type { OutputLayout } from './output.js';

/** The files of the folder. */
export const FEATURE_GRAPH_FILES = {
  entries: ['graph.json', 'graph-metadata.json', 'result.json', 'report.html'],
  mark: 'result.json',
} as const satisfies OutputLayout;

/** Features that the terminal names. */
const NAMED = 10;

/** Names and contents. @throws ReportError as `featureGraphToJson` */
export function featureGraphFiles(
  graph: GraphJson,
  record: FeatureGraphRecord,
): readonly (readonly [name: (typeof FEATURE_GRAPH_FILES.entries)[number], content: string])[] {
  return [
    ['graph.json', `${JSON.stringify(graph)}\n`],
    ['graph-metadata.json', `${JSON.stringify({ graphs: [graph.metadata] }, undefined, 1)}\n`],
    ['result.json', featureGraphToJson(record)],
    ['report.html', featureGraphPage(record)],
  ];
}

/** The headline of a graph, for programs. */
export function graphFigures({ graph, pruned, scores, check }: FeatureGraphFindings, { show }: OpenModel) {
  const count = (kind: string, kept = false): number =>
    graph.nodes.filter((node, i) => node.kind === kind && (!kept || pruned.nodes[i])).length;
  return {
    outputs: graph.nodes.flatMap((node) =>
      node.kind === 'output'
        ? [
            {
              label: outputText(node, show),
              value: node.value,
              weight: node.weight,
              probability: node.probability ?? null,
            },
          ]
        : [],
    ),
    worstResidual: worstResidual(graph),
    ...scores,
    pruned: {
      ...graphScores(influenceGraph(graph), pruned),
      features: count('feature', true),
      errors: count('error', true),
      edges: pruned.edges.reduce((sum, kept) => sum + kept, 0),
    },
    features: count('feature'),
    activeFeatures: graph.activeFeatures,
    withoutDictionary: graph.withoutDictionary,
    ...(check ? { check } : {}),
  };
}

/** The same for people. */
export function describeGraph(found: FeatureGraphFindings, model: OpenModel): string[] {
  const { graph, pruned, check, label } = found;
  const figures = graphFigures(found, model);
  const share = (value: number): string => value.toFixed(3);
  const influence = new Map(graph.nodes.map((node, i) => [node, pruned.influence[i] as number]));
  return [
    ...figures.outputs.map(
      ({ label: text, value, probability }) =>
        `${JSON.stringify(text)}: ${value.toFixed(3)}${probability === null ? '' : ` (p = ${probability.toFixed(3)})`}`,
    ),
    `${figures.features} features of ${graph.activeFeatures} that fire; edges into a node sum to its value within ${figures.worstResidual.toExponential(1)}`,
    `replacement ${share(figures.replacement)}, completeness ${share(figures.completeness)}`,
    `pruned: ${figures.pruned.features} features, ${figures.pruned.errors} errors, ${figures.pruned.edges} edges; replacement ${share(figures.pruned.replacement)}, completeness ${share(figures.pruned.completeness)}`,
    ...(graph.withoutDictionary.length > 0
      ? [`no transcoder explains layers ${graph.withoutDictionary.join(', ')}: their whole output is an error`]
      : []),
    ...strongestFeatures(graph, NAMED).map((node) => {
      const text = label(node.layer, node.feature);
      return `  ${graphNodeName(node).padEnd(16)} ${JSON.stringify(model.show(graph.prompt[node.position] as number))} fires at ${node.activation.toFixed(2)}; ${((influence.get(node) ?? 1) * 100).toFixed(0)} % of the influence up to it${text === '' ? '' : `  ${text}`}`;
    }),
    ...(check ? describeCheck(check) : []),
  ];
}

function describeCheck({ changed, frozen, strongest, matched }: CausalCheck): string[] {
  const of = (row: EffectSummary | undefined): string =>
    row === undefined
      ? 'nothing behind them'
      : `Spearman ${figure(row.spearman)}, same sign ${figure(row.signAgreement)}, cosine ${figure(row.cosine)}, NMSE ${figure(row.nmse)} over ${row.count} effects`;
  const depth = (row: EffectSummary): string =>
    row.depth === 'all'
      ? 'in all'
      : row.depth === 'output'
        ? 'on outputs'
        : `${row.depth} ${row.depth === 1 ? 'layer' : 'layers'} on`;
  return [
    `check: ${changed.length} features negated one at a time; with all else held the edges are right to ${frozen.worst.toExponential(1)}`,
    ...strongest.rows.map((row) => `  ${depth(row).padEnd(12)} ${of(row)}`),
    ...(matched
      ? [
          `  ${matched.features} random features of matched activation: ${of(matched.rows.find(({ depth: at }) => at === 'all'))}`,
          `  an output moves by ${strongest.onOutputs.toPrecision(3)} on average, with the matched ones by ${matched.onOutputs.toPrecision(3)}`,
        ]
      : ['  no other features fire where these do: there is nothing to compare with']),
  ];
}

const figure = (value: number | null): string => (value === null ? '–' : value.toFixed(2));
