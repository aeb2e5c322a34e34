// `limn train`: trains pocket from its recipe, or a model from a file of token ids; stops and goes on without losing a step.
import { randomGpt2, saveGpt2, trainGpt2, type TrainingProgress, type TrainingResult } from '@limn/gpt2';
import { openFolder } from '@limn/gpt2/node';
import { LimnError } from '@limn/gpu';
import type { Command } from 'commander';
import { commandLine } from '../command-line.js';
import type { CommandContext } from '../context.js';
import { openDevice } from '../device.js';
import { integerOption, nameOption, numberOption, withSharedOptions, type SharedOptions } from '../shared-options.js';
import { openTrainingFolder, type TrainingFolder } from '../training-folder.js';
import { corpusJob, pocketJob, type TrainingJob } from '../training-jobs.js';
import { version } from '../version.js';

const RECIPES = ['pocket'] as const;

interface TrainOptions extends SharedOptions {
  readonly recipe?: (typeof RECIPES)[number];
  readonly data?: string;
  readonly out: string;
  readonly resume: boolean;
  readonly allowDrift: boolean;
  readonly seed: number;
  readonly steps?: number;
  readonly checkpointEvery: number;
  readonly vocabulary: number;
  readonly positions: number;
  readonly layers: number;
  readonly heads: number;
  readonly width: number;
  readonly batch: number;
  readonly rate: number;
}

/** Updates of a corpus of one's own, unless --steps says otherwise. */
const DEFAULT_STEPS = 1000;

export function addTrainCommand(program: Command, context: CommandContext): void {
  withSharedOptions(program.command('train'))
    .description('train pocket from its recipe, or a small GPT-2 from a file of token ids')
    .option('--recipe <name>', RECIPES.join(', '), nameOption('--recipe', 'recipe', RECIPES))
    .option('--data <file>', 'a corpus: JSON lines, each a list of token ids')
    .option('--out <dir>', 'folder for checkpoint, log and the finished model', 'limn-train')
    .option('--resume', 'go on from the checkpoint in --out', false)
    .option('--allow-drift', 'resume a checkpoint of another adapter, although the bits will differ', false)
    .option('--seed <n>', 'initial weights and data', integerOption('--seed', 0), 0)
    .option('--steps <n>', `updates (default: the recipe's, else ${DEFAULT_STEPS})`, integerOption('--steps', 1))
    .option('--checkpoint-every <n>', 'updates between checkpoints', integerOption('--checkpoint-every', 1), 100)
    .option('--vocabulary <n>', 'with --data: number of token ids', integerOption('--vocabulary', 2), 256)
    .option('--positions <n>', 'with --data: longest prompt', integerOption('--positions', 1), 64)
    .option('--layers <n>', 'with --data', integerOption('--layers', 1), 2)
    .option('--heads <n>', 'with --data', integerOption('--heads', 1), 4)
    .option('--width <n>', 'with --data: width of the residual stream', integerOption('--width', 1), 64)
    .option('--batch <n>', 'with --data: rows per update', integerOption('--batch', 1), 16)
    .option('--rate <x>', 'with --data: highest learning rate', numberOption('--rate'), 1e-3)
    .action((options: TrainOptions) => run(options, context));
}

async function run(options: TrainOptions, context: CommandContext): Promise<void> {
  const { console, signal, words, env } = context;
  const job = await jobOf(options);
  const folder = openTrainingFolder(options.out, options.resume);
  using device = await openDevice(context);
  const { adapter, source } = device.gpu.capabilities;
  const about = {
    job: job.name,
    seed: job.seed,
    steps: job.steps,
    sizes: job.sizes,
    recipe: job.recipe,
    versions: { limn: version, node: process.versions.node },
    adapter: { ...adapter, source },
    commandLine: commandLine(words, env),
  };
  await folder.writeLog({ state: 'running', ...about });
  const model = await randomGpt2(device.gpu, job.sizes, job.seed);
  try {
    if (folder.started) console.note(`going on from the checkpoint in ${folder.path}`);
    const result = await trainGpt2(model, {
      batch: (step) => job.batch(step),
      steps: job.steps,
      recipe: job.recipe,
      every: 10,
      checkpoint: { store: folder.checkpoint, every: options.checkpointEvery, allowDrift: options.allowDrift },
      signal,
      onProgress: (progress) => console.progress(eventOf(job, progress)),
    }).catch((error: unknown) => {
      throw signal.aborted && error === signal.reason ? stopped(folder) : error;
    });
    await finish(folder, job, model, about, result);
    tell(folder, result, context);
  } finally {
    model.dispose();
  }
}

async function jobOf({
  recipe,
  data,
  seed,
  steps,
  vocabulary,
  positions,
  layers,
  heads,
  width,
  batch,
  rate,
}: TrainOptions): Promise<TrainingJob> {
  if ((recipe === undefined) === (data === undefined)) {
    throw new LimnError('usage/training-source', 'say what to train: --recipe pocket, or --data corpus.jsonl');
  }
  if (data === undefined) return pocketJob(seed, steps);
  const sizes = { vocabulary, maxPositions: positions, width, layers, heads };
  return corpusJob({ file: data, sizes, steps: steps ?? DEFAULT_STEPS, seed, rows: batch, rate });
}

/** The model files come last: a folder with config.json is a finished model. */
async function finish(
  folder: TrainingFolder,
  job: TrainingJob,
  model: Parameters<typeof saveGpt2>[0],
  about: Readonly<Record<string, unknown>>,
  { losses, fingerprint, resumedFrom, tokens, seconds }: TrainingResult,
): Promise<void> {
  const files = openFolder(folder.path);
  for (const [name, text] of Object.entries(job.files)) await files.write(name, new TextEncoder().encode(text));
  await folder.writeLog({
    state: 'finished',
    ...about,
    weightsSha256: fingerprint,
    resumedFrom,
    tokens,
    seconds,
    losses,
  });
  await saveGpt2(model, files);
}

function tell(
  folder: TrainingFolder,
  { steps, losses, fingerprint }: TrainingResult,
  { console }: CommandContext,
): void {
  const loss = losses.at(-1)?.loss;
  console.say(
    `trained ${steps} updates${loss === undefined ? '' : `, loss ${loss.toFixed(4)} nats`}; weights ${fingerprint.slice(0, 12)}…`,
  );
  console.say(`written to ${folder.path}`);
  console.result({
    ok: true,
    command: 'train',
    out: folder.path,
    steps,
    ...(loss === undefined ? {} : { loss }),
    weightsSha256: fingerprint,
  });
}

function stopped({ path }: TrainingFolder): LimnError {
  return new LimnError('aborted', `a checkpoint is in ${path}`, {
    hint: 'the same command with --resume goes on from there',
  });
}

function eventOf(job: TrainingJob, { step, steps, loss, rate, tokensPerSecond }: TrainingProgress) {
  const note = `loss ${loss.toFixed(4)}, rate ${rate.toExponential(1)}, ${Math.round(tokensPerSecond)} tokens/s`;
  return { phase: `training ${job.name}`, done: step, total: steps, unit: 'updates', note };
}
