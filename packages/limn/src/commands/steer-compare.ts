// `limn steer compare`: learnt steerings of one model on the same prompts, side by side, and how far they agree on the cells.
import {
  cellGrid,
  compareGrids,
  evaluateSteering,
  minimalityOf,
  readSteering,
  Steering,
  steererOf,
  summarise,
  UNTOUCHED,
  type GridAgreement,
  type MinimalityFigures,
  type SteeringExample,
  type SteeringFigures,
  type SteeringValues,
} from '@limn/steering';
import type { HookedModel } from '@limn/hooks';
import type { Command } from 'commander';
import type { CommandContext } from '../context.js';
import { openDevice } from '../device.js';
import { openGivenModel } from '../given-model.js';
import { integerOption, withSharedOptions, type SharedOptions } from '../shared-options.js';
import { steeringFileText } from '../steering-file-text.js';
import { steeringSets } from '../steering-source.js';
import { withWeightOptions, type WeightOptions } from '../weight-options.js';
import { expectOneSource } from './steer-options.js';

interface SteerCompareOptions extends SharedOptions, WeightOptions {
  readonly model: string;
  readonly task?: string;
  readonly data?: string;
  readonly examples: number;
  readonly seed: number;
  readonly bos: boolean;
  readonly top: number;
}

interface Compared {
  readonly file: string;
  readonly method: string;
  readonly minimality: MinimalityFigures;
  readonly figures: SteeringFigures;
}

export function addSteerCompareCommand(steer: Command, context: CommandContext): void {
  withWeightOptions(withSharedOptions(steer.command('compare')))
    .description('measure several steerings of one model on the same prompts, and say how far they agree on the cells')
    .argument('<files...>', 'steering.json files of `limn steer train` or `limn steer sweep`')
    .requiredOption('--model <name>', 'the model that they were learnt on')
    .option(
      '--task <name>',
      'a task: its test prompts, those about things that training with the same seed has not seen',
    )
    .option('--data <file>', 'examples as JSON lines, all of them')
    .option('--examples <n>', 'of a task: how many prompts to split', integerOption('--examples', 5), 240)
    .option('--seed <n>', 'of the prompts and the split', integerOption('--seed', 0), 0)
    .option('--no-bos', 'put no BOS in front of text')
    .option('--top <k>', 'cells whose overlap is told', integerOption('--top', 1), 10)
    .action((files: readonly string[], options: SteerCompareOptions) => run(files, options, context));
}

async function run(files: readonly string[], options: SteerCompareOptions, context: CommandContext): Promise<void> {
  const { console, signal } = context;
  expectOneSource(options);
  const read = await Promise.all(
    files.map(async (file) => ({ file, values: readSteering(await steeringFileText(file)).values })),
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
  const examples = task === undefined ? [...train, ...validation, ...test] : test;
  const untouched = summarise(await evaluateSteering(hooked, UNTOUCHED, examples, { signal }));
  const compared: Compared[] = [];
  for (const { file, values } of read) compared.push(await measure(hooked, file, values, examples, signal));
  const agreements = agreementsOf(hooked, read, examples, options.top);
  console.say(
    `${examples.length} prompts of ${sets.name}; Δ of the untouched model ${(untouched.strengths[0]?.effect ?? 0).toFixed(2)} logits`,
  );
  for (const line of tableOf(compared)) console.say(line);
  for (const { a, b, agreement } of agreements)
    console.say(
      `cells of ${a} and ${b}: Spearman ${shown(agreement.spearman)}, top ${options.top} overlap ${shown(agreement.topJaccard.value)} (Jaccard)`,
    );
  console.result({
    ok: true,
    command: 'steer compare',
    prompts: examples.length,
    untouched,
    steerings: compared,
    agreements,
  });
}

async function measure(
  model: HookedModel,
  file: string,
  values: SteeringValues,
  examples: readonly SteeringExample[],
  signal: AbortSignal,
): Promise<Compared> {
  using steering = new Steering(model, values.spec, { values: [values] });
  const minimality = minimalityOf(model.info, values);
  const { kind } = values.spec.method;
  const steerer = steererOf(kind, steering, { nonZero: minimality.nonZero });
  return {
    file,
    method: kind,
    minimality,
    figures: summarise(await evaluateSteering(model, steerer, examples, { signal })),
  };
}

/** Every two steerings that have the same cells. */
function agreementsOf(
  { info }: HookedModel,
  read: readonly { readonly file: string; readonly values: SteeringValues }[],
  examples: readonly SteeringExample[],
  k: number,
): { readonly a: string; readonly b: string; readonly agreement: GridAgreement }[] {
  const withCells = read.filter(({ values }) => values.spec.method.kind !== 'dyn-scalar');
  const cells = ({ spec }: SteeringValues): string => JSON.stringify([spec.sites, spec.layers ?? null, spec.positions]);
  return withCells.flatMap((a, i) =>
    withCells
      .slice(i + 1)
      .filter((b) => cells(a.values) === cells(b.values))
      .map((b) => {
        const [first, second] = [a, b].map(({ values }) => cellGrid(info, values, { examples }));
        return {
          a: a.file,
          b: b.file,
          agreement: compareGrids(first as NonNullable<typeof first>, second as NonNullable<typeof second>, { k }),
        };
      }),
  );
}

const shown = (value: number | null): string => (value === null ? '–' : value.toFixed(2));

function tableOf(compared: readonly Compared[]): string[] {
  const width = Math.max(...compared.map(({ file }) => file.length));
  return [
    `${''.padEnd(width)}  method           not 0      both ways  margin alone  KL of the rest`,
    ...compared.map(({ file, method, minimality: { nonZero, live, parameters }, figures }) =>
      [
        file.padEnd(width),
        method.padEnd(15),
        (live > 0 ? `${nonZero}/${live}` : `${parameters}`).padStart(9),
        figures.twoWaySuccess.toFixed(2).padStart(11),
        figures.twoWayMargin.toFixed(2).padStart(13),
        figures.drift.toFixed(3).padStart(15),
      ].join(' '),
    ),
  ];
}
