// LoRA on any hooked model: made, run, merged, joined, trained by the hundred, and exchanged with PEFT and with the files of Diff Interpretation Tuning.
export {
  expectBase,
  loraScale,
  type AdaptedModel,
  type BaseOptions,
  type LoraFactors,
  type LoraWeights,
} from './lora/lora-weights.js';
export { createLora, LORA_INITS, type LoraInit, type NewLora } from './lora/create-lora.js';
export { LoraAdapter, type ApplyOptions, type LoraAdapterOptions } from './lora/lora-adapter.js';
export { MergedAdapters, type MergeOptions } from './lora/merged-adapters.js';
export { catAdapters, type WeightedLora } from './lora/cat-adapters.js';
export { adapterChangesNothing, adapterEffect, zeroModules, type AdapterEffect } from './lora/adapter-effect.js';
export { type ModuleChoice } from './modules/target-modules.js';
export { peftAdapters, readPeft, type PeftAdapter, type PeftOptions } from './peft/read-peft.js';
export { writePeft, type PeftExport } from './peft/write-peft.js';
export {
  openDitDiffs,
  readDitAdapter,
  writeDitAdapter,
  writeDitDiffs,
  type DitDiff,
  type DitExport,
  type DitLabels,
  type StoredDitDiff,
} from './torch/dit-files.js';
export { type DiffNote, type DiffRow, type DiffShape, type DiffSpec, type SettledDiff } from './diffs/diff-spec.js';
export {
  type DiffCheckpoints,
  type DiffProgress,
  type OwnAnswers,
  type TrainDiffsOptions,
} from './diffs/diff-options.js';
export { planDiffs, type DiffPlan } from './diffs/diff-plan.js';
export { diffKeys, trainDiffs, type TrainedDiffs } from './diffs/train-diffs.js';
export { type DiffLoss, type GateFigure, type TrainedDiff } from './diffs/trained-diff.js';
export { type TeacherCounts } from './diffs/teacher.js';
export { DIFF_PACK_FILES, readDiffPack, writeDiffPack, type DiffRecord } from './diffs/diff-pack.js';
export { gateReport, type GateOptions, type GatePrompts, type GateRecord } from './diffs/gate-report.js';
