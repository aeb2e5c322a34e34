// Trains the adapter that reads weight diffs (arXiv 2510.05092): frozen base, a frozen diff in every row, one LoRA that answers; and goes on bit for bit.
import { throwIfAborted } from '@limn/gpu';
import { rateOverUpdates, trainingMachine, type HookedModel, type TrainingIdentity } from '@limn/hooks';
import { readFloats } from '@limn/tensor';
import { DiffStack } from '../diffs/diff-stack.js';
import type { DiffLoss } from '../diffs/trained-diff.js';
import { createLora } from '../lora/create-lora.js';
import type { LoraFactors, LoraWeights } from '../lora/lora-weights.js';
import { diverged, finiteFactors, type OpenStack } from '../training/factor-tensors.js';
import { StackUpdates } from '../training/stack-updates.js';
import { StepQueue } from '../training/step-queue.js';
import { ditContent, restoreDit, type BestFactors, type DitRunState } from './adapter-checkpoint.js';
import { adapterKey } from './adapter-key.js';
import type { DitSettings, DitValidation, TrainDitOptions } from './adapter-options.js';
import { ditBatch, frozenDiffs, recordDitSlopes, type FrozenDiffs } from './adapter-pass.js';
import { planDitAdapter, type DitPlan } from './adapter-plan.js';
import type { DitData, DitExample } from './dit-example.js';
import { exampleOrder } from './example-order.js';
import { readExamples } from './read-examples.js';

/** A learnt adapter. */
export interface TrainedDitAdapter {
  /** Its factors as they were at update `best`. */
  readonly lora: LoraWeights;
  /** sha256 of all that decides its numbers: base, diffs, examples, settings. */
  readonly key: string;
  /** Of every update, before it: −log q of its answer tokens in nats, by weight. */
  readonly losses: readonly DiffLoss[];
  /** In their order, the first before any update; empty without validation examples. */
  readonly validation: readonly DitValidation[];
  /** Updates that the factors have had: as many as gave the lowest validation loss, the first of equal ones; all without validation examples. */
  readonly best: number;
  /** What ended it. */
  readonly stopped: 'patience' | 'updates';
  readonly settings: DitSettings;
  /** Updates that a checkpoint had; 0 for a fresh start. */
  readonly resumedFrom: number;
}

/**
 * Trains one LoRA to answer prompts about diffs that are on beside it: y = x·W + b + s_d·(x·A_dᵀ)·B_dᵀ + s·(x·Aᵀ)·Bᵀ at every map, the diff d that of the row, frozen as the base is.
 * The loss of an update is Σ w · −log q(token) / Σ w over the answer tokens of its examples; padding has no part in it.
 *
 * Every update has `batch` rows of `positions` tokens, and its examples are those of the seed and its number alone.
 * @throws LimnError before any work: `usage/dit-training`, `data/dit-example`; for diffs of another model `data/lora-base`, `data/lora-processed` and what else is refused of a LoRA (`data/…`);
 * `memory/over-budget` with the bytes; `checkpoint/damaged`, `checkpoint/format`, `checkpoint/other-settings`, without `allowDrift`
 * `checkpoint/other-machine`, and what the store throws; later `training/diverged`, `gpu/…`; AbortedError
 */
export async function trainDitAdapter(
  model: HookedModel,
  data: DitData<LoraWeights>,
  options: TrainDitOptions = {},
): Promise<TrainedDitAdapter> {
  const plan = planDitAdapter(model, data, options);
  const diffs = frozenDiffs(model, data.diffs, options);
  const release = await options.checkpoints?.store.claim?.();
  try {
    const key = await adapterKey(model.info, data, plan.settings);
    const { modules, rank } = plan.settings;
    const linears = model.linears().filter(({ name }) => modules.includes(name));
    using stack = DiffStack.create(model.gpu, linears, [{ ...plan.settings, rsLora: false }], rank);
    using updates = new StackUpdates(stack, plan.settings);
    return await new DitRun(model, { ...data, diffs }, plan, options, key, { stack, updates }).toTheEnd();
  } finally {
    await release?.();
  }
}

/** Diffs as passes take them, and examples. */
type RunData = Omit<DitData<LoraWeights>, 'diffs'> & { readonly diffs: FrozenDiffs };

/** A run under way. */
class DitRun {
  readonly #steps = new StepQueue();
  readonly #exampleOf: (k: number) => readonly DitExample[];
  #update = 0;
  #losses: DiffLoss[] = [];
  #validation: DitValidation[] = [];
  #best: BestFactors | undefined;
  /** Losses of the last updates, which may not be there yet. */
  readonly #unread: Promise<Float32Array>[] = [];

  constructor(
    readonly model: HookedModel,
    readonly data: RunData,
    readonly plan: DitPlan,
    readonly options: TrainDitOptions,
    readonly key: string,
    readonly open: OpenStack,
  ) {
    const { examples } = data;
    const order = exampleOrder(examples.length, plan.settings);
    this.#exampleOf = (k) => order(k).map((place) => examples[place] as DitExample);
  }

  async toTheEnd(): Promise<TrainedDitAdapter> {
    const { model, options, open } = this;
    const { settings, kernels, factors } = this.plan;
    const { checkpoints } = options;
    const identity = { settings: this.key, machine: trainingMachine(model.gpu, kernels) };
    const found = checkpoints && (await restoreDit(checkpoints, open, identity, options.onNotice));
    if (found) this.#takeUp(found);
    else {
      const { rank, alpha, init, seed, modules } = settings;
      open.stack.write([createLora(model, { rank, alpha, init, seed, targets: modules })]);
    }
    const resumedFrom = this.#update;
    const saveEvery = checkpoints?.every ?? 100;
    // The best factors beside those in training, and what was measured.
    const most = Math.ceil((4 * factors) / 3) + 200 * settings.updates;
    await checkpoints?.store.prepare?.(most, 1 + Math.ceil((settings.updates - this.#update) / saveEvery));
    await this.#train(identity, saveEvery);
    const best = this.#best ?? { update: this.#update, modules: await this.#factors() };
    const { rank, alpha } = settings;
    return {
      lora: { rank, alpha, rsLora: false, modules: best.modules, base: model.info.fingerprint },
      key: this.key,
      losses: this.#losses,
      validation: this.#validation,
      best: best.update,
      stopped: this.#update < settings.updates ? 'patience' : 'updates',
      settings,
      resumedFrom,
    };
  }

  async #train(identity: TrainingIdentity, saveEvery: number): Promise<void> {
    const { settings } = this.plan;
    const { checkpoints, signal } = this.options;
    let written = this.#update;
    const keep = async (): Promise<void> => {
      await this.#caughtUp();
      if (!checkpoints || this.#update === written) return;
      await checkpoints.store.write(ditContent(this.#state(), this.open, identity));
      written = this.#update;
    };
    try {
      for (;;) {
        try {
          throwIfAborted(signal, 'Training the adapter');
          await this.#validate(signal);
          if (this.#isOver()) break;
          await this.#step();
        } catch (error) {
          // Between two updates the state is whole.
          if (signal?.aborted === true) await keep();
          throw error;
        }
        if (this.#update % saveEvery === 0 && this.#update < settings.updates) await keep();
      }
      await keep();
    } finally {
      await this.#steps.settled();
    }
  }

  /** One update; the loss of the one before it is told, as this one runs. */
  async #step(): Promise<void> {
    const { model, data, open } = this;
    const { settings } = this.plan;
    const batch = ditBatch(this.#exampleOf(this.#update), settings);
    const step = model.gpu.step({ label: 'training the adapter' });
    try {
      const { loss, slopes } = recordDitSlopes(step, model, batch, data.diffs, open.stack);
      open.updates.record(step, slopes, Float32Array.of(settings.rate * rateOverUpdates(this.#update, settings)));
      const read = readFloats(step, loss);
      // Its failure is that of the submit.
      read.catch(() => undefined);
      this.#unread.push(read);
      this.#update++;
      await this.#steps.submit(step);
      await this.#takeLosses(1);
    } finally {
      step.dispose();
    }
  }

  /** Waits until the last update is made and its loss is taken down. */
  async #caughtUp(): Promise<void> {
    await this.#steps.finished();
    await this.#takeLosses(0);
  }

  /** Takes losses down and tells them, but for so many of the last. @throws LimnError `training/diverged` */
  async #takeLosses(unread: number): Promise<void> {
    while (this.#unread.length > unread) {
      const [loss] = (await this.#unread[0]) as Float32Array;
      void this.#unread.shift();
      const update = this.#losses.length + 1;
      if (loss === undefined || !Number.isFinite(loss)) throw diverged(`The loss of the adapter is ${loss}`, update);
      this.#losses.push({ update, loss });
      const validation = this.#validation.at(-1);
      const { updates: total } = this.plan.settings;
      this.options.onProgress?.({ done: update, total, loss, ...(validation ? { validation } : {}) });
    }
  }

  /** Reads the validation examples where it is time to, and keeps the factors where none were better. */
  async #validate(signal: AbortSignal | undefined): Promise<void> {
    const { validation } = this.data;
    const { settings } = this.plan;
    const update = this.#update;
    const due = update % settings.evaluateEvery === 0 || update === settings.updates;
    if (!validation || !due || this.#validation.at(-1)?.update === update) return;
    await this.#caughtUp();
    const { candidates } = settings;
    const parts = { diffs: this.data.diffs, adapter: this.open.stack, candidates };
    const figures = await readExamples(this.model, validation, settings, parts, signal);
    if (!Number.isFinite(figures.loss)) throw diverged(`The validation loss of the adapter is ${figures.loss}`, update);
    const before = Math.min(...this.#validation.map(({ loss }) => loss));
    if (figures.loss < before) this.#best = { update, modules: await this.#factors() };
    this.#validation.push({ update, ...figures });
  }

  /** Whether all updates are made, or so many validations have passed since the best. */
  #isOver(): boolean {
    const { updates, patience } = this.plan.settings;
    if (this.#update >= updates) return true;
    const since = this.#validation.filter(({ update }) => update > (this.#best?.update ?? 0)).length;
    return patience !== null && since >= patience;
  }

  /** @throws LimnError `training/diverged` */
  async #factors(): Promise<ReadonlyMap<string, LoraFactors>> {
    const [modules = new Map<string, LoraFactors>()] = await this.open.stack.read();
    return finiteFactors(modules, 'the adapter', this.#update);
  }

  #state(): DitRunState {
    return { update: this.#update, losses: this.#losses, validation: this.#validation, best: this.#best };
  }

  #takeUp({ update, losses, validation, best }: DitRunState): void {
    this.#update = update;
    this.#losses = [...losses];
    this.#validation = [...validation];
    this.#best = best;
  }
}
