// `limn compare`: how far circuits of one model share edges and nodes, at equal n and without what all share; with the model, how far one does another's work.
import {
  ABLATIONS,
  circuitsOfSize,
  compareAll,
  crossFaithfulness,
  metricByName,
  overlapAgainstFaithfulness,
  SELECTORS,
  type Circuit,
  type CrossFaithfulness,
  type OverlapAgainstFaithfulness,
  type Selector,
  type TaskPairs,
} from '@limn/attribution';
import { LimnError } from '@limn/gpu';
import type { Command } from 'commander';
import { correlationLines, crossLines, overlapLines } from '../comparison-text.js';
import type { CommandContext } from '../context.js';
import { openDevice } from '../device.js';
import { openGivenModel } from '../given-model.js';
import { pairsOf, readGraphs, type NamedGraph } from '../graph-source.js';
import { integerOption, nameOption, withSharedOptions, type SharedOptions } from '../shared-options.js';
import { withWeightOptions, type WeightOptions } from '../weight-options.js';

interface CompareOptions extends SharedOptions, WeightOptions {
  readonly edges?: number;
  readonly selector: Selector;
  readonly model?: string;
}

export function addCompareCommand(program: Command, context: CommandContext): void {
  withWeightOptions(withSharedOptions(program.command('compare')))
    .description(
      'compare circuits of one model at equal size: edges and nodes shared, by chance or not, and with --model how far each circuit serves the other tasks',
    )
    .argument('<graphs...>', 'graph.json files, or folders that `limn circuit` or `limn demo` wrote')
    .option(
      '--edges <n>',
      'edges of every circuit, before pruning (default: the most that one of the graphs marks)',
      integerOption('--edges', 1),
    )
    .option('--selector <name>', SELECTORS.join(', '), nameOption('--selector', 'selector', SELECTORS), 'top-n')
    .option('--model <name>', 'the model of the graphs: also runs every circuit on the pairs of every folder')
    .action((places: readonly string[], options: CompareOptions) => compare(places, options, context));
}

async function compare(places: readonly string[], options: CompareOptions, context: CommandContext): Promise<void> {
  const { console } = context;
  const graphs = await readGraphs(places);
  const n = options.edges ?? Math.max(...graphs.map(markedSize));
  for (const graph of graphs) expectChoice(graph, n);
  const circuits = circuitsOfSize(Object.fromEntries(graphs.map(({ name, parsed }) => [name, parsed.scores])), n, {
    selector: options.selector,
  });
  const comparisons = compareAll(circuits);
  const { core, withoutCore, pairs } = comparisons;
  const run = options.model === undefined ? undefined : await runOnAll(graphs, circuits, options, context);
  const against = run && overlapAgainstFaithfulness(pairs, run);

  console.say(`${graphs.length} circuits of ${n} edges each, by ${options.selector} |score|, pruned`);
  for (const what of ['edges', 'nodes'] as const) for (const line of overlapLines(what, pairs)) console.say(line);
  if (withoutCore) {
    console.say(`without what all share, ${core.edges.length} edges and ${core.nodes.length} nodes`);
    for (const what of ['edges', 'nodes'] as const)
      for (const line of overlapLines(what, withoutCore)) console.say(line);
  }
  if (run && against) {
    console.say('faithfulness across tasks');
    for (const line of [...crossLines(run), ...correlationLines(against)]) console.say(line);
  }
  console.result({
    ok: true,
    command: 'compare',
    n,
    selector: options.selector,
    graphs: graphs.map(({ name, file }) => ({ name, file, kept: circuits[name]?.edgeCount ?? 0 })),
    pairs,
    core,
    withoutCore,
    ...(run && against ? { cross: figuresOf(run, against) } : {}),
  });
}

/** A choice of n edges needs n edges, and scores to choose them by. */
function expectChoice({ file, parsed: { graph, scores } }: NamedGraph, n: number): void {
  if (n > graph.edgeCount)
    throw new LimnError('usage/circuit-size', `--edges ${n}: the graphs have ${graph.edgeCount} edges`, {
      details: { given: n, edges: graph.edgeCount },
      hint: `for example --edges ${Math.ceil(graph.edgeCount / 10)}`,
    });
  if (!scores.values.some(Number.isFinite))
    throw new LimnError('data/graph-scores', `${file} has no scores, so that no circuit of equal size can be chosen`, {
      details: { file },
      hint: 'give graphs that were scored',
    });
}

/** Edges that a graph was asked for, or marks. */
function markedSize({ parsed: { circuit, provenance } }: NamedGraph): number {
  const selection = provenance?.['selection'];
  const n = typeof selection === 'object' && selection !== null && 'n' in selection ? selection.n : undefined;
  return Math.max(1, typeof n === 'number' && Number.isSafeInteger(n) ? n : circuit.edgeCount);
}

/** Every circuit on the evaluation pairs of every folder, each under its folder's own metric. */
async function runOnAll(
  graphs: readonly NamedGraph[],
  circuits: Readonly<Record<string, Circuit>>,
  options: CompareOptions,
  context: CommandContext,
): Promise<CrossFaithfulness> {
  const { console, signal } = context;
  const ablation = oneAblation(graphs);
  using device = await openDevice(context);
  using model = await openGivenModel(device.gpu, options.model as string, options, context);
  const { info } = model.hooked;
  for (const { file, parsed } of graphs) {
    const weights = parsed.provenance?.['weightsSha256'];
    if (weights !== undefined && weights !== info.fingerprint)
      throw new LimnError('data/graph-mismatch', `${file} was not made with the weights of ${model.name}`, {
        details: { file, given: info.fingerprint, expected: weights },
        hint: 'name the model that the graphs belong to',
      });
  }
  const tasks: Record<string, TaskPairs> = {};
  for (const graph of graphs) {
    const sets = await pairsOf(graph, { info, tokenizer: model.tokenizer, bos: true });
    tasks[graph.name] = { pairs: sets.evaluation, metric: metricByName(graph.record?.metric.name ?? sets.metric) };
  }
  // Awaited here: the model and the device are open until then.
  return await crossFaithfulness(model.hooked, circuits, tasks, {
    ablation,
    signal,
    onProgress: ({ unit, done, total }) => console.progress({ phase: 'circuits across tasks', unit, done, total }),
  });
}

/** What all records were measured with; means belong to one task's search and cannot serve several. */
function oneAblation(graphs: readonly NamedGraph[]): 'patch' | 'zero' {
  const [first = 'patch', ...others] = new Set(graphs.map(({ record }) => record?.method.ablation ?? 'patch'));
  if (others.length === 0 && (first === 'patch' || first === 'zero')) return first;
  throw new LimnError(
    'usage/ablation',
    `circuits found under ${[first, ...others].join(' and ')} cannot be run on each other's pairs`,
    {
      details: { given: [first, ...others], allowed: ABLATIONS.filter((name) => !name.startsWith('mean')) },
      hint: 'find all of them with --ablation patch, or leave out --model',
    },
  );
}

function figuresOf(
  { tasks, circuits, faithfulness, baselines }: CrossFaithfulness,
  against: OverlapAgainstFaithfulness,
) {
  return {
    tasks,
    circuits,
    faithfulness: faithfulness.map((row) => row.map(({ value }) => value)),
    baselines,
    overlap: against,
  };
}
