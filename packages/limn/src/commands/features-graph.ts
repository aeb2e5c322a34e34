// `limn features graph`: how a prompt's next tokens are made of features, with the proof that the edges add up, and by request whether they are the cause.
import { proposeSupernodes, type FeatureGraphRecord } from '@limn/report';
import { buildGraph, FrozenPrompt, influenceGraph, logitOutputs, pruneGraph, type ScorePlace } from '@limn/transcoders';
import type { Command } from 'commander';
import { causalCheck } from '../causal-check.js';
import { named } from '../circuit-request.js';
import type { CommandContext } from '../context.js';
import { openDevice } from '../device.js';
import { openSet } from '../dictionary-set.js';
import { describeGraph, FEATURE_GRAPH_FILES, featureGraphFiles, graphFigures } from '../feature-graph-output.js';
import {
  featureGraphRecord,
  graphFileOf,
  nodePlaces,
  scoresOfGraph,
  type FeatureGraphFindings,
} from '../feature-graph-record.js';
import { outputsOf } from '../feature-targets.js';
import { dashboardsBeside, graphDashboards } from '../graph-dashboards.js';
import { headScoreRecord, scorePlacesOption } from '../head-score-record.js';
import { openGivenModel } from '../given-model.js';
import { openOutputFolder } from '../output.js';
import { expectPrompt, promptBos, promptIds } from '../prompt-ids.js';
import { provenanceOf } from '../provenance.js';
import { explainersOf, labelsOf } from '../set-transcoders.js';
import { bytesOption, integerOption, partOption } from '../shared-options.js';
import { splitEdgeOption, splitEdgesOf } from '../split-edges.js';
import {
  promptSettings,
  weightsOnly,
  withPromptFeatureOptions,
  type PromptFeatureOptions,
} from './features-options.js';

interface FeaturesGraphOptions extends PromptFeatureOptions {
  readonly nodeThreshold: number;
  readonly edgeThreshold: number;
  readonly maxFeatures: number;
  readonly keepOthers: boolean;
  readonly check?: true | number;
  readonly split: number;
  readonly splitEdge?: readonly (readonly [string, string])[];
  readonly qk?: readonly ScorePlace[];
  readonly dashboards?: string;
  readonly supernodes: boolean;
  readonly seed: number;
  readonly memory?: number;
  readonly out: string;
}

/** Features that a check changes, unless it is told. */
const CHECKED = 20;
/** Edges that are split by head, unless it is told. */
const SPLIT = 24;

export function addFeaturesGraphCommand(features: Command, context: CommandContext): void {
  withPromptFeatureOptions(features.command('graph'))
    .description(
      'the attribution graph of a prompt: writes graph.json for circuit-tracer’s and Neuronpedia’s viewers, result.json and report.html',
    )
    .option('--node-threshold <share>', 'influence whose nodes are kept', partOption('--node-threshold'), 0.8)
    .option('--edge-threshold <share>', 'influence whose edges are kept', partOption('--edge-threshold'), 0.98)
    .option(
      '--max-features <n>',
      'most features, the most influential; what others write counts as error',
      integerOption('--max-features', 0),
      7500,
    )
    .option(
      '--keep-others',
      'write positions, biases and skip connections into graph.json, which viewers do not know',
      false,
    )
    .option(
      '--check [n]',
      `negate the n most influential features in the model and compare with what the graph predicts (default: ${CHECKED})`,
      integerOption('--check', 1),
    )
    .option('--seed <n>', 'which features of matched activation --check compares with', integerOption('--seed', 0), 0)
    .option(
      '--split <n>',
      'split the n edges of most influence by the heads that they run through; 0: none',
      integerOption('--split', 0),
      SPLIT,
    )
    .option(
      '--split-edge <ids>',
      'SOURCE,TARGET by their ids: split this edge, too; several times for more',
      splitEdgeOption,
    )
    .option(
      '--qk <place>',
      'LAYER.HEAD@POSITION,KEY: split the score by which a head looks from POSITION at KEY by what both are made of; several times for more',
      scorePlacesOption,
    )
    .option(
      '--dashboards <dir>',
      'a folder of `limn features dashboards`: its dashboards stand beside the nodes (default: dashboards/ in --transcoders, if it is there)',
    )
    .option(
      '--supernodes',
      'group the features of one layer and position whose edges are alike, in graph.json and on the page',
      false,
    )
    .option('--memory <size>', 'GPU memory for intermediate values (default: 512MiB)', bytesOption('--memory'))
    .requiredOption('--out <dir>', 'where the files go')
    .action((options: FeaturesGraphOptions) => run(options, context));
}

async function run(options: FeaturesGraphOptions, context: CommandContext): Promise<void> {
  const { console, signal } = context;
  expectPrompt(options);
  const output = openOutputFolder(options.out, FEATURE_GRAPH_FILES);
  try {
    using device = await openDevice(context);
    using model = await openGivenModel(device.gpu, options.model, weightsOnly(options), context);
    using set = await openSet(model, options.transcoders);
    const dictionaries = explainersOf(set);
    const ids = promptIds(options, model);
    using prompt = await FrozenPrompt.of(model.hooked, dictionaries, ids, { signal });
    const outputs =
      outputsOf(options.target, prompt, model, { ids: options.tokens !== undefined }) ?? logitOutputs(prompt);
    const controls = {
      signal,
      memoryBytes: options.memory,
      onProgress: named('attribution graph', console.progress),
    };
    const graph = await buildGraph(prompt, { ...controls, outputs, maxFeatures: options.maxFeatures });
    const thresholds = { node: options.nodeThreshold, edge: options.edgeThreshold };
    const { check, seed, maxFeatures, keepOthers } = options;
    const found: FeatureGraphFindings = {
      graph,
      pruned: pruneGraph(influenceGraph(graph), { nodeThreshold: thresholds.node, edgeThreshold: thresholds.edge }),
      thresholds,
      scores: scoresOfGraph(graph),
      label: await labelsOf(options.transcoders, dictionaries),
      maxFeatures,
      keepOthers,
      check:
        check === undefined
          ? undefined
          : await causalCheck(prompt, graph, {
              ...controls,
              onProgress: named('causal check', console.progress),
              outputs,
              features: check === true ? CHECKED : check,
              seed,
            }),
    };
    const { split, splitEdge, qk, supernodes } = options;
    const provenance = provenanceOf(device.gpu, model, context, {
      seed: check === undefined ? null : seed,
      prompts: [ids],
      prependBos: promptBos(options),
      options: {
        ...promptSettings(options),
        nodeThreshold: thresholds.node,
        edgeThreshold: thresholds.edge,
        maxFeatures,
        ...(check === undefined ? {} : { check: check === true ? CHECKED : check }),
        split,
        ...(splitEdge ? { splitEdge: splitEdge.map((ends) => ends.join(',')).join(' ') } : {}),
        ...(qk ? { qk: qk.map(({ layer, head, query, key }) => `${layer}.${head}@${query},${key}`).join(' ') } : {}),
        supernodes,
      },
    });
    const bare = featureGraphRecord(found, model, provenance);
    const splits = await splitEdgesOf(prompt, {
      graph,
      outputs,
      record: bare,
      places: nodePlaces(found),
      most: split,
      further: splitEdge,
      signal,
      onProgress: named('edges by head', console.progress),
    });
    const headScores = [];
    for (const place of qk ?? []) headScores.push(await headScoreRecord(prompt, place, found, model, signal));
    const record: FeatureGraphRecord = {
      ...bare,
      ...(splits.length > 0 ? { splits } : {}),
      ...(headScores.length > 0 ? { headScores } : {}),
      ...(supernodes ? { qParams: proposeSupernodes(bare) } : {}),
      ...(await graphDashboards(bare, options.dashboards ?? dashboardsBeside(options.transcoders), (line) =>
        console.note(line),
      )),
    };
    const { graph: file } = graphFileOf(found, model, provenance, record);
    for (const [name, content] of featureGraphFiles(file, record)) output.write(name, content);
    signal.throwIfAborted();
    output.commit();
    for (const line of describeGraph(found, model)) console.say(line);
    for (const line of describeParts(record)) console.say(line);
    console.say(`written to ${output.path}: ${FEATURE_GRAPH_FILES.entries.join(', ')}`);
    console.result({
      ok: true,
      command: 'features graph',
      out: output.path,
      files: FEATURE_GRAPH_FILES.entries,
      ...graphFigures(found, model),
      splits: splits.length,
      dashboards: record.features?.length ?? 0,
      ...(supernodes ? { supernodes: record.qParams?.supernodes.length ?? 0 } : {}),
      ...(headScores.length > 0
        ? {
            qk: headScores.map(({ layer, head, query, key, score, attention }) => ({
              layer,
              head,
              query,
              key,
              score,
              attention: attention?.[key] ?? null,
            })),
          }
        : {}),
      provenance,
    });
  } finally {
    output.discard();
  }
}

function describeParts({ headScores = [], qParams, splits = [] }: FeatureGraphRecord): string[] {
  return [
    ...(splits.length > 0
      ? [`${new Set(splits.map(({ edge }) => edge)).size} edges are split by head on the page`]
      : []),
    ...(qParams ? [`${qParams.supernodes.length} supernodes of ${qParams.pinnedIds.length} features`] : []),
    ...headScores.map(
      ({ layer, head, query, key, score, attention }) =>
        `head ${layer}.${head} at ${query}, looking at ${key}: score ${score.toFixed(3)}, ${(100 * (attention?.[key] ?? 0)).toFixed(1)} % of its attention`,
    ),
  ];
}
