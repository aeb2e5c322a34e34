// What a training takes of the GPU, known before any of it is allocated: updates are recorded on a Gpu without a device.
import { dryGpu, formatBytes, LimnError, type Gpu } from '@limn/gpu';
import type { HookedModel } from '@limn/hooks';
import { persistent } from '@limn/tensor';
import { streamBytes } from './activation-stream.js';
import { CrossLayerKind } from './cross-layer-kind.js';
import type { RunStatistics } from './data-scales.js';
import { DictionaryKind } from './dictionary-kind.js';
import { keptCount, type TokenSource } from './token-source.js';
import {
  isCrossLayer,
  settleTraining,
  sitesOf,
  type SettledSpec,
  type TrainDictionariesOptions,
  type TrainingSettings,
  type TrainingSpec,
} from './train-options.js';
import { deadStatesOf, type TraineeKind } from './trainee.js';
import { traineeBytes } from './trainee-bytes.js';

/** GPU bytes of a training, besides the model's. */
export interface TrainingPlan {
  /** Of all that is trained together: weights, Adam's moments, counters. */
  readonly trainees: number;
  /** Rows of activations: two chunks of every site. */
  readonly rows: number;
  /** Values of the update that takes most. Dictionaries whose updates do not fit together are updated one after another. */
  readonly update: number;
  /** The budget: `memoryBytes`. */
  readonly memoryBytes: number;
}

/** Updates whose rows a chunk holds, unless the caller says otherwise. */
const UPDATES_PER_CHUNK = 16;

/** Batches of the source to a chunk, and the rows that they may have. */
export function chunkOf(
  source: TokenSource,
  { batchesPerChunk, rowsPerUpdate, skip, mostRowsPerSourceBatch }: TrainingSettings,
): { readonly batchesPerChunk: number; readonly rowsPerChunk: number } {
  const perBatch = mostRowsPerSourceBatch ?? keptCount(source(0), skip);
  const batches =
    batchesPerChunk ?? Math.max(1, Math.ceil((UPDATES_PER_CHUNK * rowsPerUpdate) / Math.max(1, perBatch)));
  return { batchesPerChunk: batches, rowsPerChunk: batches * perBatch };
}

/** What is trained, with the first weights of its spec. @throws LimnError `usage/dictionary-initial`; `gpu/…` when the GPU has no room */
export function kindOf(gpu: Gpu, spec: SettledSpec, statistics: RunStatistics): TraineeKind {
  return isCrossLayer(spec) ? new CrossLayerKind(gpu, spec, statistics) : new DictionaryKind(gpu, spec, statistics);
}

/**
 * What `trainDictionaries` with the same arguments would take, from recordings alone: nothing is allocated on the GPU.
 * @throws LimnError `memory/over-budget` with the bytes where that is more than `memoryBytes`; before that `usage/dictionary-training`,
 * `usage/dictionary-config`, `usage/dictionary-loss`, `usage/dictionary-initial`, `data/dictionary-model`
 */
export function planTraining(
  model: HookedModel,
  source: TokenSource,
  specs: readonly TrainingSpec[],
  options: TrainDictionariesOptions,
): TrainingPlan {
  const settings = settleTraining(model, specs, options);
  const { memoryBytes } = settings;
  const trainees = settings.specs.reduce((sum, spec) => sum + traineeBytes(spec), 0);
  const rows = streamBytes(model, sitesOf(settings.specs), chunkOf(source, settings));
  const update = Math.max(...differing(settings.specs).map((spec) => updateBytes(model, spec, settings.rowsPerUpdate)));
  const needed = trainees + rows + update;
  if (needed <= memoryBytes) return { trainees, rows, update, memoryBytes };
  throw new LimnError(
    'memory/over-budget',
    `Training takes ${formatBytes(needed)}: ${formatBytes(trainees)} of weights and moments, ${formatBytes(rows)} of rows and ${formatBytes(update)} for an update; the budget is ${formatBytes(memoryBytes)}.`,
    {
      details: { bytesNeeded: needed, trainees, rows, update, memoryBytes },
      hint: 'Train fewer dictionaries at once or fewer features, make updates or chunks smaller, or raise memoryBytes.',
    },
  );
}

/** Specs whose updates record something else: neither names, seeds, rates nor places matter. */
function differing(specs: readonly SettledSpec[]): SettledSpec[] {
  const shapes = specs.map((spec) => {
    const shape = isCrossLayer(spec) ? spec.crossLayer : { ...spec.config, layer: 0, unit: spec.unitDecoder };
    return [JSON.stringify([shape, spec.loss]), spec] as const;
  });
  return [...new Map(shapes).values()];
}

/** Bytes of one update's own values, once every feature is dead: then it has all of its parts. */
function updateBytes(model: HookedModel, spec: SettledSpec, rowsPerUpdate: number): number {
  const { width } = model.info;
  const dry = dryGpu(model.gpu.capabilities, { choices: model.gpu.choices });
  const sites = sitesOf([spec]);
  const mean = Array.from({ length: width }, () => 0);
  using kind = kindOf(dry, spec, Object.fromEntries(sites.map((site) => [site, { scale: 1, mean }])));
  using step = dry.step({ label: 'plan of an update' });
  const rows = new Map(
    sites.map((site) => [site, persistent(dry, [rowsPerUpdate, width], undefined, { label: site })]),
  );
  kind.record(step, rows, spec.loss, deadStatesOf(dry, kind));
  return step.plan().bytesPeak;
}
