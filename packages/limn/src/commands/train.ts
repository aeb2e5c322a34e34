// `limn train`: trains pocket or pocket-chat from its recipe, or a model from a file of token ids; stops and goes on without losing a step.
import { RATE_SHAPES, checkRecipe, randomGpt2, saveGpt2, trainGpt2 } from '@limn/gpt2';
import type { Gpt2, RateShape, TrainingProgress, TrainingRecipe, TrainingResult } from '@limn/gpt2';
import { openFolder } from '@limn/gpt2/node';
import { LimnError, type Gpu } from '@limn/gpu';
import type { Command } from 'commander';
import { commandLine } from '../command-line.js';
import type { CommandContext } from '../context.js';
import { openDevice } from '../device.js';
import { notedLosses, onNewDevices } from '../new-devices.js';
import {
  integerOption,
  nameOption,
  numberOption,
  partOption,
  withSharedOptions,
  type SharedOptions,
} from '../shared-options.js';
import { openTrainingFolder, type TrainingFolder } from '../training-folder.js';
import { corpusJob, pocketChatJob, pocketJob, type TrainingJob } from '../training-jobs.js';
import { version } from '../version.js';

const RECIPES = ['pocket', 'pocket-chat'] as const;
const RECIPE_JOBS = { pocket: pocketJob, 'pocket-chat': pocketChatJob };

interface TrainOptions extends SharedOptions {
  readonly recipe?: (typeof RECIPES)[number];
  readonly data?: string;
  readonly out: string;
  readonly resume: boolean;
  readonly allowDrift: boolean;
  readonly seed: number;
  readonly steps?: number;
  readonly checkpointEvery: number;
  readonly evaluateEvery?: number;
  readonly vocabulary: number;
  readonly positions: number;
  readonly layers: number;
  readonly heads: number;
  readonly width: number;
  readonly batch: number;
  readonly microBatch?: number;
  readonly heldOut: number;
  readonly rate: number;
  readonly schedule?: RateShape;
  readonly warmup?: number;
  readonly finalRate?: number;
}

/** Updates of a corpus of one's own, unless --steps says otherwise. */
const DEFAULT_STEPS = 1000;

export function addTrainCommand(program: Command, context: CommandContext): void {
  withSharedOptions(program.command('train'))
    .description('train pocket or pocket-chat from its recipe, or a small GPT-2 from a file of token ids')
    .option('--recipe <name>', RECIPES.join(', '), nameOption('--recipe', 'recipe', RECIPES))
    .option('--data <file>', 'a corpus: JSON lines, each a list of token ids')
    .option('--out <dir>', 'folder for checkpoints, log, plot and the finished model', 'limn-train')
    .option('--resume', 'go on from the checkpoint in --out', false)
    .option('--allow-drift', 'resume a checkpoint of another adapter, although the bits will differ', false)
    .option('--seed <n>', 'initial weights and data', integerOption('--seed', 0), 0)
    .option('--steps <n>', `updates (default: the recipe's, else ${DEFAULT_STEPS})`, integerOption('--steps', 1))
    .option('--checkpoint-every <n>', 'updates between checkpoints', integerOption('--checkpoint-every', 1), 100)
    .option(
      '--evaluate-every <n>',
      'updates between losses on held-out rows (default: as checkpoints)',
      integerOption('--evaluate-every', 1),
    )
    .option('--vocabulary <n>', 'with --data: number of token ids', integerOption('--vocabulary', 2), 256)
    .option('--positions <n>', 'with --data: longest prompt', integerOption('--positions', 1), 64)
    .option('--layers <n>', 'with --data', integerOption('--layers', 1), 2)
    .option('--heads <n>', 'with --data', integerOption('--heads', 1), 4)
    .option('--width <n>', 'with --data: width of the residual stream', integerOption('--width', 1), 64)
    .option('--batch <n>', 'with --data: rows per update', integerOption('--batch', 1), 16)
    .option(
      '--micro-batch <n>',
      'with --data: rows on the GPU at a time (default: all of an update)',
      integerOption('--micro-batch', 1),
    )
    .option(
      '--held-out <part>',
      'with --data: part of the documents that is not trained on',
      partOption('--held-out'),
      0.1,
    )
    .option('--rate <x>', 'with --data: highest learning rate', numberOption('--rate'), 1e-3)
    .option(
      '--schedule <name>',
      `with --data: ${RATE_SHAPES.join(', ')} (default: cosine)`,
      nameOption('--schedule', 'schedule', RATE_SHAPES),
    )
    .option(
      '--warmup <n>',
      'with --data: updates of linear warm-up (default: a tenth, at most 100)',
      integerOption('--warmup', 0),
    )
    .option(
      '--final-rate <part>',
      'with --data: part of the rate that the schedule ends at (default: 0.05)',
      partOption('--final-rate'),
    )
    .action((options: TrainOptions) => run(options, context));
}

async function run(options: TrainOptions, context: CommandContext): Promise<void> {
  const job = await jobOf(options);
  checkRecipe(job.recipe, job.steps);
  const folder = await openTrainingFolder(options.out, options.resume);
  try {
    await trainIn(folder, job, options, context);
  } finally {
    await folder.release();
  }
}

async function trainIn(
  folder: TrainingFolder,
  job: TrainingJob,
  options: TrainOptions,
  context: CommandContext,
): Promise<void> {
  const { console } = context;
  if (folder.started) console.note(`going on from the checkpoint in ${folder.path}`);
  const result = await onNewDevices(
    () => openDevice(context, { work: { folder: folder.path, started: folder.started } }),
    ({ gpu }) => trainOn(gpu, job, folder, options, context),
    notedLosses(context),
  );
  tell(folder, result, context);
}

/** Trains to the end and writes the model. */
async function trainOn(
  gpu: Gpu,
  job: TrainingJob,
  folder: TrainingFolder,
  options: TrainOptions,
  { console, signal, words, env }: CommandContext,
): Promise<TrainingResult> {
  const { adapter, source } = gpu.capabilities;
  const about = {
    job: job.name,
    seed: job.seed,
    steps: job.steps,
    sizes: job.sizes,
    recipe: job.recipe,
    heldOutRows: job.heldOut.length,
    versions: { limn: version, node: process.versions.node },
    adapter: { ...adapter, source },
    commandLine: commandLine(words, env),
  };
  const model = await randomGpt2(gpu, job.sizes, job.seed);
  try {
    const result = await trainGpt2(model, {
      batch: (step) => job.batch(step),
      steps: job.steps,
      recipe: job.recipe,
      data: job.data,
      every: 10,
      checkpoint: { store: folder.checkpoints, every: options.checkpointEvery, allowDrift: options.allowDrift },
      ...(job.heldOut.length > 0 ? { heldOut: job.heldOut } : {}),
      evaluateEvery: options.evaluateEvery ?? options.checkpointEvery,
      log: folder.log,
      signal,
      // The record of an earlier run stays while its checkpoint may yet be refused.
      onStart: () => folder.writeAbout({ state: 'running', ...about }),
      onProgress: (progress) => console.progress(eventOf(job, progress)),
      onNotice: (notice) => console.note(notice),
    }).catch(async (error: unknown) => {
      if (!signal.aborted || error !== signal.reason) throw error;
      await folder.writePlot(job.name);
      throw stopped(folder);
    });
    await finish(folder, job, model, about, result);
    return result;
  } finally {
    model.dispose();
  }
}

async function jobOf(options: TrainOptions): Promise<TrainingJob> {
  const { recipe, data, seed, steps, vocabulary, positions, layers, heads, width } = options;
  if ((recipe === undefined) === (data === undefined)) {
    throw new LimnError(
      'usage/training-source',
      'say what to train: --recipe pocket or pocket-chat, or --data corpus.jsonl',
    );
  }
  if (data === undefined) return RECIPE_JOBS[recipe ?? 'pocket'](seed, steps);
  return corpusJob({
    file: data,
    sizes: { vocabulary, maxPositions: positions, width, layers, heads },
    steps: steps ?? DEFAULT_STEPS,
    seed,
    rows: options.batch,
    recipe: recipeOf(options),
    heldOut: options.heldOut,
  });
}

function recipeOf({ rate, schedule, warmup, finalRate, microBatch }: TrainOptions): TrainingRecipe {
  return {
    rate,
    ...(schedule === undefined ? {} : { schedule }),
    ...(warmup === undefined ? {} : { warmup }),
    ...(finalRate === undefined ? {} : { finalRate }),
    ...(microBatch === undefined ? {} : { microBatch }),
  };
}

/** The model files come last: a folder with config.json is a finished model. */
async function finish(
  folder: TrainingFolder,
  job: TrainingJob,
  model: Gpt2,
  about: Readonly<Record<string, unknown>>,
  { fingerprint, resumedFrom, tokens, seconds }: TrainingResult,
): Promise<void> {
  const files = openFolder(folder.path);
  for (const [name, text] of Object.entries(job.files)) await files.write(name, new TextEncoder().encode(text));
  await folder.writePlot(job.name);
  const losses = (await folder.entries()).map(({ step, loss, heldOutLoss }) => ({ step, loss, heldOutLoss }));
  await folder.writeAbout({
    state: 'finished',
    ...about,
    weightsSha256: fingerprint,
    lastStretch: { from: resumedFrom, tokens, seconds },
    losses,
  });
  await saveGpt2(model, files);
}

function tell(folder: TrainingFolder, result: TrainingResult, { console }: CommandContext): void {
  const { steps, losses, heldOutLoss, fingerprint } = result;
  const loss = losses.at(-1)?.loss;
  const trained = loss === undefined ? '' : `, loss ${loss.toFixed(4)} nats`;
  const heldOut = heldOutLoss === undefined ? '' : `, ${heldOutLoss.toFixed(4)} on held-out rows`;
  console.say(`trained ${steps} updates${trained}${heldOut}; weights ${fingerprint.slice(0, 12)}…`);
  console.say(`written to ${folder.path}`);
  console.result({
    ok: true,
    command: 'train',
    out: folder.path,
    steps,
    ...(loss === undefined ? {} : { loss }),
    ...(heldOutLoss === undefined ? {} : { heldOutLoss }),
    weightsSha256: fingerprint,
  });
}

function stopped({ path }: TrainingFolder): LimnError {
  return new LimnError('aborted', `a checkpoint is in ${path}`, {
    hint: 'the same command with --resume goes on from there',
  });
}

function eventOf(job: TrainingJob, { step, steps, loss, heldOutLoss, rate, tokensPerSecond }: TrainingProgress) {
  const heldOut = heldOutLoss === undefined ? '' : `, held out ${heldOutLoss.toFixed(4)}`;
  const note = `loss ${loss.toFixed(4)}${heldOut}, rate ${rate.toExponential(1)}, ${Math.round(tokensPerSecond)} tokens/s`;
  return { phase: `training ${job.name}`, done: step, total: steps, unit: 'updates', note };
}
