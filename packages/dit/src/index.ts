// LoRA on any hooked model: made, run, merged, joined, and exchanged with PEFT and with the files of Diff Interpretation Tuning.
export {
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
