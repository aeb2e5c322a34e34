// What can be trained: pocket and pocket-chat from their recipes, or a model of any size from a file of token ids. Batches depend on the step alone.
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import type { NewGpt2Config, TrainingRecipe } from '@limn/gpt2';
import { LimnError, shownValue } from '@limn/gpu';
import { RECIPE, modelFiles, pocketCorpus, type Corpus, type Recipe, type TaggedDocument } from '@limn/pocket';
import { CHAT_RECIPE, chatCorpus, chatModelFiles } from '@limn/pocket/chat';
import { END_OF_TEXT_ID } from '@limn/tasks';
import { END, chatIdOf } from '@limn/tasks/chat';
import { randomU32 } from '@limn/tensor';
import { splitHeldOut } from './held-out.js';

/** Everything a training run is determined by, on one machine. */
export interface TrainingJob {
  readonly name: string;
  readonly sizes: NewGpt2Config;
  readonly recipe: TrainingRecipe;
  readonly steps: number;
  readonly seed: number;
  /** Names the data that batches are drawn from; other data have another name, wherever they differ. */
  readonly data: string;
  /** Rows of token ids of update `step`. */
  batch(step: number): readonly ArrayLike<number>[];
  /** Rows that no batch has; empty where none are held out. */
  readonly heldOut: readonly ArrayLike<number>[];
  /** Files that belong beside config.json and the weights, by name. */
  readonly files: Readonly<Record<string, string>>;
}

/**
 * Pocket's own recipe. Another seed gives a replication: other initial weights and other documents. The first batch of the next seed's
 * documents is held out.
 */
export function pocketJob(seed: number = RECIPE.init.seed, steps: number = RECIPE.schedule.steps): TrainingJob {
  return recipeJob('pocket', RECIPE, pocketCorpus, {
    seed,
    steps,
    eosId: END_OF_TEXT_ID,
    files: modelFiles(RECIPE.model),
  });
}

/** The recipe of pocket-chat; in everything else as {@link pocketJob}. */
export function pocketChatJob(
  seed: number = CHAT_RECIPE.init.seed,
  steps: number = CHAT_RECIPE.schedule.steps,
): TrainingJob {
  const files = chatModelFiles(CHAT_RECIPE.model);
  return recipeJob('pocket-chat', CHAT_RECIPE, chatCorpus, { seed, steps, eosId: chatIdOf(END), files });
}

function recipeJob<D extends TaggedDocument>(
  name: string,
  { model, optimizer, schedule, init }: Recipe<unknown>,
  corpusOf: (seed: number) => Corpus<D>,
  run: Pick<TrainingJob, 'seed' | 'steps' | 'files'> & { readonly eosId: number },
): TrainingJob {
  const { seed, steps, eosId } = run;
  const corpus = corpusOf(seed);
  const { sequences, length } = corpus.options;
  const rowsOf = (tokens: Uint32Array): Uint32Array[] =>
    Array.from({ length: sequences }, (_, row) => tokens.subarray(row * length, (row + 1) * length));
  const { 'config.json': _written, ...files } = run.files;
  return {
    name,
    sizes: {
      vocabulary: model.vocabulary,
      maxPositions: model.positions,
      width: model.width,
      layers: model.layers,
      heads: model.heads,
      mlpWidth: model.mlpWidth,
      bosId: END_OF_TEXT_ID,
      eosId,
      initializerRange: init.deviation,
    },
    recipe: {
      rate: schedule.peakRate,
      warmup: schedule.warmupSteps,
      finalRate: schedule.finalFraction,
      betas: optimizer.betas,
      epsilon: optimizer.eps,
      weightDecay: Math.max(...optimizer.groups.map((group) => group.weightDecay)),
      clipNorm: optimizer.clipNorm,
    },
    steps,
    seed,
    data: `${name} ${seed}`,
    batch: (step) => rowsOf(corpus.batch(step)),
    heldOut: rowsOf(corpusOf(seed + 1).batch(0)),
    files,
  };
}

/** Sizes and settings for a corpus of one's own. */
export interface CorpusRequest {
  readonly file: string;
  readonly sizes: NewGpt2Config;
  readonly steps: number;
  readonly seed: number;
  readonly rows: number;
  /** Replaces what limn chooses for a corpus: weight decay 0.05, clipping at 1, and a warm-up of a tenth of the run, at most 100. */
  readonly recipe: TrainingRecipe;
  /** Part of the documents that is held out, 0…1. */
  readonly heldOut: number;
}

/**
 * A model for a file with one list of token ids a line; every update draws its rows, with a window where a line is longer than the model.
 * @throws LimnError `data/corpus`, `data/held-out`
 */
export async function corpusJob(request: CorpusRequest): Promise<TrainingJob> {
  const { file, sizes, steps, seed, rows } = request;
  const longest = sizes.maxPositions + 1;
  const whole = parseCorpus(await readCorpus(file), file, sizes);
  const { trained: documents, heldOut } = splitHeldOut(whole, request.heldOut, longest);
  const draw = (step: number, row: number): Uint32Array => {
    const document = documents[randomU32(seed, 1, 2 * (step * rows + row)) % documents.length] as Uint32Array;
    const room = Math.max(0, document.length - longest);
    const start = room === 0 ? 0 : randomU32(seed, 1, 2 * (step * rows + row) + 1) % (room + 1);
    return document.subarray(start, start + longest);
  };
  return {
    name: file,
    sizes,
    recipe: { warmup: Math.min(100, Math.floor(steps / 10)), weightDecay: 0.05, clipNorm: 1, ...request.recipe },
    steps,
    seed,
    data: `${digestOf(documents, heldOut)} ${seed} ${rows}`,
    batch: (step) => Array.from({ length: rows }, (_, row) => draw(step, row)),
    heldOut,
    files: {},
  };
}

/** sha256 over lists of rows, each behind its length. */
function digestOf(...lists: readonly (readonly Uint32Array[])[]): string {
  const hash = createHash('sha256');
  for (const rows of lists) {
    hash.update(Uint32Array.of(rows.length));
    for (const row of rows) hash.update(Uint32Array.of(row.length)).update(row);
  }
  return hash.digest('hex');
}

/** @throws LimnError `data/corpus` naming file, line and what is wrong with it. */
export function parseCorpus(
  text: string,
  file: string,
  { vocabulary }: Pick<NewGpt2Config, 'vocabulary'>,
): Uint32Array[] {
  const documents: Uint32Array[] = [];
  text.split(/\r?\n/).forEach((line, index) => {
    if (line.trim() === '') return;
    const fault = (problem: string): LimnError =>
      new LimnError('data/corpus', `${file}:${index + 1} ${problem}`, {
        details: { file, line: index + 1 },
        hint: `each line is a list of at least two token ids from 0 to ${vocabulary - 1}, e.g. [0, 5, 3]`,
      });
    let value: unknown;
    try {
      value = JSON.parse(line);
    } catch (error) {
      throw fault(`is not JSON: ${(error as Error).message}.`);
    }
    if (!Array.isArray(value) || value.length < 2) throw fault('is not a list of at least two token ids.');
    const bad = value.findIndex((id) => !Number.isInteger(id) || id < 0 || id >= vocabulary);
    if (bad >= 0)
      throw fault(`has ${shownValue(value[bad])} at place ${bad}, which is no id of a vocabulary of ${vocabulary}.`);
    documents.push(Uint32Array.from(value as number[]));
  });
  if (documents.length > 0) return documents;
  throw new LimnError('data/corpus', `${file} holds no documents`, {
    hint: 'each line is a list of token ids, e.g. [0, 5, 3]',
  });
}

async function readCorpus(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (cause) {
    throw new LimnError('data/corpus', `${file} cannot be read: ${(cause as Error).message}`, { cause });
  }
}
