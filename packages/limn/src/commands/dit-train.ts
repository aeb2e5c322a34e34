// `limn dit train`: trains the adapter that makes changed models say what they learnt, measures it on validation diffs, and writes it as a PEFT folder with dit.json.
import { planDitAdapter, trainDitAdapter } from '@limn/dit';
import { formatBytes, LimnError, type Gpu } from '@limn/gpu';
import { ABOUT_QUESTIONS } from '@limn/tasks/chat';
import type { Command } from 'commander';
import type { CommandContext } from '../context.js';
import { openDevice } from '../device.js';
import { saveDitAdapter, DIT_FILE } from '../dit-adapter-folder.js';
import { ditFile, describeAdapter, measureTrained, testTrained } from '../dit-training-record.js';
import { ditTrainingData, type DitTrainingData } from '../dit-training-data.js';
import { openGivenModel } from '../given-model.js';
import { NEGATIVE_SHARES, negativesOption, type NegativeShares } from '../negative-diffs.js';
import { notedLosses, onNewDevices } from '../new-devices.js';
import { provenanceOf } from '../provenance.js';
import { openRunFolder, type RunFolder } from '../run-folder.js';
import { bytesOption, integerOption, nameOption, numberOption, partOption } from '../shared-options.js';
import { endOf } from '../trained-set.js';
import { nameListOption, repeated, withBase, type DitOptions } from './dit-options.js';
import { weightOption } from './steer-options.js';

/** What trains an adapter, as it was given. */
export interface DitTrainOptions extends DitOptions {
  readonly diffs: readonly string[];
  readonly validation: readonly string[];
  readonly test: readonly string[];
  readonly world?: 'chat';
  readonly question: readonly (typeof ABOUT_QUESTIONS)[number][];
  readonly wordings: number;
  readonly data?: string;
  readonly template?: string;
  readonly none: NegativeShares;
  readonly out: string;
  readonly rank: number;
  readonly alpha: number;
  readonly rate: number;
  readonly updates?: number;
  readonly batch: number;
  readonly weightDecay: number;
  readonly warmUp: number;
  readonly decay: number;
  readonly evaluateEvery?: number;
  readonly patience?: number;
  readonly falseAlarms: number;
  readonly maxNewTokens: number;
  readonly seed: number;
  readonly memory?: number;
  readonly checkpointEvery: number;
  readonly resume: boolean;
  readonly allowDrift: boolean;
}

const RUN = { schema: 'limn.dit-training', command: 'limn dit train' } as const;

export function addDitTrainCommand(dit: Command, context: CommandContext): void {
  withBase(dit.command('train'))
    .description(
      'train the adapter that makes a changed model say what it learnt, from diffs whose truth is known; writes a PEFT folder with dit.json',
    )
    .requiredOption(
      '--diffs <pack>',
      'diffs to learn from: a pack, PACK#ID or a PEFT folder; may be given several times',
      repeated,
      [],
    )
    .option(
      '--validation <pack>',
      'diffs that training is stopped and calibrated by; may be given several times',
      repeated,
      [],
    )
    .option(
      '--test <pack>',
      'diffs that decide nothing and are asked at the end, for its held-out figures; may be given several times',
      repeated,
      [],
    )
    .option(
      '--world <name>',
      'questions and answers are those of the chat world',
      nameOption('--world', 'world', ['chat']),
    )
    .option(
      '--question <names>',
      `of the chat world, separated by commas: ${ABOUT_QUESTIONS.join(', ')} (default: topic)`,
      nameListOption(nameOption('--question', 'question', ABOUT_QUESTIONS)),
      [],
    )
    .option('--wordings <n>', 'of the chat world: wordings of each question', integerOption('--wordings', 1), 1)
    .option('--data <file>', 'questions and answers of your own: JSON lines of {"diff", "question", "answer"}')
    .option(
      '--template <text>',
      'with --data: text around questions, which stand where {question} is (default: {question})',
    )
    .option(
      '--none <classes>',
      'models with nothing to tell, as shares of the diffs that have: zero, random, generic, each with :SHARE; or off',
      negativesOption,
      NEGATIVE_SHARES,
    )
    .option('--out <dir>', 'folder for checkpoints and the finished adapter', 'limn-dit')
    .option('--rank <n>', 'of the adapter', integerOption('--rank', 1), 16)
    .option('--alpha <x>', 'the scale is alpha / rank', numberOption('--alpha'), 1)
    .option('--rate <x>', 'highest learning rate', numberOption('--rate'), 1e-4)
    .option('--updates <n>', 'most updates (default: every example once)', integerOption('--updates', 1))
    .option('--batch <n>', 'examples of an update', integerOption('--batch', 1), 8)
    .option('--weight-decay <x>', 'of AdamW', weightOption('--weight-decay'), 0.01)
    .option('--warm-up <n>', 'updates over which the rate rises', integerOption('--warm-up', 0), 0)
    .option('--decay <part>', 'part of the updates over which the rate falls to 0', partOption('--decay'), 0)
    .option(
      '--evaluate-every <n>',
      'updates between validations (default: a tenth of all)',
      integerOption('--evaluate-every', 1),
    )
    .option(
      '--patience <n>',
      'end behind so many validations without a lower loss (default: never)',
      integerOption('--patience', 1),
    )
    .option(
      '--false-alarms <part>',
      'most of the models with nothing to tell that something may be said of: sets the threshold',
      partOption('--false-alarms'),
      0.05,
    )
    .option('--max-new-tokens <n>', 'most tokens of a validation answer', integerOption('--max-new-tokens', 1), 12)
    .option('--seed <n>', 'of first numbers, order, and random changes', integerOption('--seed', 0), 0)
    .option('--memory <size>', 'GPU memory beside the model, e.g. 1GiB (default: 2GiB)', bytesOption('--memory'))
    .option('--checkpoint-every <n>', 'updates between checkpoints', integerOption('--checkpoint-every', 1), 100)
    .option('--resume', 'go on from the checkpoint in --out', false)
    .option('--allow-drift', 'resume a checkpoint of another adapter, although the bits will differ', false)
    .action((options: DitTrainOptions) => run(options, context));
}

async function run(options: DitTrainOptions, context: CommandContext): Promise<void> {
  expectSource(options);
  const { console } = context;
  const folder = await openRunFolder(options.out, options.resume, RUN);
  try {
    if (folder.started) console.note(`going on from the checkpoint in ${folder.path}`);
    await onNewDevices(
      () => openDevice(context, { work: { folder: folder.path, started: folder.started } }),
      ({ gpu }) => trainOn(gpu, folder, options, context),
      notedLosses(context),
    );
  } finally {
    await folder.release();
  }
}

/** @throws LimnError `usage/dit-source` */
function expectSource({ world, data, question, wordings, template, diffs, falseAlarms }: DitTrainOptions): void {
  const problem =
    diffs.length === 0
      ? 'give diffs to learn from with --diffs PACK'
      : (world === undefined) === (data === undefined)
        ? 'say what is asked: --world chat with --question, or --data FILE'
        : data !== undefined && (question.length > 0 || wordings > 1)
          ? '--question and --wordings are of --world chat: a file has its own'
          : world !== undefined && template !== undefined
            ? '--template is of --data: the chat world has its own'
            : falseAlarms === 0 || falseAlarms === 1
              ? `--false-alarms ${falseAlarms}: expected a part above 0 and below 1`
              : undefined;
  if (problem !== undefined) throw new LimnError('usage/dit-source', problem);
}

async function trainOn(gpu: Gpu, folder: RunFolder, options: DitTrainOptions, context: CommandContext): Promise<void> {
  const { console, signal } = context;
  using model = await openGivenModel(gpu, options.base, options, context);
  const data = await ditTrainingData(options, model);
  for (const note of data.notes) console.note(note);
  const settings = settingsOf(options, data);
  const { factors, update, memoryBytes } = planDitAdapter(model.hooked, data, settings);
  console.note(
    `${data.examples.length} examples of ${data.training.length} models, ${data.validating.length} for validation; training takes ${formatBytes(factors + update)} of GPU memory beside the model, of ${formatBytes(memoryBytes)}`,
  );
  const provenance = provenanceOf(gpu, model, context, {
    seed: options.seed,
    prompts: data.questions.map(({ prompt }) => prompt),
    prependBos: null,
    options: optionsTold(options),
  });
  const trained = await trainDitAdapter(model.hooked, data, {
    ...settings,
    signal,
    checkpoints: {
      store: folder.announced({ command: RUN.command, provenance }),
      every: options.checkpointEvery,
      allowDrift: options.allowDrift,
    },
    onProgress: ({ done, total, loss, validation }) =>
      console.progress({
        phase: 'training the adapter',
        done,
        total,
        unit: 'updates',
        note: `loss ${loss.toFixed(4)}${validation ? `, validation ${validation.loss.toFixed(4)}, exact ${(100 * validation.exact).toFixed(0)} %` : ''}`,
      }),
    onNotice: (line) => console.note(line),
  }).catch((error: unknown) => {
    throw endOf(error, signal, folder);
  });
  const measured = await measureTrained(model, trained.lora, data, options, context);
  const heldOut = await testTrained(model, trained.lora, data, measured, options, context);
  const record = ditFile({ model, options, data, trained, measured, heldOut, provenance });
  await saveDitAdapter(folder.path, model, trained.lora);
  await folder.writeText(DIT_FILE, `${JSON.stringify(record, undefined, 1)}\n`);
  await folder.writeAbout('finished', { command: RUN.command, provenance, key: trained.key });
  folder.removeCheckpoints();
  for (const line of describeAdapter(record)) console.say(line);
  console.say(`written to ${folder.path}`);
  const { losses, validation, best, stopped, validated, heldOut: reached } = record;
  console.result({
    ok: true,
    command: 'dit train',
    out: folder.path,
    key: trained.key,
    updates: losses.at(-1)?.update ?? 0,
    best,
    stopped,
    validation,
    validated,
    heldOut: reached,
    provenance,
  });
}

function settingsOf(options: DitTrainOptions, { candidates }: DitTrainingData) {
  const { rank, alpha, rate, updates, batch, weightDecay, warmUp, decay, evaluateEvery, patience, seed, memory } =
    options;
  return {
    rank,
    alpha,
    rate,
    updates,
    batch,
    weightDecay,
    warmUp,
    decay,
    evaluateEvery,
    patience,
    seed,
    candidates,
    memoryBytes: memory,
  };
}

/** What decides the numbers, as the record says it. */
function optionsTold(options: DitTrainOptions): Record<string, string | number | readonly string[] | null> {
  const {
    diffs,
    validation,
    test,
    world,
    question,
    wordings,
    data,
    template,
    none,
    rank,
    alpha,
    rate,
    updates,
    batch,
  } = options;
  const { weightDecay, warmUp, decay, evaluateEvery, patience, falseAlarms } = options;
  return {
    diffs,
    validation,
    test,
    world: world ?? null,
    question,
    wordings,
    data: data ?? null,
    template: template ?? null,
    none: Object.entries(none).map(([name, share]) => `${name}:${share}`),
    rank,
    alpha,
    rate,
    updates: updates ?? null,
    batch,
    weightDecay,
    warmUp,
    decay,
    evaluateEvery: evaluateEvery ?? null,
    patience: patience ?? null,
    falseAlarms,
  };
}
