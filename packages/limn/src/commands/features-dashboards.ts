// `limn features dashboards`: what features fire on, over their whole range, and what they read and write: a page, a record, and files for graph viewers.
import path from 'node:path';
import { LimnError } from '@limn/gpu';
import { featuresPage, featuresToJson, summariseFeatures } from '@limn/report';
import { featureDashboards, writeFeatureStore } from '@limn/transcoders';
import { Option, type Command } from 'commander';
import { named } from '../circuit-request.js';
import type { CommandContext } from '../context.js';
import { dashboardsRecord, featurePages, MOST_RECORDED, strongestOf, type ReadFeatures } from '../dashboard-record.js';
import { openDevice } from '../device.js';
import { openSet } from '../dictionary-set.js';
import { chosenDictionaries, featuresOption, type FeaturePlace } from '../feature-choice.js';
import { openGivenModel } from '../given-model.js';
import { featuresOfGraph } from '../imported-graph.js';
import { openOutputFolder, type OutputLayout } from '../output.js';
import { provenanceOf } from '../provenance.js';
import { readLabels } from '../set-transcoders.js';
import { bytesOption, integerOption } from '../shared-options.js';
import {
  readSequences,
  weightsOnly,
  withReadingOptions,
  withSetOptions,
  type ReadingOptions,
  type SetOptions,
} from './features-options.js';
import { skipOf } from './transcode-evaluate.js';

const FILES = {
  entries: ['result.json', 'report.html', 'features'],
  mark: 'result.json',
} as const satisfies OutputLayout;

interface FeaturesDashboardsOptions extends SetOptions, ReadingOptions {
  readonly features?: readonly FeaturePlace[];
  readonly ofGraph?: string;
  readonly top?: number;
  readonly all?: boolean;
  readonly withoutText?: boolean;
  readonly examples: number;
  readonly memory?: number;
  readonly out: string;
}

export function addFeaturesDashboardsCommand(features: Command, context: CommandContext): void {
  // Not the opposite of --text, which commander would make of it.
  const redacted = new Option('--no-text', 'take all text out: ids and texts of examples, texts of tokens');
  redacted.negate = false;
  redacted.attributeName = () => 'withoutText';
  withReadingOptions(withSetOptions(features.command('dashboards')))
    .description('what features fire on, read and write: report.html, result.json, and features/ for graph viewers')
    .option('--features <list>', 'LAYER:FEATURE, several separated by commas', featuresOption)
    .option('--of-graph <graph>', 'features of a graph.json, or of a folder that holds one')
    .option('--top <n>', 'of every layer the n features that fire most strongly', integerOption('--top', 1))
    .option('--all', 'all features')
    .addOption(redacted)
    .option('--examples <n>', 'strongest examples of a feature, at most 200', integerOption('--examples', 1), 20)
    .option('--memory <size>', 'GPU memory for intermediate values (default: 512MiB)', bytesOption('--memory'))
    .requiredOption('--out <dir>', 'where the files go')
    .action((options: FeaturesDashboardsOptions) => run(options, context));
}

/** @throws LimnError `usage/features` unless one choice is made */
function expectChoice({ features, ofGraph, top, all, layers, examples }: FeaturesDashboardsOptions): void {
  const choices = [features, ofGraph, top, all].filter((given) => given !== undefined).length;
  const problem =
    choices !== 1
      ? 'say which features: --features LAYER:FEATURE,…, --of-graph DIR, --top N or --all'
      : (features ?? ofGraph) !== undefined && layers !== undefined
        ? '--features and --of-graph name layers themselves: leave --layers out'
        : examples > 200
          ? `--examples ${examples}: a page has at most 200 of a feature`
          : undefined;
  if (problem !== undefined) throw new LimnError('usage/features', problem, { details: { choices, examples } });
}

async function run(options: FeaturesDashboardsOptions, context: CommandContext): Promise<void> {
  const { console, signal } = context;
  expectChoice(options);
  const output = openOutputFolder(options.out, FILES);
  try {
    const { ofGraph, top, all, sae, examples } = options;
    const features = ofGraph === undefined ? options.features : await featuresOfGraph(ofGraph);
    const bare = options.withoutText === true;
    using device = await openDevice(context);
    using model = await openGivenModel(device.gpu, options.model, weightsOnly(options), context);
    const layers = features ? [...new Set(features.map(({ layer }) => layer))] : (options.layers ?? 'all');
    using set = await openSet(model, options.transcoders, layers === 'all' ? undefined : layers);
    const skip = options.skipPositions ?? skipOf(set);
    const own = await readSequences(options, model);
    const read: ReadFeatures[] = [];
    for (const dictionary of chosenDictionaries(set, { sae, layers })) {
      const { layer } = dictionary.config;
      const dashboards = await featureDashboards(model.hooked, dictionary, own.sequences, {
        features: features?.filter((each) => each.layer === layer).map(({ feature }) => feature),
        skip,
        top: examples,
        text: model.show,
        signal,
        memoryBytes: options.memory,
        onProgress: named(`layer ${layer}`, console.progress),
      });
      const labels = await readLabels(set.folder, dictionary.config);
      read.push({ dictionary, dashboards, chosen: strongestOf(dashboards, top), labels });
    }
    const provenance = provenanceOf(device.gpu, model, context, {
      seed: null,
      prompts: own.sequences.map((ids) => Array.from(ids)),
      prependBos: null,
      options: {
        transcoders: options.transcoders,
        ...(ofGraph === undefined ? {} : { ofGraph }),
        ...(features ? { features: features.map(({ layer, feature }) => `${layer}:${feature}`).join(',') } : {}),
        ...(top === undefined ? {} : { top }),
        ...(all ? { all } : {}),
        text: own.name,
        ...(own.sha256 === undefined ? {} : { textSha256: own.sha256 }),
        sequences: own.sequences.length,
        skip,
        examples,
        withoutText: bare,
      },
    });
    const name = path.basename(path.resolve(set.folder));
    const record = dashboardsRecord(read, {
      title: `Features of ${name}`.slice(0, 500),
      corpus: { tokens: read[0]?.dashboards.tokens ?? 0, name: own.name.slice(0, 1000), skip },
      bare,
      provenance,
    });
    output.write('result.json', featuresToJson(record));
    output.write('report.html', featuresPage(record));
    for await (const file of writeFeatureStore(featurePages(read, { set: name, bare })))
      if ('bytes' in file) output.write(file.name, file.bytes);
    signal.throwIfAborted();
    output.commit();
    const { headline, sentences } = summariseFeatures(record);
    for (const line of [headline, ...sentences]) console.say(line);
    const count = read.reduce((sum, { chosen }) => sum + chosen.length, 0);
    if (count > MOST_RECORDED)
      console.note(`the page has the ${MOST_RECORDED} features that fire most strongly; features/ has all ${count}`);
    console.say(`written to ${output.path}: ${FILES.entries.join(', ')}`);
    console.result({
      ok: true,
      command: 'features dashboards',
      out: output.path,
      files: FILES.entries,
      features: count,
      onPage: record.features.length,
      tokens: record.corpus.tokens,
      withoutText: bare,
      provenance,
    });
  } finally {
    output.discard();
  }
}
