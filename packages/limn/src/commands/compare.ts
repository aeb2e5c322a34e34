// `limn compare`: how far circuits of one model share edges and nodes, at equal n and without what all share; with the model, how far one does another's work.
import {
  ABLATIONS,
  circuitsOfSize,
  compareAll,
  crossFaithfulness,
  metricByName,
  overlapAgainstFaithfulness,
  RANKINGS,
  SCORE_SIGNS,
  SELECTORS,
  type Circuit,
  type CrossFaithfulness,
  type OverlapAgainstFaithfulness,
  type Ranking,
  type ScoreSign,
  type Selector,
  type TaskPairs,
} from '@limn/attribution';
import { LimnError } from '@limn/gpu';
import type { ComparisonRecord, Provenance } from '@limn/report';
import type { Command } from 'commander';
import { commandLine } from '../command-line.js';
import { COMPARISON_FILES, comparisonFiles, type Compared } from '../comparison-output.js';
import { comparisonLines } from '../comparison-text.js';
import type { CommandContext } from '../context.js';
import { openDevice } from '../device.js';
import { openGivenModel } from '../given-model.js';
import { pairsOf, readGraphs, type NamedGraph } from '../graph-source.js';
import { openOutputFolder } from '../output.js';
import { provenanceOf } from '../provenance.js';
import { integerOption, nameOption, withSharedOptions, type SharedOptions } from '../shared-options.js';
import { version } from '../version.js';
import { withWeightOptions, type WeightOptions } from '../weight-options.js';
import { withLora, type LoraOptions } from './lora-option.js';

interface CompareOptions extends SharedOptions, WeightOptions, LoraOptions {
  readonly edges?: number;
  readonly selector: Selector;
  readonly ranking: Ranking;
  readonly sign?: ScoreSign;
  readonly model?: string;
  readonly out?: string;
}

/** Circuits run on one another's pairs, and what ran them. */
interface CrossRun {
  readonly run: CrossFaithfulness;
  readonly provenance: Provenance;
}

export function addCompareCommand(program: Command, context: CommandContext): void {
  withLora(withWeightOptions(withSharedOptions(program.command('compare'))))
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
    .option(
      '--ranking <name>',
      `${RANKINGS.join(', ')}: edges of largest |score|, or the most helpful ones`,
      nameOption('--ranking', 'ranking', RANKINGS),
      'absolute',
    )
    .option(
      '--sign <name>',
      `of scores in files that do not say it, as MIB’s and EAP-IG’s: ${SCORE_SIGNS.join(', ')}`,
      nameOption('--sign', 'sign', SCORE_SIGNS),
    )
    .option('--model <name>', 'the model of the graphs: also runs every circuit on the pairs of every folder')
    .option('--out <dir>', 'also writes the comparison as result.json and report.html there')
    .action((places: readonly string[], options: CompareOptions) => compare(places, options, context));
}

async function compare(places: readonly string[], options: CompareOptions, context: CommandContext): Promise<void> {
  const { console, signal } = context;
  const graphs = await readGraphs(places, { sign: options.sign, console });
  const { selector, ranking } = options;
  const n = options.edges ?? Math.max(...graphs.map(markedSize));
  for (const graph of graphs) expectChoice(graph, n);
  const output = options.out === undefined ? undefined : openOutputFolder(options.out, COMPARISON_FILES);
  try {
    const circuits = circuitsOfSize(Object.fromEntries(graphs.map(({ name, parsed }) => [name, parsed.scores])), n, {
      selector,
      ranking,
    });
    const comparisons = compareAll(circuits);
    const crossed = options.model === undefined ? undefined : await runOnAll(graphs, circuits, options, context);
    const cross = crossed && { run: crossed.run, against: overlapAgainstFaithfulness(comparisons.pairs, crossed.run) };
    const found: Compared = { n, selector, ranking, circuits, comparisons, cross };
    if (output) {
      const provenance = originOf(graphs, crossed?.provenance, options, context);
      for (const [name, content] of comparisonFiles(found, provenance)) output.write(name, content);
      signal.throwIfAborted();
      output.commit();
    }
    for (const line of comparisonLines(found)) console.say(line);
    if (output) console.say(`written to ${output.path}: ${COMPARISON_FILES.entries.join(', ')}`);
    const { pairs, core, withoutCore } = comparisons;
    console.result({
      ok: true,
      command: 'compare',
      n,
      selector,
      ranking,
      graphs: graphs.map(({ name, file }) => ({ name, file, kept: circuits[name]?.edgeCount ?? 0 })),
      pairs,
      core,
      withoutCore,
      ...(cross ? { cross: figuresOf(cross.run, cross.against) } : {}),
      ...(output ? { out: output.path, files: COMPARISON_FILES.entries } : {}),
    });
  } finally {
    output?.discard();
  }
}

/** Who compared what: of the model as much as the graphs say, or all of it where it was run. */
function originOf(
  graphs: readonly NamedGraph[],
  ran: Provenance | undefined,
  { edges, selector, ranking }: CompareOptions,
  { words, env }: CommandContext,
): ComparisonRecord['provenance'] {
  const weights = graphs.map(({ parsed }) => parsed.provenance?.['weightsSha256']).find((hash) => hash !== undefined);
  const known = graphs.flatMap(({ record }) => record?.provenance.model.name ?? [])[0];
  const model = {
    ...(known === undefined ? {} : { name: known }),
    ...(typeof weights === 'string' && /^[0-9a-f]{64}$/.test(weights) ? { weightsSha256: weights } : {}),
  };
  return {
    versions: ran?.versions ?? { limn: version, node: process.versions.node },
    options: { graphs: graphs.map(({ file }) => file), selector, ranking, ...(edges === undefined ? {} : { edges }) },
    commandLine: commandLine(words, env),
    model: ran ? { name: ran.model.name, weightsSha256: ran.model.weightsSha256 } : model,
    ...(ran ? { adapter: ran.adapter } : {}),
  };
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
): Promise<CrossRun> {
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
    const { sets, known } = await pairsOf(graph, { info, tokenizer: model.tokenizer });
    if (!known)
      console.note(
        `${graph.file}: an earlier limn wrote no sha256 of the pairs that it was measured on; they are taken as they are now`,
      );
    tasks[graph.name] = { pairs: sets.evaluation, metric: metricByName(graph.record?.metric.name ?? sets.metric) };
  }
  const run = await crossFaithfulness(model.hooked, circuits, tasks, {
    ablation,
    signal,
    onProgress: ({ unit, done, total }) => console.progress({ phase: 'circuits across tasks', unit, done, total }),
  });
  const prompts = Object.values(tasks).flatMap(({ pairs }) => pairs.map(({ clean }) => clean));
  return {
    run,
    provenance: provenanceOf(device.gpu, model, context, { options: {}, seed: null, prompts, prependBos: null }),
  };
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
