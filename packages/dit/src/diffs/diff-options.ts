// What training diffs may be asked for, and its defaults.
import { LimnError, shownValue } from '@limn/gpu';
import { nearestFirst, type HookedModel, type TrainingCheckpointStore } from '@limn/hooks';
import { LORA_INITS, type LoraInit } from '../lora/create-lora.js';
import { MOST_RANK } from '../lora/lora-weights.js';
import type { DiffShape, DiffSpec, SettledDiff } from './diff-spec.js';

/** Negatives on what the diff itself says. */
export interface OwnAnswers {
  /** Updates between two drawings, each for all rounds until the next. Default 20. */
  readonly every?: number | undefined;
  /** Most tokens of an answer. */
  readonly maxNewTokens: number;
  /** Default 1. */
  readonly temperature?: number | undefined;
  /** A token that ends an answer, and belongs to it. Default: the model's eosId. */
  readonly eosIds?: readonly number[] | undefined;
}

/** Where checkpoints go and how often. */
export interface DiffCheckpoints {
  readonly store: TrainingCheckpointStore;
  /** Updates between two; one is also written behind every group, and when the run is aborted. Default 100. */
  readonly every?: number | undefined;
  /** Goes on from a checkpoint of another adapter or other kernels, although the bits will differ. */
  readonly allowDrift?: boolean | undefined;
}

/** How far a training is. */
export interface DiffProgress {
  /** Updates of groups so far, and in all. */
  readonly done: number;
  readonly total: number;
  /** Of those that were just trained, by id: the loss of the last update. */
  readonly losses: Readonly<Record<string, number>>;
}

/** How to train. */
export interface TrainDiffsOptions {
  /** What made the rows: its name, and a version that changes when its rows do. */
  readonly sampler: { readonly name: string; readonly version: string };
  readonly shape: DiffShape;
  /** Of diffs that do not say otherwise. */
  readonly updates: number;
  /** Adam's rate at its highest. Default 1e-3. */
  readonly rate?: number | undefined;
  /** Updates over which a diff's rate rises. Default 0. */
  readonly warmUp?: number | undefined;
  /** Share of a diff's updates over which its rate falls to 0 at their end. Default 0. */
  readonly decay?: number | undefined;
  /** Adam's running means. Default [.9, .999]. */
  readonly betas?: readonly [number, number] | undefined;
  /** First numbers. Default 'peft'. */
  readonly init?: LoraInit | undefined;
  /** One seed of first numbers for all diffs, which makes their weights far easier to read. Default: every diff has its own. */
  readonly sharedInit?: number | undefined;
  /** μ of KL(bare ‖ diff) + μ·KL(diff ‖ bare). Default 0. */
  readonly reverse?: number | undefined;
  /** Needed where rows have `own`. */
  readonly own?: OwnAnswers | undefined;
  /** GPU bytes for everything but the model: factors, moments and the steps. Default 2 GiB. */
  readonly memoryBytes?: number | undefined;
  /** Host bytes for the bare model's log-probabilities, by content. Default 256 MiB. */
  readonly teacherBytes?: number | undefined;
  /** Updates between two losses that are kept and told. Default 20. */
  readonly every?: number | undefined;
  readonly checkpoints?: DiffCheckpoints | undefined;
  /** Aborting stops between two updates, writes a checkpoint and throws an AbortedError. */
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: DiffProgress) => void) | undefined;
  /** Told when a damaged checkpoint is passed over. */
  readonly onNotice?: ((message: string) => void) | undefined;
}

/** What decides the bits of every diff, besides its spec, the model and the machine. */
export interface DiffSettings {
  readonly sampler: { readonly name: string; readonly version: string };
  readonly shape: DiffShape;
  readonly warmUp: number;
  readonly decay: number;
  readonly betas: readonly [number, number];
  readonly sharedInit: number | null;
  readonly reverse: number;
  readonly own: {
    readonly every: number;
    readonly maxNewTokens: number;
    readonly temperature: number;
    readonly eosIds: readonly number[];
  } | null;
}

/** Everything with its defaults. */
export interface SettledTraining {
  readonly diffs: readonly SettledDiff[];
  readonly settings: DiffSettings;
  readonly memoryBytes: number;
  readonly teacherBytes: number;
  readonly every: number;
}

/**
 * Specs and options with their defaults, checked.
 * @throws LimnError `usage/diff-training` naming what cannot be used
 */
export function settleDiffs(
  model: Pick<HookedModel, 'info' | 'linears'>,
  diffs: readonly DiffSpec[],
  options: TrainDiffsOptions,
): SettledTraining {
  const { info } = model;
  const { shape, updates, rate = 1e-3, warmUp = 0, decay = 0, betas = [0.9, 0.999], init = 'peft' } = options;
  const { sharedInit = null, reverse = 0, memoryBytes = 2 ** 31, teacherBytes = 2 ** 28, every = 20 } = options;
  const { name, version } = options.sampler;
  const own = options.own
    ? {
        every: options.own.every ?? 20,
        maxNewTokens: options.own.maxNewTokens,
        temperature: options.own.temperature ?? 1,
        eosIds: options.own.eosIds ?? (info.eosId === undefined ? [] : [info.eosId]),
      }
    : null;
  const room = shape.rows * (shape.positions - 1);
  refuse(
    'sampler',
    options.sampler,
    [name, version].every((text) => typeof text === 'string' && text !== ''),
    'a name and a version',
  );
  refuse('shape.tasks', shape.tasks, whole(shape.tasks, 1), 'a whole number from 1');
  refuse('shape.rows', shape.rows, whole(shape.rows, 1), 'a whole number from 1');
  refuse(
    'shape.positions',
    shape.positions,
    whole(shape.positions, 2, info.maxPositions),
    `a whole number from 2 to ${info.maxPositions}`,
  );
  refuse('shape.answers', shape.answers, whole(shape.answers, 0, room), `a whole number from 0 to ${room}`);
  refuse(
    'shape.taught',
    shape.taught,
    whole(shape.taught, shape.answers === 0 ? 1 : 0, room),
    `a whole number up to ${room}, one of answers and taught above 0`,
  );
  refuse('warmUp', warmUp, whole(warmUp, 0), 'a whole number from 0');
  refuse('decay', decay, decay >= 0 && decay <= 1, 'a share from 0 to 1');
  refuse(
    'betas',
    betas,
    betas.length === 2 && betas.every((beta) => beta >= 0 && beta < 1),
    'two numbers from 0 to below 1',
  );
  refuse('sharedInit', sharedInit, sharedInit === null || whole(sharedInit, 0), 'a whole number below 2⁵³');
  refuse('reverse', reverse, Number.isFinite(reverse) && reverse >= 0, 'a number from 0');
  refuse('memoryBytes', memoryBytes, memoryBytes > 0, 'a positive number of bytes');
  refuse('teacherBytes', teacherBytes, teacherBytes >= 0, 'a number of bytes from 0');
  refuse('every', every, whole(every, 1), 'a whole number from 1');
  refuse(
    'checkpoints.every',
    options.checkpoints?.every,
    whole(options.checkpoints?.every ?? 1, 1),
    'a whole number from 1',
  );
  if (own) {
    refuse('own.every', own.every, whole(own.every, 1), 'a whole number from 1');
    refuse(
      'own.maxNewTokens',
      own.maxNewTokens,
      whole(own.maxNewTokens, 1, shape.positions - 1),
      `a whole number from 1 to ${shape.positions - 1}`,
    );
    refuse(
      'own.temperature',
      own.temperature,
      Number.isFinite(own.temperature) && own.temperature > 0,
      'a positive number',
    );
  }
  refuse('the list of diffs', diffs.length, diffs.length > 0, 'at least one');
  const names = model.linears().map((linear) => linear.name);
  const seen = new Set<string>();
  const settled = diffs.map((spec): SettledDiff => {
    const { id, seed, rank = 1, alpha = rank, rsLora = false, modules = names, about = {}, samples } = spec;
    const of = (field: string): string => `${field} of ${shownValue(id)}`;
    refuse('an id', id, typeof id === 'string' && id !== '' && !seen.has(id), 'a text that no other diff has');
    seen.add(id);
    refuse(of('seed'), seed, whole(seed, 0), 'a whole number below 2⁵³');
    refuse(of('rank'), rank, whole(rank, 1, MOST_RANK), `a whole number from 1 to ${MOST_RANK}`);
    refuse(of('alpha'), alpha, Number.isFinite(alpha), 'a finite number');
    refuse(of('modules'), modules, modules.length > 0 && new Set(modules).size === modules.length, 'names, each once');
    for (const module of modules)
      refuse(
        of('a module'),
        module,
        names.includes(module),
        `linear maps such as ${nearestFirst(module, names).slice(0, 3).join(', ')}`,
      );
    const ownInit = spec.init ?? init;
    refuse(of('init'), ownInit, LORA_INITS.includes(ownInit), LORA_INITS.join(', '));
    const own = { rate: spec.rate ?? rate, updates: spec.updates ?? updates };
    refuse(of('rate'), own.rate, Number.isFinite(own.rate) && own.rate > 0, 'a positive number');
    refuse(of('updates'), own.updates, whole(own.updates, 1), 'a whole number from 1');
    // In the model's order: two lists of the same maps are one.
    const chosen = names.filter((module) => modules.includes(module));
    return { id, seed, rank, alpha, rsLora, modules: chosen, init: ownInit, ...own, about, samples };
  });
  const settings = { sampler: { name, version }, shape, warmUp, decay, betas, sharedInit, reverse, own };
  return { diffs: settled, settings, memoryBytes, teacherBytes, every };
}

const whole = (value: number, least: number, most = Number.MAX_SAFE_INTEGER): boolean =>
  Number.isSafeInteger(value) && value >= least && value <= most;

function refuse(what: string, given: unknown, sound: boolean, allowed: string): void {
  if (sound) return;
  throw new LimnError('usage/diff-training', `Training diffs: ${what} is ${shownValue(given)}; allowed: ${allowed}.`, {
    details: { what, given: shownValue(given) },
    hint: `Give ${allowed}.`,
  });
}
