// `limn steer compare`: learnt steerings of one model on the same prompts, side by side and beside what needs no learning, and how far they agree on the cells.
import { steeringPage, steeringToJson } from '@limn/report';
import {
  evaluateSteering,
  readSteering,
  summarise,
  UNTOUCHED,
  type MinimalityFigures,
  type SteeringFigures,
} from '@limn/steering';
import type { Command } from 'commander';
import {
  comparedBaselines,
  comparedCells,
  comparedSteering,
  type ComparedBaseline,
  type ComparedSteering,
  type GivenSteering,
} from '../compared-steerings.js';
import { comparisonOfSteerings, withSettings } from '../comparison-of-steerings.js';
import type { CommandContext } from '../context.js';
import { openDevice } from '../device.js';
import { openGivenModel } from '../given-model.js';
import { openOutputFolder, type OutputLayout } from '../output.js';
import { promptText } from '../prompt-text.js';
import { provenanceOf } from '../provenance.js';
import { integerOption, withSharedOptions, type SharedOptions } from '../shared-options.js';
import { steeringFileText } from '../steering-file-text.js';
import { partsOf, steeringSets } from '../steering-source.js';
import { withWeightOptions, type WeightOptions } from '../weight-options.js';
import { withLora, type LoraOptions } from './lora-option.js';
import { expectOneSource } from './steer-options.js';

interface SteerCompareOptions extends SharedOptions, WeightOptions, LoraOptions {
  readonly model: string;
  readonly task?: string;
  readonly data?: string;
  readonly examples: number;
  readonly seed: number;
  readonly bos: boolean;
  readonly top: number;
  readonly baselines?: boolean;
  readonly out?: string;
}

const COMPARISON_FILES = {
  entries: ['result.json', 'report.html'],
  mark: 'result.json',
} as const satisfies OutputLayout;

export function addSteerCompareCommand(steer: Command, context: CommandContext): void {
  withLora(withWeightOptions(withSharedOptions(steer.command('compare'))))
    .description('measure several steerings of one model on the same prompts, and say how far they agree on the cells')
    .argument('<files...>', 'steering.json files of `limn steer train` or `limn steer sweep`')
    .requiredOption('--model <name>', 'the model that they were learnt on')
    .option(
      '--task <name>',
      'a task: its test prompts, those about things that training with the same seed has not seen',
    )
    .option('--data <file>', 'examples as JSON lines, all of them; with --baselines or --out those of the test part')
    .option('--examples <n>', 'of a task: how many prompts to split', integerOption('--examples', 5), 240)
    .option('--seed <n>', 'of the prompts and the split', integerOption('--seed', 0), 0)
    .option('--no-bos', 'put no BOS in front of text')
    .option('--top <k>', 'cells whose overlap is told', integerOption('--top', 1), 10)
    .option(
      '--baselines',
      'also what needs no learning: made on the training prompts, settings and strength chosen on the validation prompts',
    )
    .option('--out <dir>', 'also write result.json and report.html: the first file, with all rows in its table')
    .action((files: readonly string[], options: SteerCompareOptions) => run(files, options, context));
}

async function run(files: readonly string[], options: SteerCompareOptions, context: CommandContext): Promise<void> {
  expectOneSource(options);
  const output = options.out === undefined ? undefined : openOutputFolder(options.out, COMPARISON_FILES);
  try {
    await compare(files, options, context, output);
  } finally {
    output?.discard();
  }
}

async function compare(
  files: readonly string[],
  options: SteerCompareOptions,
  context: CommandContext,
  output: ReturnType<typeof openOutputFolder> | undefined,
): Promise<void> {
  const { console, signal } = context;
  const given = await Promise.all(
    files.map(async (file): Promise<GivenSteering> => ({ file, ...readSteering(await steeringFileText(file)) })),
  );
  using device = await openDevice(context);
  using model = await openGivenModel(device.gpu, options.model, options, context);
  const { hooked, tokenizer } = model;
  const { task, data, examples: count, seed, bos } = options;
  const sets = await steeringSets(
    { task, data, examples: count, seed, parity: false },
    { info: hooked.info, tokenizer, bos },
  );
  const { train, validation, test } = sets.split;
  const unseen = task !== undefined || options.baselines === true || output !== undefined;
  const examples = unseen ? test : [...train, ...validation, ...test];
  const controls = { signal, onProgress: console.progress };
  const untouched = summarise(await evaluateSteering(hooked, UNTOUCHED, examples, { signal }));
  const steerings: ComparedSteering[] = [];
  for (const each of given) steerings.push(await comparedSteering(hooked, each, examples, controls));
  const baselines = options.baselines
    ? await comparedBaselines(hooked, given, sets.split, examples, controls)
    : undefined;
  const agreements = comparedCells(hooked, given, examples, options.top);
  if (output) {
    const record = await comparisonOfSteerings({
      model: hooked,
      sets,
      given: given as [GivenSteering, ...GivenSteering[]],
      steerings,
      baselines: baselines ?? [],
      agreements,
      provenance: provenanceOf(device.gpu, model, context, {
        seed,
        prompts: examples.map(({ prompt }) => prompt),
        prependBos: sets.bos === 'in the ids' ? null : sets.bos === 'prepended',
        options: {
          ...(task === undefined ? { data: data as string } : { task, examples: count }),
          files: files.join(' '),
          top: options.top,
          baselines: options.baselines === true,
        },
      }),
      show: model.show,
      textOf: promptText(model),
      ...controls,
    });
    output.write('result.json', steeringToJson(record));
    output.write('report.html', steeringPage(record));
    signal.throwIfAborted();
    output.commit();
  }
  console.say(
    `${examples.length} prompts of ${sets.name}; Δ of the untouched model ${(untouched.strengths[0]?.effect ?? 0).toFixed(2)} logits`,
  );
  for (const line of tableOf(steerings, baselines ?? [])) console.say(line);
  for (const { a, b, agreement } of agreements)
    console.say(
      `cells of ${a} and ${b}: Spearman ${shown(agreement.spearman)}, top ${options.top} overlap ${shown(agreement.topJaccard.value)} (Jaccard)`,
    );
  if (output) console.say(`written to ${output.path}: ${COMPARISON_FILES.entries.join(', ')}`);
  console.result({
    ok: true,
    command: 'steer compare',
    ...(output ? { out: output.path, files: COMPARISON_FILES.entries } : {}),
    data: partsOf(sets),
    prompts: examples.length,
    untouched,
    steerings,
    ...(baselines ? { baselines } : {}),
    agreements,
  });
}

const shown = (value: number | null): string => (value === null ? '–' : value.toFixed(2));

interface TableRow {
  readonly name: string;
  readonly method: string;
  readonly minimality: MinimalityFigures | null;
  readonly figures: SteeringFigures;
}

function tableOf(steerings: readonly ComparedSteering[], baselines: readonly ComparedBaseline[]): string[] {
  const rows: readonly TableRow[] = [
    ...steerings.map((row) => ({ ...row, name: row.file })),
    ...baselines.map((row) => ({ ...row, name: withSettings(row), method: 'no learning' })),
  ];
  const width = Math.max(...rows.map(({ name }) => name.length));
  return [
    `${''.padEnd(width)}  method           not 0      both ways  margin alone  KL of the rest`,
    ...rows.map(({ name, method, minimality, figures }) =>
      [
        name.padEnd(width),
        method.padEnd(15),
        countsOf(minimality).padStart(9),
        figures.twoWaySuccess.toFixed(2).padStart(11),
        figures.twoWayMargin.toFixed(2).padStart(13),
        Math.max(0, figures.drift).toFixed(3).padStart(15),
      ].join(' '),
    ),
  ];
}

/** Cells that are not 0 of those that can have an effect, or the numbers of what has no cells. */
function countsOf(minimality: MinimalityFigures | null): string {
  if (!minimality) return '–';
  return minimality.live > 0 ? `${minimality.nonZero}/${minimality.live}` : `${minimality.parameters}`;
}
