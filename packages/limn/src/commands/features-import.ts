// `limn features import`: an attribution graph of circuit-tracer, Neuronpedia or limn from its file, as limn's record and page.
import { summariseFeatureGraph, type FeatureGraphRecord } from '@limn/report';
import type { Command } from 'commander';
import { commandLine } from '../command-line.js';
import type { CommandContext } from '../context.js';
import { FEATURE_GRAPH_FILES, featureGraphFiles } from '../feature-graph-output.js';
import { graphDashboards } from '../graph-dashboards.js';
import { describeImported, importedRecord, readGraphFile } from '../imported-graph.js';
import { openOutputFolder } from '../output.js';
import { withSharedOptions, type SharedOptions } from '../shared-options.js';
import { version } from '../version.js';

interface FeaturesImportOptions extends SharedOptions {
  readonly dashboards?: string;
  readonly out: string;
}

export function addFeaturesImportCommand(features: Command, context: CommandContext): void {
  withSharedOptions(features.command('import'))
    .description(
      'open an attribution graph that circuit-tracer, Neuronpedia or limn wrote: the same files as `features graph`, with what could not be taken as it stood; no model is needed',
    )
    .argument('<graph>', 'the JSON of a graph, or a folder whose graph.json is one')
    .option('--dashboards <dir>', 'a folder of `limn features dashboards`: its dashboards stand beside the nodes')
    .requiredOption('--out <dir>', 'where the files go')
    .action((graph: string, options: FeaturesImportOptions) => run(graph, options, context));
}

async function run(place: string, options: FeaturesImportOptions, context: CommandContext): Promise<void> {
  const { console, signal, words, env } = context;
  const output = openOutputFolder(options.out, FEATURE_GRAPH_FILES);
  try {
    const file = await readGraphFile(place);
    const bare = importedRecord(file, {
      versions: { limn: version, node: process.versions.node },
      commandLine: commandLine(words, env),
    });
    const record: FeatureGraphRecord = {
      ...bare,
      ...(await graphDashboards(bare, options.dashboards, (line) => console.note(line))),
    };
    for (const line of describeImported(record)) console.warn(line);
    for (const [name, content] of featureGraphFiles(file.imported.graph, record)) output.write(name, content);
    signal.throwIfAborted();
    output.commit();
    const { headline, sentences } = summariseFeatureGraph(record);
    for (const line of [headline, ...sentences]) console.say(line);
    console.say(`written to ${output.path}: ${FEATURE_GRAPH_FILES.entries.join(', ')}`);
    const { collisions, leftOutNodes, leftOutLinks, numbering, sha256 } = record.imported ?? {};
    console.result({
      ok: true,
      command: 'features import',
      out: output.path,
      files: FEATURE_GRAPH_FILES.entries,
      nodes: record.nodes.length,
      edges: record.edges.length,
      ...record.scores,
      collisions,
      leftOutNodes,
      leftOutLinks,
      numbering,
      sha256,
      dashboards: record.features?.length ?? 0,
    });
  } finally {
    output.discard();
  }
}
