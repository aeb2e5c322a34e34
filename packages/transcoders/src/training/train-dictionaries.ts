// Trains dictionaries of all layers, variants and settings at once from one stream of activations, and goes on from checkpoints bit for bit.
import { formatBytes, LimnError, throwIfAborted, type Step } from '@limn/gpu';
import { rateOverUpdates, type HookedModel, type HookName, type TrainingIdentity } from '@limn/hooks';
import { concat, readFloats, scale, type Tensor } from '@limn/tensor';
import type { DictionaryWeights } from '../dictionary.js';
import {
  evaluateDictionaries,
  type NamedCrossLayer,
  type NamedDictionary,
} from '../evaluation/evaluate-dictionaries.js';
import type { CrossLayerWeights } from '../formats/cross-layer-set.js';
import { ActivationStream } from './activation-stream.js';
import { siteStatistics, type RunStatistics, type SiteStatistics } from './data-scales.js';
import { rampAt } from './schedules.js';
import type { TokenSource } from './token-source.js';
import {
  featuresOf,
  sitesOf,
  settleTraining,
  type CrossLayerSpec,
  type DictionarySpec,
  type TrainDictionariesOptions,
  type TrainingSettings,
  type TrainingSpec,
} from './train-options.js';
import { Trainee } from './trainee.js';
import { traineeBytes } from './trainee-bytes.js';
import { diverged, identityOf, resumeTraining, trainingContent, type RunState } from './training-checkpoint.js';
import { recordOf, type TrainingRecord } from './training-record.js';
import { chunkOf, kindOf } from './training-plan.js';
import { groupUpdates } from './update-groups.js';

/** Σ‖y − ŷ‖² / Σ‖y − ȳ‖² of a batch beyond which no training comes back: first weights leave about 1, a bad start some hundreds. */
const DIVERGED_FVU = 1e8;

/** What comes of a spec: the weights of a dictionary, or those of each layer of a cross-layer transcoder. */
export type TrainedWeights<Spec extends TrainingSpec> = Spec extends CrossLayerSpec
  ? readonly CrossLayerWeights[]
  : DictionaryWeights;

/** Learnt dictionaries. */
export interface TrainedDictionaries<Spec extends TrainingSpec = DictionarySpec> {
  /** In the order of the specs: weights for rows as they are. */
  readonly dictionaries: readonly { readonly spec: Spec; readonly weights: TrainedWeights<Spec> }[];
  readonly history: readonly TrainingRecord[];
  /** The update it was resumed from; 0 for a fresh start. */
  readonly resumedFrom: number;
}

/**
 * Trains every spec, dictionaries and cross-layer transcoders, on the same rows in the same order, plain Adam, all of them in each update. The same call gives the same bits, whatever
 * else is trained beside a dictionary.
 * @throws LimnError before any work: `usage/dictionary-training`, `usage/dictionary-config`, `usage/dictionary-loss`,
 * `data/dictionary-model`, `usage/dictionary-stream`, `usage/dictionary-initial`, `memory/over-budget` with the bytes; `checkpoint/damaged`,
 * `checkpoint/format`, `checkpoint/other-settings`, without `allowDrift` `checkpoint/other-machine`, and what the store throws; later
 * `data/dictionary-stream`, `tokens/…`, `training/diverged`; AbortedError
 */
export async function trainDictionaries<Spec extends TrainingSpec>(
  model: HookedModel,
  source: TokenSource,
  specs: readonly Spec[],
  options: TrainDictionariesOptions,
): Promise<TrainedDictionaries<Spec>> {
  const settings = settleTraining(model, specs, options);
  const release = await options.checkpoints?.store.claim?.();
  try {
    const run = new TrainingRun(model, source, settings, options);
    try {
      return await run.toTheEnd(specs);
    } finally {
      await run.dispose();
    }
  } finally {
    await release?.();
  }
}

/** A run under way. */
class TrainingRun {
  readonly #sites: readonly HookName[];
  readonly #stream: ActivationStream;
  readonly #trainees: Trainee[] = [];
  /** Those whose updates share a step. */
  #groups: readonly (readonly Trainee[])[] = [];
  #statistics: RunStatistics = {};
  /** GPU bytes that steps may take. */
  readonly #stepBytes: number;
  /** One step is recorded while the one before it still runs. */
  #running: Promise<void> = Promise.resolve();

  constructor(
    readonly model: HookedModel,
    readonly source: TokenSource,
    readonly settings: TrainingSettings,
    readonly options: TrainDictionariesOptions,
  ) {
    const { specs, rowsPerUpdate, skip, seed, memoryBytes, mostRowsPerSourceBatch } = settings;
    this.#sites = sitesOf(specs);
    const weights = specs.reduce((sum, spec) => sum + traineeBytes(spec), 0);
    this.#stream = new ActivationStream(model, source, this.#sites, {
      seed,
      rowsPerBatch: rowsPerUpdate,
      batchesPerChunk: chunkOf(source, settings).batchesPerChunk,
      skip,
      memoryBytes: memoryBytes - weights,
      ...(mostRowsPerSourceBatch === null ? {} : { mostRowsPerSourceBatch }),
      signal: options.signal,
    });
    this.#stepBytes = memoryBytes - weights - this.#stream.bytes;
    if (this.#stepBytes > 0) return;
    this.#stream.dispose();
    throw new LimnError(
      'memory/over-budget',
      `Training takes ${formatBytes(weights)} of weights and moments and ${formatBytes(this.#stream.bytes)} of rows; the budget is ${formatBytes(memoryBytes)}.`,
      {
        details: { weights, rows: this.#stream.bytes, memoryBytes },
        hint: 'Train fewer dictionaries at once, make chunks smaller, or raise memoryBytes.',
      },
    );
  }

  async toTheEnd<Spec extends TrainingSpec>(specs: readonly Spec[]): Promise<TrainedDictionaries<Spec>> {
    const { model, settings, options } = this;
    const { updates, every, evaluateEvery, specs: settled } = settings;
    const { checkpoints, signal, onProgress, onNotice } = options;
    const { gpu } = model;
    const saveEvery = checkpoints?.every ?? 500;
    this.#statistics = await siteStatistics(this.#stream, settings.scaled);
    for (const spec of settled) {
      this.#trainees.push(Trainee.create(gpu, kindOf(gpu, spec, this.#statistics), settings.betas));
    }
    const named = settled.map((spec) => ({ name: spec.name, features: featuresOf(spec) }));
    const places = new Uint32Array(settings.rowsPerUpdate);
    const { groups, kernels } = groupUpdates(model, this.#trainees, this.#stepBytes, (step, some) =>
      this.#rows(step, places, some),
    );
    this.#groups = groups;
    let identity: TrainingIdentity | undefined;
    const history: TrainingRecord[] = [];
    let update = 0;
    if (checkpoints) {
      const { data, evaluate } = options;
      const evaluated = evaluate?.sequences ?? [];
      identity = await identityOf(model, this.source, { settings, data, evaluated, kernels });
      const found = await resumeTraining(gpu, this.#trainees, checkpoints, identity, onNotice);
      if (found) {
        this.#stream.seek(found.position);
        history.push(...found.history);
        this.#statistics = found.statistics;
        ({ update } = found);
      }
      const { bytes } = await trainingContent(gpu, this.#trainees, this.#state(updates, history), identity);
      const writes = Math.ceil(updates / saveEvery) - Math.floor(update / saveEvery);
      if (update < updates) await checkpoints.store.prepare?.(bytes, writes);
    }
    const resumedFrom = update;
    let written = update;
    const keep = async (): Promise<void> => {
      if (!checkpoints || !identity || update === written) return;
      await this.#running;
      const state = this.#state(update, history);
      await checkpoints.store.write(await trainingContent(gpu, this.#trainees, state, identity));
      written = update;
    };
    while (update < updates) {
      // Between two updates the state is whole.
      if (signal?.aborted === true) await keep();
      throwIfAborted(signal, 'Training dictionaries');
      const places = await this.#stream.next().catch(async (error: unknown) => {
        if (signal?.aborted === true) await keep();
        throw error;
      });
      const reports = (update + 1) % every === 0 || update + 1 === updates;
      const evaluates = evaluateEvery !== null && ((update + 1) % evaluateEvery === 0 || update + 1 === updates);
      const figures = await this.#update(update++, places, reports || evaluates);
      if (figures) {
        const recovered = evaluates ? await this.#recovered() : undefined;
        const record = recordOf(figures, named, { update, updates }, recovered);
        for (const [name, { loss, fvu }] of Object.entries(record.figures)) {
          if (!Number.isFinite(loss)) throw diverged(`The loss of ${name} is ${loss}`, update);
          if (fvu > DIVERGED_FVU) throw diverged(`The FVU of ${name} is ${fvu.toPrecision(3)}`, update);
        }
        history.push(record);
        onProgress?.(record);
      }
      if (update % saveEvery === 0) await keep();
    }
    await keep();
    await this.#running;
    const dictionaries: { spec: Spec; weights: TrainedWeights<Spec> }[] = [];
    for (const [i, spec] of specs.entries()) {
      const { kind } = this.#trainees[i] as Trainee;
      dictionaries.push({ spec, weights: (await kind.weights(this.#statistics)) as TrainedWeights<Spec> });
    }
    return { dictionaries, history, resumedFrom };
  }

  /** Frees everything, once nothing runs any more. */
  async dispose(): Promise<void> {
    await this.#running.catch(() => undefined);
    for (const trainee of this.#trainees) trainee.dispose();
    this.#stream.dispose();
  }

  #state(update: number, history: readonly TrainingRecord[]): RunState {
    return { update, position: this.#stream.position, statistics: this.#statistics, history };
  }

  /** Scaled rows at the sites of some trainees. */
  #rows(step: Step, places: Uint32Array, some: readonly Trainee[]): Map<HookName, Tensor> {
    const sites = sitesOf(some.map(({ spec }) => spec));
    return new Map(
      [...this.#stream.rows(step, places, sites)].map(([site, rows]) => {
        const { scale: factor } = this.#statistics[site] as SiteStatistics;
        return [site, factor === 1 ? rows : scale(step, rows, factor)];
      }),
    );
  }

  /** One update of every dictionary; its figures [dictionaries, 4] where they are asked for. */
  async #update(update: number, places: Uint32Array, reads: boolean): Promise<Float32Array | undefined> {
    const rate = rateOverUpdates(update, this.settings);
    const found: Promise<Float32Array>[] = [];
    for (const group of this.#groups) {
      const step = this.model.gpu.step({ label: 'training dictionaries' });
      try {
        const rows = this.#rows(step, places, group);
        const figures = group.map((trainee) =>
          trainee.update(step, rows, { rate, sparsity: rampAt(update, this.settings.updates, trainee.spec.ramp) }),
        );
        if (reads) {
          const read = readFloats(step, concat(step, figures, 0));
          // Its failure is that of the submit, which is awaited.
          read.catch(() => undefined);
          found.push(read);
        }
        const before = this.#running;
        this.#running = step.submit();
        this.#running.catch(() => undefined);
        await before;
      } finally {
        step.dispose();
      }
    }
    if (!reads) return undefined;
    const parts = await Promise.all(found);
    return Float32Array.from(parts.flatMap((part) => Array.from(part)));
  }

  /** What every trainee recovers now of the loss that mean-ablation costs. */
  async #recovered(): Promise<number[]> {
    await this.#running;
    const { model, settings, options } = this;
    const dictionaries: NamedDictionary[] = [];
    const crossLayer: NamedCrossLayer[] = [];
    try {
      for (const { kind, spec } of this.#trainees) {
        const loaded = kind.load(await kind.weights(this.#statistics));
        const { name } = spec;
        if (loaded.dictionary) dictionaries.push({ name, dictionary: loaded.dictionary });
        else crossLayer.push({ name, dictionary: loaded.crossLayer });
      }
      const found = await evaluateDictionaries(model, options.evaluate?.sequences ?? [], dictionaries, {
        skip: settings.skip,
        memoryBytes: this.#stepBytes,
        signal: options.signal,
        crossLayer,
      });
      const byName = new Map(
        [...found.dictionaries, ...found.crossLayer].map(({ name, recovered }) => [name, recovered.mean.loss]),
      );
      return this.#trainees.map(({ spec }) => byName.get(spec.name) as number);
    } finally {
      for (const { dictionary } of [...dictionaries, ...crossLayer]) dictionary.dispose();
    }
  }
}
