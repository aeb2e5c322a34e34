// Trains a GPT-2 on next tokens: AdamW on a schedule, micro-batches, held-out loss, a log, and checkpoints that resume bit for bit.
import { LimnError } from '@limn/gpu';
import { readFloats } from '@limn/tensor';
import { encodeCheckpoint, type Checkpoint } from './checkpoint.js';
import type { Gpt2 } from './model.js';
import { parameterPieces, shapeOf } from './parameters.js';
import { badSetting, rateAt } from './rate-schedule.js';
import type { TrainingLog, TrainingLogEntry } from './training-log.js';
import { checkRows, meanLoss, type TrainingRows } from './training-loss.js';
import { identityOf, resumeFrom, type CheckpointOptions, type RunIdentity } from './training-resume.js';
import { checkRecipe, Updater, type RecordedPart, type TrainingRecipe } from './training-update.js';
import { expectRaw } from './weight-form.js';

/** What a progress callback is told: the log's entry, and how long it will take. */
export interface TrainingProgress extends TrainingLogEntry {
  /** Updates of the whole run. */
  readonly steps: number;
  readonly secondsLeft: number;
}

/** Data, length and recipe of a training run, and what happens on the way. */
export interface TrainingOptions {
  /**
   * Token ids of update `step` (0, 1, …): rows of up to maxPositions + 1 ids, of which all but the last are inputs and all but the first
   * are targets. Must depend on `step` alone, so that a resumed run sees the same data, and give them at once, not a promise of them.
   */
  batch(step: number): TrainingRows;
  readonly steps: number;
  readonly recipe: TrainingRecipe;
  /**
   * Names the data that `batch` draws from: a digest of the corpus, a seed. It stands in the checkpoints, and a run with another one does
   * not resume from them. Without it data are known by the first and the last batch alone.
   */
  readonly data?: string;
  /** Loss is read back, logged and reported every so many updates and at every evaluation. Default 20. */
  readonly every?: number;
  readonly checkpoint?: CheckpointOptions;
  /** Rows that are never trained on; their mean loss is measured every `evaluateEvery` updates and at the end. */
  readonly heldOut?: TrainingRows;
  /** Metrics of the caller's own, at the same moments. */
  evaluate?(step: number): Promise<Readonly<Record<string, number>>>;
  /** Updates between two evaluations. Default: only at the end. */
  readonly evaluateEvery?: number;
  /** Gets an entry per report. */
  readonly log?: TrainingLog;
  /**
   * Aborting stops behind the update under way and its evaluation, writes a checkpoint and throws the signal's reason; or, where the
   * checkpoint cannot be written, what the store throws.
   */
  readonly signal?: AbortSignal;
  /**
   * Told once, when a checkpoint was taken over or there is none, and there is room for those to come; awaited before anything is written,
   * and what it throws ends the run.
   */
  onStart?(start: { readonly resumedFrom: number }): void | Promise<void>;
  /** Told of every report. */
  onProgress?(progress: TrainingProgress): void;
  /** Told when the newest checkpoint was damaged or could not be read and the one before it is used. */
  onNotice?(message: string): void;
}

/** What training leaves behind. */
export interface TrainingResult {
  readonly steps: number;
  /** The step it was resumed from; 0 for a fresh start. */
  readonly resumedFrom: number;
  /** Of the updates since then, as reported. */
  readonly losses: readonly { readonly step: number; readonly loss: number }[];
  /** Mean loss of the held-out rows under the final weights; absent when the checkpoint was already that of the end. */
  readonly heldOutLoss?: number;
  /** Trained on, and seconds spent, since `resumedFrom`. */
  readonly tokens: number;
  readonly seconds: number;
  /** sha256 over the trained weights. */
  readonly fingerprint: string;
}

/**
 * Trains the model in place. With a checkpoint in the store it goes on from there. After a failure nothing of it is on the GPU but
 * the model, whose weights are those of some update; the store holds the last checkpoint.
 * @throws LimnError before the first update: `weights/f16`, `weights/processed`; `training/setting`; `checkpoint/damaged`,
 * `checkpoint/format`, `checkpoint/other-settings`, without `allowDrift` `checkpoint/other-machine`, and from the store `checkpoint/no-room`,
 * `checkpoint/too-large`, `checkpoint/in-use`. For rows of `heldOut` then, for those of a batch when it comes: `tokens/empty`,
 * `tokens/too-long`, `tokens/not-in-vocabulary`; for a held-out row in a batch `training/held-out-row`. `training/diverged` when the loss or
 * a weight is no number. What `batch`, `evaluate`, `onStart`, the store and the log throw.
 */
export async function trainGpt2(model: Gpt2, options: TrainingOptions): Promise<TrainingResult> {
  expectRaw(model.info.processing, 'trained', 'none');
  checkOptions(options);
  if (options.heldOut !== undefined) checkRows(options.heldOut, model.info, 'heldOut');
  const release = await options.checkpoint?.store.claim?.();
  try {
    return await train(new Updater(model, options.recipe), options);
  } finally {
    await release?.();
  }
}

async function train(updater: Updater, options: TrainingOptions): Promise<TrainingResult> {
  const run = new TrainingRun(updater, options);
  try {
    return await run.toTheEnd();
  } finally {
    await run.settled();
    updater.dispose();
  }
}

/** A run under way. */
class TrainingRun {
  readonly #losses: { step: number; loss: number }[] = [];
  readonly #started = performance.now();
  readonly #heldOut: ReadonlySet<string>;
  #tokens = 0;
  #mark = { time: this.#started, tokens: 0 };
  /** One update is recorded on the host while the one before it still runs. */
  #running: Promise<void> = Promise.resolve();
  #identity: RunIdentity | undefined;
  #heldOutLoss: number | undefined;

  constructor(
    readonly updater: Updater,
    readonly options: TrainingOptions,
  ) {
    this.#heldOut = new Set(options.heldOut?.map(keyOf));
  }

  async toTheEnd(): Promise<TrainingResult> {
    const { checkpoint, steps, data, log, signal, onStart, onNotice } = this.options;
    const { model } = this.updater;
    let resumedFrom = 0;
    if (checkpoint) {
      this.#identity = await identityOf(this.updater, (step) => this.#batch(step), steps, data);
      resumedFrom = await resumeFrom(this.updater, checkpoint, this.#identity, onNotice);
      const { bytes } = encodeCheckpoint(this.#checkpoint(steps, this.#identity));
      const writes = savesBetween(resumedFrom, steps, checkpoint.every);
      if (writes > 0) await checkpoint.store.prepare?.(bytes, writes);
    }
    await onStart?.({ resumedFrom });
    await log?.rewind(resumedFrom);
    for (let done = resumedFrom; done < steps;) {
      if (signal?.aborted) {
        await this.#save(done);
        throw signal.reason;
      }
      await this.#update(done++);
      if (checkpoint && (done % checkpoint.every === 0 || done === steps)) await this.#save(done);
    }
    await this.#running;
    const fingerprint = await model.refreshFingerprint();
    return {
      steps,
      resumedFrom,
      losses: this.#losses,
      ...(this.#heldOutLoss === undefined ? {} : { heldOutLoss: this.#heldOutLoss }),
      tokens: this.#tokens,
      seconds: (performance.now() - this.#started) / 1000,
      fingerprint,
    };
  }

  /** When nothing is under way any more, however it ended. */
  async settled(): Promise<void> {
    await this.#running.catch(() => undefined);
  }

  /** The rows of update `step`, checked. */
  #batch(step: number): TrainingRows {
    const rows = this.options.batch(step);
    checkRows(rows, this.updater.model.info, `the batch of update ${step}`);
    return rows;
  }

  async #update(s: number): Promise<void> {
    const { steps, recipe, every = 20, evaluateEvery, heldOut, evaluate } = this.options;
    const rows = this.#batch(s);
    this.#refuseHeldOut(rows, s);
    const done = s + 1;
    const evaluates =
      (heldOut ?? evaluate) !== undefined &&
      (done === steps || (evaluateEvery !== undefined && done % evaluateEvery === 0));
    const reports = evaluates || done % every === 0 || done === steps;
    const rateScale = rateAt(s, steps, recipe);
    const reads: Promise<number>[] = [];
    let tokens = 0;
    for (const part of this.updater.record(rows, rateScale)) {
      if (reports) reads.push(readLoss(part));
      await this.#submit(part);
      tokens += part.tokens;
    }
    this.#tokens += tokens;
    if (!reports) return;
    const loss = (await Promise.all(reads)).reduce((sum, share) => sum + share, 0);
    if (!Number.isFinite(loss)) throw diverged(`the loss is ${loss}`, done);
    this.#losses.push({ step: done, loss });
    await this.#report(done, { loss, rate: recipe.rate * rateScale }, evaluates, tokens);
  }

  /** Submits a part once the one before it has run; a failure of that one is what is thrown. */
  async #submit({ step }: RecordedPart): Promise<void> {
    const before = this.#running;
    const finished = step.submit();
    // A failure of this part is thrown where it is awaited and must not end the process before.
    finished.catch(() => undefined);
    this.#running = finished;
    await before;
  }

  async #report(
    step: number,
    { loss, rate }: { readonly loss: number; readonly rate: number },
    evaluates: boolean,
    updateTokens: number,
  ): Promise<void> {
    const { options } = this;
    const { steps } = options;
    const found = evaluates ? await this.#evaluate(step) : {};
    const time = performance.now();
    const tokensPerSecond = ((this.#tokens - this.#mark.tokens) / (time - this.#mark.time)) * 1000;
    this.#mark = { time, tokens: this.#tokens };
    const entry: TrainingLogEntry = { step, loss, rate, ...found, tokensPerSecond };
    await options.log?.append(entry);
    options.onProgress?.({ ...entry, steps, secondsLeft: ((steps - step) * updateTokens) / tokensPerSecond });
  }

  async #evaluate(step: number): Promise<Pick<TrainingLogEntry, 'heldOutLoss' | 'metrics'>> {
    const { heldOut, evaluate, recipe } = this.options;
    const options = recipe.microBatch === undefined ? {} : { rowsAtOnce: recipe.microBatch };
    // Not cut short by an abort: the log of a resumed run would lack what was not finished.
    if (heldOut) this.#heldOutLoss = await meanLoss(this.updater.model, heldOut, options);
    const metrics = await evaluate?.(step);
    return {
      ...(heldOut ? { heldOutLoss: this.#heldOutLoss as number } : {}),
      ...(metrics ? { metrics } : {}),
    };
  }

  async #save(done: number): Promise<void> {
    const { checkpoint, log } = this.options;
    await this.#running;
    if (!checkpoint || !this.#identity) return;
    await log?.flush();
    await checkpoint.store.write(encodeCheckpoint(this.#checkpoint(done, this.#identity)));
  }

  /** What is on the GPU when it is read, which refuses weights that are no numbers. */
  #checkpoint(step: number, { settings, plan }: RunIdentity): Checkpoint {
    const { model, optimiser } = this.updater;
    const weights = [...model.parameters()].map(([name, parameter]) => {
      const pieces = async function* (): AsyncGenerator<Float32Array> {
        for await (const piece of parameterPieces(model.gpu, parameter)) {
          if (!piece.every(Number.isFinite)) throw diverged(`${name} holds values that are not finite`, step);
          yield piece;
        }
      };
      return [name, { shape: shapeOf(parameter), pieces }] as const;
    });
    return { step, weights: new Map(weights), optimiser: optimiser.moments(), settings, plan };
  }

  #refuseHeldOut(rows: TrainingRows, step: number): void {
    if (this.#heldOut.size === 0) return;
    const row = rows.findIndex((each) => this.#heldOut.has(keyOf(each)));
    if (row < 0) return;
    throw new LimnError('training/held-out-row', `row ${row} of update ${step} is one of the rows held out`, {
      details: { row, step },
      hint: 'Take it out of the batches or of heldOut; a loss on rows that were trained on says nothing about others.',
    });
  }
}

/** Checkpoints behind update `from`: at every multiple of `every`, and at the end. */
const savesBetween = (from: number, steps: number, every: number): number =>
  from >= steps ? 0 : Math.ceil(steps / every) - Math.floor(from / every);

const keyOf = (row: ArrayLike<number>): string => Array.prototype.join.call(row, ',');

/** Read back with the part's own submit; its failure is thrown by that as well and must not end the process unseen. */
function readLoss({ step, loss }: RecordedPart): Promise<number> {
  const read = readFloats(step, loss).then((values) => values[0] as number);
  read.catch(() => undefined);
  return read;
}

function checkOptions({ steps, recipe, data, every = 20, evaluateEvery, checkpoint, heldOut }: TrainingOptions): void {
  checkRecipe(recipe, steps);
  if (data !== undefined && typeof data !== 'string')
    throw badSetting('data', data, 'a text that names the data', 'Give a digest of them, or leave it out.');
  for (const [name, value] of Object.entries({ every, evaluateEvery, 'checkpoint.every': checkpoint?.every }))
    if (value !== undefined && !(Number.isInteger(value) && value > 0))
      throw badSetting(name, value, 'a whole number of updates, at least 1', 'Give 100, say.');
  if (heldOut?.length === 0)
    throw badSetting('heldOut', [], 'rows to measure the loss on', 'Leave it out to measure none.');
}

function diverged(what: string, step: number): LimnError {
  return new LimnError('training/diverged', `${what} at step ${step}`, {
    details: { step },
    hint: 'Lower the rate, warm up for longer, or clip gradients. The checkpoint before it is untouched.',
  });
}
