// Hook names, interventions, the HookedModel interface and what is the same for every architecture.
export * from './act-patch.js';
export * from './activation-cache.js';
export { ascendingOrder } from './ascending-order.js';
export { kendallTauB, meanRanks, pearson } from './correlation.js';
export * from './edits.js';
export * from './generate.js';
export {
  planGeneration,
  type GenerateOptions,
  type GenerationPlan,
  type GreedySampling,
  type RandomSampling,
  type Sampling,
} from './generation-options.js';
export { type HostArray } from './host-array.js';
export * from './intervention.js';
export * from './key-value-cache.js';
export * from './logit-attribution.js';
export * from './logit-lens.js';
export * from './model.js';
export * from './names.js';
export * from './nearest-name.js';
export { accumulatedBias, linearMap, type LinearMap } from './linear-maps.js';
export {
  hostMetric,
  logitDifference,
  type AnswerLists,
  type GpuPatchMetric,
  type HostPatchMetric,
  type PatchMetric,
} from './patch-metric.js';
export { type PatchAxis, type PatchOptions, type PatchProgress } from './patch-request.js';
export * from './patch-sweep.js';
export * from './prompts.js';
export { rateOverUpdates, type RateOverUpdates } from './rate-over-updates.js';
export * from './record-within.js';
export * from './run-controls.js';
export * from './length-order.js';
export * from './in-batches.js';
export * from './task-adapters.js';
export * from './text-store.js';
export * from './draw-in-passes.js';
export {
  checkpointContent,
  damagedCheckpoint,
  newestSound,
  openCheckpoint,
  type OpenedCheckpoint,
  type StatedTensor,
} from './checkpoint-file.js';
export { type CheckpointContent, type CheckpointFile, type TrainingCheckpointStore } from './checkpoint-store.js';
export { expectSameTraining, trainingMachine, type SameTraining, type TrainingIdentity } from './training-identity.js';
export { CheckedFields } from './checked-fields.js';
export { bootstrapMean, drawAgain, percentileInterval, type Interval } from './resampling.js';
export { yieldToEvents } from './event-loop.js';
export * from './float-text.js';
export * from './resid-stack.js';
export * from './run-plan.js';
export * from './run-with-cache.js';
export {
  actName,
  selectSites,
  type NameFilter,
  type Reach,
  type ShortBlockName,
  type Shortened,
  type ShortOuterName,
} from './short-names.js';
export * from './sites.js';
export {
  inFolder,
  splitName,
  type NamedTensor,
  type StoredFiles,
  type StoredTensor,
  type StoredTensors,
  type WrittenFile,
} from './stored-files.js';
export { JsonScanError, scanJson, type JsonLimits, type ScannedJson } from './scan-json.js';
export { TextStream, type TextPart } from './text-stream.js';
export * from './token-batch.js';
export {
  PickleDict,
  PickleGlobal,
  PickleList,
  PickleObject,
  PickleTuple,
  plainValue,
  TorchStorage,
  TorchTensor,
  type PickleValue,
} from './torch-file/pickle-values.js';
export { readTorchFile, type TorchFile } from './torch-file/torch-file.js';
export { TorchObject, TorchTuple, writeTorchFile, type TorchWritable } from './torch-file/torch-write.js';
export { type RangedFile } from './torch-file/torch-zip.js';
export { type TokenLogProbability } from './token-sampler.js';
export * from './top-tokens.js';
