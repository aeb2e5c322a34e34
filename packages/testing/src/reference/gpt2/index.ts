// GPT-2 in float64 with plain loops, forward and backward, one prompt at a time: the oracle for logits, activations and gradients.
export { referenceBackward, type ReferenceGradients } from './backward.js';
export { referenceForward } from './forward.js';
export type { ReferenceConfig, ReferenceTrace, ReferenceWeights } from './model.js';
