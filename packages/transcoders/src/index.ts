// Dictionaries of MLPs: trained, evaluated, put in the place of MLPs, and read as circuits.
export {
  checkConfig,
  checkFits,
  READABLE_SITES,
  type DictionaryActivation,
  type DictionaryConfig,
  type ReadableSite,
} from './dictionary-config.js';
export { Dictionary, dictionaryShapes, type DictionaryTensorName, type DictionaryWeights } from './dictionary.js';
export {
  ActivationStream,
  streamBytes,
  type StreamPosition,
  type StreamSettings,
} from './training/activation-stream.js';
export { type TokenSource } from './training/token-source.js';
export { acrossRows, unitRows } from './decoder-rows.js';
export { initialWeights, meanRow, type InitialOptions, type InitialScheme } from './initial-weights.js';
export { type AuxiliaryTerm } from './losses/dead-features.js';
export { type DictionaryLoss } from './losses/dictionary-loss.js';
export { type ReconstructionMeasure } from './losses/reconstruction.js';
export { type SparsityTerm } from './losses/sparsity.js';
export { DictionaryTrainingState, firedRows, leastPositive, type SavedTrainingState } from './training-state.js';
export {
  recordDictionaryStep,
  trainedNames,
  type DictionaryBatch,
  type DictionaryLossParts,
  type DictionaryStepSettings,
  type RecordedDictionaryStep,
} from './training-step.js';
export {
  evaluateDictionaries,
  type DictionaryEvaluation,
  type DictionaryFigures,
  type EvaluateOptions,
  type JointFigures,
  type JointReplacement,
  type NamedDictionary,
  type NeuronFigures,
  type RebuiltFigures,
} from './evaluation/evaluate-dictionaries.js';
export {
  type Ablations,
  type Fidelity,
  type Recovered,
  type ReplacementFigures,
} from './evaluation/fidelity.js';
export { firingFigures, type FiringFigures } from './evaluation/firing.js';
export { TopNeurons, type NeuronBaseline } from './evaluation/neurons.js';
