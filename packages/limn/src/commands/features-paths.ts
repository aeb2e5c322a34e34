// `limn features paths`: the paths that bring most to a token, a difference or a feature, greedily; edges by head; why a head looks where it looks.
import { LimnError } from '@limn/gpu';
import {
  attributeScore,
  filterPaths,
  FrozenPrompt,
  headLoadings,
  logitOutputs,
  searchPaths,
  type GraphOutput,
  type NodeCondition,
  type PathMatch,
  type PathOrder,
  type ScorePlace,
} from '@limn/transcoders';
import type { Command } from 'commander';
import { named } from '../circuit-request.js';
import type { CommandContext } from '../context.js';
import { openDevice } from '../device.js';
import { openSet } from '../dictionary-set.js';
import { outputsOf, outputText } from '../feature-targets.js';
import { openGivenModel } from '../given-model.js';
import { conditionOption, scorePlaceOption } from '../path-conditions.js';
import { expectPrompt, promptBos, promptIds } from '../prompt-ids.js';
import {
  describePaths,
  describeScore,
  describeSplits,
  pathsFigures,
  scoreFigures,
  splitEdges,
} from '../prompt-paths.js';
import { provenanceOf } from '../provenance.js';
import { explainersOf } from '../set-transcoders.js';
import { integerOption, nameOption } from '../shared-options.js';
import {
  promptSettings,
  weightsOnly,
  withPromptFeatureOptions,
  type PromptFeatureOptions,
} from './features-options.js';

const ORDERS = ['largest', 'size', 'signed'] as const satisfies readonly PathOrder[];
const MATCHES = ['infix', 'not-infix', 'suffix'] as const satisfies readonly PathMatch[];

interface FeaturesPathsOptions extends PromptFeatureOptions {
  readonly iterations: number;
  readonly branches: number;
  readonly headBranches?: number;
  readonly order: PathOrder;
  readonly signed: boolean;
  readonly where?: readonly NodeCondition[];
  readonly match: PathMatch;
  readonly heads?: number;
  readonly qk?: ScorePlace;
  readonly top: number;
}

export function addFeaturesPathsCommand(features: Command, context: CommandContext): void {
  withPromptFeatureOptions(features.command('paths'))
    .description(
      'the paths of features and heads that bring most to one target, as in the paper of transcoders; by request edges split by head, and scores of heads split by sources',
    )
    .option('--iterations <n>', 'steps down from the target', integerOption('--iterations', 1), 3)
    .option('--branches <n>', 'paths kept at each length', integerOption('--branches', 1), 15)
    .option(
      '--head-branches <n>',
      'most (head, position) pairs of a layer that continue a path (default: 12, or --branches if that is less)',
      integerOption('--head-branches', 1),
    )
    .option(
      '--order <name>',
      `which are followed: ${ORDERS.join(', ')}; the first, as in the paper, never sees what counts against the target`,
      nameOption('--order', 'order', ORDERS),
      'largest',
    )
    .option('--signed', 'the same as --order signed: of the best and the worst the same number', false)
    .option(
      '--where <condition>',
      'only paths with such a node, e.g. kind=head,layer>=1; given several times, with such nodes in a row',
      conditionOption,
    )
    .option(
      '--match <name>',
      `where on a path --where must hold: ${MATCHES.join(', ')}`,
      nameOption('--match', 'match', MATCHES),
      'infix',
    )
    .option(
      '--heads <layer>',
      'split the edges into the target by the heads of this layer',
      integerOption('--heads', 0),
    )
    .option('--qk <place>', 'LAYER.HEAD@POSITION,KEY: split the score of a head by pairs of sources', scorePlaceOption)
    .option('--top <n>', 'most entries of a table', integerOption('--top', 1), 20)
    .action((options: FeaturesPathsOptions) => run(options, context));
}

async function run(options: FeaturesPathsOptions, context: CommandContext): Promise<void> {
  const { console, signal } = context;
  const { iterations, branches, headBranches, where, match, heads, qk, top } = options;
  expectPrompt(options);
  const order = orderOf(options);
  using device = await openDevice(context);
  using model = await openGivenModel(device.gpu, options.model, weightsOnly(options), context);
  using set = await openSet(model, options.transcoders);
  const ids = promptIds(options, model);
  using prompt = await FrozenPrompt.of(model.hooked, explainersOf(set), ids, { signal });
  const outputs = outputsOf(options.target, prompt, model, { ids: options.tokens !== undefined });
  const output = onlyOne(outputs) ?? (logitOutputs(prompt, { most: 1 })[0] as GraphOutput);
  const { target } = output;
  const label = outputText(output, model.show);
  const found = await searchPaths(prompt, target, label, {
    iterations,
    branches,
    ...(headBranches === undefined ? {} : { headBranches }),
    order,
    signal,
    onProgress: named('paths', console.progress),
  });
  const all = found.byLength.slice(1).flat();
  const kept = where ? filterPaths(all, where, match) : all;
  const figures = pathsFigures(kept);
  const splits =
    heads === undefined ? undefined : splitEdges(await headLoadings(prompt, target, heads, { signal }), top);
  const score = qk === undefined ? undefined : scoreFigures(await attributeScore(prompt, qk, { signal }), top);
  const value = found.byLength[0]?.[0]?.steps[0]?.attribution ?? 0;
  signal.throwIfAborted();
  console.say(`${JSON.stringify(label)}: ${value.toFixed(3)}; ${kept.length} of ${all.length} paths`);
  for (const line of describePaths(figures, top)) console.say(line);
  if (splits && heads !== undefined) for (const line of ['', ...describeSplits(splits, heads)]) console.say(line);
  if (score && qk)
    for (const line of [
      '',
      ...describeScore(score, `head ${qk.layer}.${qk.head} at ${qk.query}, looking at ${qk.key}`),
    ])
      console.say(line);
  console.result({
    ok: true,
    command: 'features paths',
    target: { label, value },
    found: all.length,
    ...figures,
    ...(splits ? { heads: { layer: heads, edges: splits } } : {}),
    ...(score ? { qk: { ...qk, ...score } } : {}),
    provenance: provenanceOf(device.gpu, model, context, {
      seed: null,
      prompts: [ids],
      prependBos: promptBos(options),
      options: {
        ...promptSettings(options),
        iterations,
        branches,
        ...(headBranches === undefined ? {} : { headBranches }),
        order,
      },
    }),
  });
}

/** @throws LimnError `usage/path-order` for two orders */
function orderOf({ order, signed }: FeaturesPathsOptions): PathOrder {
  if (!signed || order !== 'size') return signed ? 'signed' : order;
  throw new LimnError('usage/path-order', '--signed is an order, and --order size another', {
    hint: 'leave one of them out',
  });
}

function onlyOne(outputs: readonly GraphOutput[] | undefined): GraphOutput | undefined {
  if (outputs === undefined || outputs.length === 1) return outputs?.[0];
  throw new LimnError('usage/feature-target', `paths lead to one target; given ${outputs.length}`, {
    hint: 'give --target once; a difference of two logits is one',
  });
}
