// How the adapter that reads diffs is trained, with the settings of arXiv 2510.05092 for what is not said.
import { LimnError, shownValue } from '@limn/gpu';
import { nearestFirst, type HookedModel } from '@limn/hooks';
import type { DiffCheckpoints } from '../diffs/diff-options.js';
import { LORA_INITS, type LoraInit } from '../lora/create-lora.js';
import { MOST_RANK, type BaseOptions } from '../lora/lora-weights.js';
import { longestOf, type DitData } from './dit-example.js';
import type { DitFigures } from './read-examples.js';

/** How far a training is. */
export interface DitProgress {
  /** Updates so far, and at most. */
  readonly done: number;
  readonly total: number;
  /** Of the last update, before it, in nats a token. */
  readonly loss: number;
  /** The last validation, if there was one. */
  readonly validation?: DitValidation;
}

/** The validation examples before an update. */
export interface DitValidation extends DitFigures {
  /** Updates made so far. */
  readonly update: number;
}

/** How to train. */
export interface TrainDitOptions extends BaseOptions {
  /** Default 16. */
  readonly rank?: number | undefined;
  /** The scale is alpha / rank. Default 1. */
  readonly alpha?: number | undefined;
  /** Names of the model's `linears()`. Default: all of them. */
  readonly modules?: readonly string[] | undefined;
  /** First numbers. Default 'dit-adapter'. */
  readonly init?: LoraInit | undefined;
  /** Updates, if nothing stops it earlier. Default: each example once. */
  readonly updates?: number | undefined;
  /** Examples of an update. Default 8. */
  readonly batch?: number | undefined;
  /** Tokens that a row has room for, prompt and answer. Default: those of the longest example. */
  readonly positions?: number | undefined;
  /** Tokens that an answer has room for. Default: those of the longest. */
  readonly answers?: number | undefined;
  /** AdamW's rate at its highest. Default 1e-4. */
  readonly rate?: number | undefined;
  /** Decoupled decay. Default .01. */
  readonly weightDecay?: number | undefined;
  /** Updates over which the rate rises. Default 0. */
  readonly warmUp?: number | undefined;
  /** Share of the updates over which the rate falls to 0 at their end. Default 0. */
  readonly decay?: number | undefined;
  /** AdamW's running means. Default [.9, .999]. */
  readonly betas?: readonly [number, number] | undefined;
  /** Of first numbers and of the order of examples. Default 0. */
  readonly seed?: number | undefined;
  /** Updates between two validations. Default: a tenth of all. */
  readonly evaluateEvery?: number | undefined;
  /** Ends the training behind so many validations without a lower loss. Default: it goes on to its end. */
  readonly patience?: number | undefined;
  /** First tokens of the answers that are told apart: validations also say where the right one stands among them. */
  readonly candidates?: readonly number[] | undefined;
  /** `every` is 100 updates by default. */
  readonly checkpoints?: DiffCheckpoints | undefined;
  /** GPU bytes for everything but the model: factors, moments and the steps. Default 2 GiB. */
  readonly memoryBytes?: number | undefined;
  /** Aborting stops between two updates, writes a checkpoint and throws an AbortedError. */
  readonly signal?: AbortSignal | undefined;
  /** Told behind every update. */
  readonly onProgress?: ((progress: DitProgress) => void) | undefined;
  /** Told when a damaged checkpoint is passed over. */
  readonly onNotice?: ((message: string) => void) | undefined;
}

/** What decides the bits of the adapter, besides the model, the data and the machine. */
export interface DitSettings {
  readonly rank: number;
  readonly alpha: number;
  /** In the model's order. */
  readonly modules: readonly string[];
  readonly init: LoraInit;
  readonly updates: number;
  readonly batch: number;
  readonly positions: number;
  readonly answers: number;
  readonly rate: number;
  readonly weightDecay: number;
  readonly warmUp: number;
  readonly decay: number;
  readonly betas: readonly [number, number];
  readonly seed: number;
  readonly evaluateEvery: number;
  /** null: never stopped early. */
  readonly patience: number | null;
  readonly candidates: readonly number[];
}

/**
 * Options with their defaults, checked.
 * @throws LimnError `usage/dit-training` naming what cannot be used
 */
export function settleDit(
  model: Pick<HookedModel, 'info' | 'linears'>,
  { examples, validation = [] }: Omit<DitData<unknown>, 'diffs'>,
  options: TrainDitOptions,
): DitSettings {
  const { info } = model;
  const names = model.linears().map(({ name }) => name);
  const longest = longestOf([...examples, ...validation]);
  const { rank = 16, alpha = 1, modules = names, init = 'dit-adapter', batch = 8, rate = 1e-4 } = options;
  const { weightDecay = 0.01, warmUp = 0, decay = 0, betas = [0.9, 0.999], seed = 0, candidates = [] } = options;
  const {
    patience = null,
    positions = Math.max(2, longest.positions),
    answers = Math.max(1, longest.answers),
  } = options;
  const updates = options.updates ?? Math.max(1, Math.ceil(examples.length / batch));
  const evaluateEvery = options.evaluateEvery ?? Math.max(1, Math.ceil(updates / 10));
  refuse('rank', rank, whole(rank, 1, MOST_RANK), `a whole number from 1 to ${MOST_RANK}`);
  refuse('alpha', alpha, Number.isFinite(alpha), 'a finite number');
  refuse('modules', modules, modules.length > 0 && new Set(modules).size === modules.length, 'names, each once');
  for (const module of modules)
    refuse(
      'a module',
      module,
      names.includes(module),
      `maps such as ${nearestFirst(module, names).slice(0, 3).join(', ')}`,
    );
  refuse('init', init, LORA_INITS.includes(init), LORA_INITS.join(', '));
  refuse('updates', updates, whole(updates, 1), 'a whole number from 1');
  refuse('batch', batch, whole(batch, 1), 'a whole number from 1');
  const most = info.maxPositions;
  refuse('positions', positions, whole(positions, 2, most), `a whole number from 2 to ${most}, those of the model`);
  refuse('answers', answers, whole(answers, 1, positions - 1), `a whole number from 1 to ${positions - 1}`);
  refuse('rate', rate, Number.isFinite(rate) && rate > 0, 'a positive number');
  refuse('weightDecay', weightDecay, Number.isFinite(weightDecay) && weightDecay >= 0, 'a number from 0');
  refuse('warmUp', warmUp, whole(warmUp, 0), 'a whole number from 0');
  refuse('decay', decay, decay >= 0 && decay <= 1, 'a share from 0 to 1');
  const means = betas.length === 2 && betas.every((beta) => beta >= 0 && beta < 1);
  refuse('betas', betas, means, 'two numbers from 0 to below 1');
  refuse('seed', seed, whole(seed, 0), 'a whole number below 2⁵³');
  refuse('evaluateEvery', evaluateEvery, whole(evaluateEvery, 1), 'a whole number from 1');
  refuse('patience', patience, patience === null || whole(patience, 1), 'a whole number from 1');
  const apart = new Set(candidates).size === candidates.length;
  const tokens = candidates.every((id) => whole(id, 0, info.vocabulary - 1));
  refuse('candidates', candidates, apart && tokens, `tokens from 0 to ${info.vocabulary - 1}, each once`);
  const { memoryBytes = DEFAULT_DIT_MEMORY, checkpoints } = options;
  refuse('memoryBytes', memoryBytes, memoryBytes > 0, 'a positive number of bytes');
  refuse('checkpoints.every', checkpoints?.every, whole(checkpoints?.every ?? 1, 1), 'a whole number from 1');
  // In the model's order: two lists of the same maps are one.
  const chosen = names.filter((name) => modules.includes(name));
  return {
    rank, alpha, modules: chosen, init, updates, batch, positions, answers, rate, weightDecay, warmUp, decay, betas, seed, evaluateEvery, patience,
    candidates: [...candidates],
  }; // prettier-ignore
}

/** `memoryBytes` where nobody says. */
export const DEFAULT_DIT_MEMORY = 2 ** 31;

/** Whether a value is a whole number within bounds. */
export const whole = (value: number, least: number, most = Number.MAX_SAFE_INTEGER): boolean =>
  Number.isSafeInteger(value) && value >= least && value <= most;

function refuse(what: string, given: unknown, sound: boolean, allowed: string): void {
  if (sound) return;
  throw new LimnError(
    'usage/dit-training',
    `Training the adapter: ${what} is ${shownValue(given)}; allowed: ${allowed}.`,
    {
      details: { what, given: shownValue(given) },
      hint: `Give ${allowed}.`,
    },
  );
}
