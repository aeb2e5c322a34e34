// Trains a GPT-2 on next tokens: one step per update, AdamW with warm-up and cosine, checkpoints that resume bit for bit.
import { LimnError, type Step } from '@limn/gpu';
import { tokenBatch, type TokenBatch } from '@limn/hooks';
import { adamw, gradients, IGNORED_TARGET, readFloats, scale, sumAll, type AdamW, type Tensor } from '@limn/tensor';
import { decodeCheckpoint, encodeCheckpoint, type CheckpointStore } from './checkpoint.js';
import type { Gpt2 } from './model.js';
import { tensorsOf, writeParameter } from './parameters.js';
import { weightShapes, type HostTensor } from './weight-names.js';
import { sha256 } from './weights.js';

/** The optimiser's settings. Weight decay holds for matrices only, not for biases and LayerNorm. */
export interface TrainingRecipe {
  /** Highest learning rate, reached after `warmup` updates. */
  readonly rate: number;
  /** Updates of linear warm-up. Default 0. */
  readonly warmup?: number;
  /** The cosine ends at this part of the highest rate. Default 0.05. */
  readonly finalRate?: number;
  /** Default [0.9, 0.98]. */
  readonly betas?: readonly [number, number];
  /** Default 1e-8. */
  readonly epsilon?: number;
  /** Default 0. */
  readonly weightDecay?: number;
  /** Global gradient norm. Default: no clipping. */
  readonly clipNorm?: number;
}

/** What a progress callback is told. */
export interface TrainingProgress {
  /** Updates done, of `steps`. */
  readonly step: number;
  readonly steps: number;
  /** Mean cross-entropy of the latest batch in nats per token. */
  readonly loss: number;
  /** This update's learning rate. */
  readonly rate: number;
  readonly tokensPerSecond: number;
  readonly secondsLeft: number;
  /** What `evaluate` gave at this step, if it ran. */
  readonly metrics?: Readonly<Record<string, number>>;
}

export interface TrainingOptions {
  /**
   * Token ids of update `step` (0, 1, …): rows of up to maxPositions + 1 ids, of which all but the last are inputs and all but the first
   * are targets. Must depend on `step` alone, so that a resumed run sees the same data.
   */
  batch(step: number): readonly ArrayLike<number>[];
  readonly steps: number;
  readonly recipe: TrainingRecipe;
  /** Loss is read back, and progress reported, every so many updates and at every evaluation. Default 20. */
  readonly every?: number;
  readonly checkpoint?: { readonly store: CheckpointStore; readonly every: number; readonly allowDrift?: boolean };
  /** Called every `evaluateEvery` updates and at the end. */
  evaluate?(step: number): Promise<Readonly<Record<string, number>>>;
  readonly evaluateEvery?: number;
  /** Aborting stops between two updates, writes a checkpoint and throws the signal's reason. */
  readonly signal?: AbortSignal;
  onProgress?(progress: TrainingProgress): void;
}

/** What training leaves behind. */
export interface TrainingResult {
  readonly steps: number;
  /** The step it was resumed from; 0 for a fresh start. */
  readonly resumedFrom: number;
  readonly losses: readonly { readonly step: number; readonly loss: number }[];
  readonly tokens: number;
  readonly seconds: number;
  /** sha256 over the trained weights. */
  readonly fingerprint: string;
}

/**
 * Trains the model in place. With a checkpoint in the store it goes on from there.
 * @throws LimnError `checkpoint/…` when the stored one is damaged or belongs to other settings or, without `allowDrift`, another machine;
 * `training/diverged` when the loss is no number.
 */
export async function trainGpt2(model: Gpt2, options: TrainingOptions): Promise<TrainingResult> {
  const { steps, recipe, every = 20, checkpoint, signal } = options;
  const optimiser = makeOptimiser(model, recipe);
  const losses: { step: number; loss: number }[] = [];
  const started = performance.now();
  let tokens = 0;
  try {
    const data = checkpoint ? await dataOf(options) : '';
    const settings = JSON.stringify({ config: model.config, recipe, steps, data });
    const plan = checkpoint ? machineOf(model, optimiser, options.batch(0)) : '';
    const resumedFrom = checkpoint ? await resume(model, optimiser, checkpoint, settings, plan) : 0;
    const save = async (done: number): Promise<void> => {
      if (!checkpoint) return;
      const weights = await hostWeights(model);
      for (const [name, { data }] of weights)
        if (!data.every(Number.isFinite)) throw diverged(`${name} holds values that are not finite`, done);
      await checkpoint.store.write(
        await encodeCheckpoint({ step: done, weights, optimiser: await optimiser.state(), settings, plan }),
      );
    };
    // One update is recorded on the host while the one before it still runs.
    let running: Promise<void> = Promise.resolve();
    let lastMark = { time: started, tokens: 0 };
    for (let s = resumedFrom; s < steps; s++) {
      if (signal?.aborted) {
        await running;
        await save(s);
        throw signal.reason;
      }
      const rateScale = rateAt(s, steps, recipe);
      const update = recordUpdate(model, optimiser, options.batch(s), rateScale);
      tokens += update.tokens;
      const done = s + 1;
      const evaluates =
        options.evaluate !== undefined &&
        (done === steps || (options.evaluateEvery !== undefined && done % options.evaluateEvery === 0));
      const report = evaluates || done % every === 0 || done === steps;
      const lossRead = report ? readFloats(update.step, update.loss) : undefined;
      const finished = update.step.submit();
      // A failure of the update before is what is thrown; this one's must not end the process unseen.
      finished.catch(() => undefined);
      await running;
      running = finished;
      if (lossRead) {
        const loss = (await lossRead)[0] as number;
        if (!Number.isFinite(loss)) throw diverged(`the loss is ${loss}`, done);
        losses.push({ step: done, loss });
        const metrics = evaluates ? await options.evaluate?.(done) : undefined;
        const time = performance.now();
        const tokensPerSecond = ((tokens - lastMark.tokens) / (time - lastMark.time)) * 1000;
        lastMark = { time, tokens };
        options.onProgress?.({
          step: done,
          steps,
          loss,
          rate: recipe.rate * rateScale,
          tokensPerSecond,
          secondsLeft: ((steps - done) * update.tokens) / tokensPerSecond,
          ...(metrics ? { metrics } : {}),
        });
      }
      if (checkpoint && (done % checkpoint.every === 0 || done === steps)) {
        await running;
        await save(done);
      }
    }
    await running;
    return {
      steps,
      resumedFrom,
      losses,
      tokens,
      seconds: (performance.now() - started) / 1000,
      fingerprint: await model.refreshFingerprint(),
    };
  } finally {
    optimiser.dispose();
  }
}

function diverged(what: string, step: number): LimnError {
  return new LimnError('training/diverged', `${what} at step ${step}`, {
    details: { step },
    hint: 'Lower the rate, warm up for longer, or clip gradients. The checkpoint before it is untouched.',
  });
}

/** The rate's factor at update s: linear up over `warmup`, then half a cosine down to `finalRate`. */
export function rateAt(s: number, steps: number, { warmup = 0, finalRate = 0.05 }: TrainingRecipe): number {
  if (s < warmup) return (s + 1) / warmup;
  const part = (s - warmup) / Math.max(1, steps - warmup);
  return finalRate + (1 - finalRate) * 0.5 * (1 + Math.cos(Math.PI * part));
}

/** Mean next-token cross-entropy [1] of a batch whose rows hold inputs and targets; padding does not count. */
export function nextTokenLoss(
  model: Gpt2,
  step: Step,
  rows: readonly ArrayLike<number>[],
): { loss: Tensor; tokens: number } {
  const { inputs, targets, tokens } = shift(model, rows);
  const { resid } = model.run(step, { tokens: inputs }, { stopAtLayer: model.info.layers });
  const losses = model.losses(step, resid, targets);
  return { loss: scale(step, sumAll(step, losses), 1 / tokens), tokens };
}

function shift(
  model: Gpt2,
  rows: readonly ArrayLike<number>[],
): { inputs: TokenBatch; targets: Uint32Array; tokens: number } {
  const short = rows.findIndex((row) => row.length < 2);
  if (short >= 0)
    throw new LimnError(
      'tokens/empty',
      `training row ${short} has ${rows[short]?.length} tokens; a target needs at least 2`,
    );
  const inputs = tokenBatch(
    rows.map((row) => Array.prototype.slice.call(row, 0, -1) as number[]),
    model.info,
  );
  const targets = new Uint32Array(inputs.B * inputs.T).fill(IGNORED_TARGET);
  rows.forEach((row, b) => {
    for (let t = 1; t < row.length; t++) targets[b * inputs.T + t - 1] = row[t] as number;
  });
  const last = rows.findIndex((row) => !((row[row.length - 1] as number) < model.info.vocabulary));
  if (last >= 0)
    throw new LimnError(
      'tokens/not-in-vocabulary',
      `training row ${last} ends with an id outside the vocabulary (0–${model.info.vocabulary - 1})`,
    );
  return { inputs, targets, tokens: inputs.lengths.reduce((a, b) => a + b, 0) };
}

function recordUpdate(
  model: Gpt2,
  optimiser: AdamW,
  rows: readonly ArrayLike<number>[],
  rateScale: number,
): { step: Step; loss: Tensor; tokens: number } {
  const step = model.gpu.step({ label: 'training' });
  const { loss, tokens } = nextTokenLoss(model, step, rows);
  optimiser.step(step, gradients(step, loss, 'ones', optimiser.tensors), { rateScale });
  return { step, loss, tokens };
}

function makeOptimiser(model: Gpt2, recipe: TrainingRecipe): AdamW {
  const { rate, betas = [0.9, 0.98], epsilon = 1e-8, weightDecay = 0, clipNorm } = recipe;
  const params = [...model.parameters()].flatMap(([name, parameter]) =>
    tensorsOf(parameter).map((tensor, block, all) => ({ name: all.length === 1 ? name : `${name}#${block}`, tensor })),
  );
  const group = (name: string, matrices: boolean) => ({
    name,
    params: params.filter(({ tensor }) => tensor.shape.length > 1 === matrices),
    rate,
    betas,
    epsilon,
    weightDecay: matrices ? weightDecay : 0,
  });
  return adamw(
    model.gpu,
    [group('matrices', true), group('vectors', false)],
    clipNorm === undefined ? {} : { clipNorm },
  );
}

async function hostWeights(model: Gpt2): Promise<Map<string, HostTensor>> {
  const weights = new Map<string, HostTensor>();
  for await (const [name, tensor] of model.hostWeights()) weights.set(name, tensor);
  return weights;
}

/** sha256 of the first and the last batch: another corpus or another seed of it would give other ones. */
async function dataOf(options: TrainingOptions): Promise<string> {
  const rows = [...options.batch(0), ...options.batch(Math.max(0, options.steps - 1))];
  return sha256(Uint32Array.from(rows.flatMap((row) => [row.length, ...Array.from(row)])));
}

/** What the bits of a run depend on besides its settings: adapter, driver, and the kernels that an update runs, which are recorded and not run. */
function machineOf(model: Gpt2, optimiser: AdamW, rows: readonly ArrayLike<number>[]): string {
  const { adapter, source } = model.gpu.capabilities;
  const step = model.gpu.step({ label: 'kernel plan' });
  gradients(step, nextTokenLoss(model, step, rows).loss, 'ones', optimiser.tensors);
  const { kernels } = step.plan();
  step.dispose();
  return JSON.stringify({ adapter, source, kernels });
}

async function resume(
  model: Gpt2,
  optimiser: AdamW,
  { store, allowDrift = false }: NonNullable<TrainingOptions['checkpoint']>,
  settings: string,
  plan: string,
): Promise<number> {
  const bytes = await store.read();
  if (!bytes) return 0;
  const saved = await decodeCheckpoint(bytes);
  if (saved.settings !== settings) {
    throw new LimnError(
      'checkpoint/other-settings',
      'the checkpoint was made with another model, recipe, number of steps, corpus or seed',
      {
        details: { saved: saved.settings, now: settings },
        hint: 'Use the same settings, or another place for the checkpoint.',
      },
    );
  }
  if (saved.plan !== plan && !allowDrift) {
    throw new LimnError(
      'checkpoint/other-machine',
      'the checkpoint was made on another adapter, so the bits of the result would differ',
      {
        details: { saved: saved.plan, now: plan },
        hint: 'Go on there, or pass allowDrift (--allow-drift) to accept that.',
      },
    );
  }
  for (const name of weightShapes(model.config, model.tied).keys()) {
    const parameter = model.parameters().get(name);
    const values = saved.weights.get(name);
    if (!parameter || !values) throw new LimnError('checkpoint/damaged', `the checkpoint lacks the weight ${name}`);
    writeParameter(model.gpu, parameter, values.data);
  }
  optimiser.load(saved.optimiser);
  return saved.step;
}
