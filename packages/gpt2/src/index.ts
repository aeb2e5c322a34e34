// GPT-2 family models: files, tokenizer, the forward pass with its hook sites, and training.
export * from './checkpoint.js';
export * from './config.js';
export * from './files.js';
export { describePlan, planLoad, type LoadPlan, type PlannedWeight } from './load-plan.js';
export * from './load.js';
export { Gpt2 } from './model.js';
export { tensorsOf, type Gpt2Parameters } from './parameters.js';
export type { SafetensorsEntry } from './safetensors-entry.js';
export * from './safetensors-write.js';
export * from './safetensors.js';
export { readTensorF32, widenBf16, widenF16 } from './tensor-values.js';
export * from './tokenizer.js';
export * from './train.js';
export { weightShapes, type HostTensor } from './weight-names.js';
export { Fingerprint, findWeights, readWeight, sha256, type FoundWeights, type LinearOrientation } from './weights.js';
