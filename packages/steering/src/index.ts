// Steering by activation scaling: learnt, bounded and explained, on interventions that compose with everything else.
export { checkExamples, type SteeringExample } from './examples.js';
export { splitByEntity, type EntitySplit, type SplitOptions } from './split.js';
export {
  POSITION_MODES,
  positionTable,
  slotsOf,
  type PositionedPrompt,
  type PositionMode,
  type PositionTable,
} from './positions.js';
export {
  isLive,
  STEERABLE_SITES,
  steeredPlaces,
  type PlacedSpec,
  type SteerableSite,
  type SteeredModel,
  type SteeredPlace,
} from './sites.js';
export {
  STEERING_METHODS,
  type ActivScalar,
  type DimensionScale,
  type DynScalar,
  type GatedScalar,
  type ParameterForm,
  type SteeringMethod,
  type SteerVec,
  type SubspaceScale,
} from './method.js';
export { Steering, type SteeringSpec, type SteeringValues, type SteerOptions } from './steering.js';
export { type FlipObjective, type Objective, type ParityObjective } from './objective.js';
export { type Minimality, type PenaltyKind, type SteeredPart, type TrainSteeringOptions } from './train-options.js';
export { type SteeringCheckpoints, valuesDigest } from './training-checkpoint.js';
export { type TrainingRecord } from './training-record.js';
export { trainSteering, type TrainedSteering } from './train.js';
export { steererOf, UNTOUCHED, type SteeredRow, type Steerer } from './steerer.js';
export {
  evaluateSteering,
  type EvaluateSteeringOptions,
  type SteeredExample,
  type SteeredOutcome,
} from './evaluate.js';
export { isSuccess, summarise, type SteeringFigures, type StrengthFigures, type SuccessRule } from './summary.js';
export { liveSlots } from './live-slots.js';
export { cellsOf, minimalityOf, type MinimalityFigures, type SteeringCell } from './minimality.js';
export { readSteering, writeSteering, type SteeringFile } from './formats/steering-file.js';
export { STEERING_FORMAT, type SteeringModelRecord, type SteeringProvenance } from './formats/steering-header.js';
export {
  steeringFromTensors,
  steeringTensors,
  type SteeringTensor,
  type SteeringTensors,
} from './formats/steering-tensors.js';
export { calibrateStrength, type Calibration, type CalibrationOptions } from './calibrate.js';
export { bestPoint, sweepSteering, type SweepOptions, type SweepPoint } from './sweep.js';
export { cellContributions, type CellContribution, type CellContributions } from './cell-contributions.js';
export {
  readControlVector,
  steeringFromControlVector,
  steeringToControlVector,
  writeControlVector,
  type ControlVector,
  type ControlVectorOptions,
  type ExportedControlVector,
  type ReadControlVector,
} from './formats/control-vector-gguf.js';
export { type DirectionsModel, type ImportedSteering, type ResidualSite } from './formats/directions.js';
export { type GgufValue } from './formats/gguf-cursor.js';
export { readSvec, steeringFromSvec, type Svec } from './formats/svec.js';
export {
  parseExample,
  parseExamples,
  type ExampleTokenizer,
  type ParseExamplesOptions,
  type WrittenExample,
} from './parse-examples.js';
export {
  candidateFigures,
  chooseCandidate,
  type ChooseOptions,
  type ChosenCandidate,
  type SteeringCandidate,
} from './baselines/candidates.js';
export {
  TRAINING_FREE,
  trainingFreeCandidates,
  type TrainingFreeCandidates,
  type TrainingFreeName,
} from './baselines/training-free.js';
export { actAdd, type ActAddOptions } from './baselines/activation-addition.js';
export { caa } from './baselines/contrastive-addition.js';
export { meanDifference, meanDifferenceOf } from './baselines/mean-difference.js';
export { pcaDirection, pcaDirectionOf, type PcaDirectionOptions } from './baselines/pca-direction.js';
export { type VectorPlacement } from './baselines/vector-values.js';
export { cellGradients, type CellScores } from './baselines/cell-gradients.js';
export { gradActivation, thresholdScores, type ThresholdOptions } from './baselines/gradient-activation.js';
export { singleCells, type SingleCell, type SingleCells } from './baselines/single-cells.js';
export { averagedOverPlaces, roleConstant } from './baselines/role-constant.js';
export { type ScalarPlacement } from './baselines/scalar-values.js';
export { prompting, type PromptEdit } from './baselines/prompting.js';
export { relativeNorms, toRelativeNorm, type RelativeNorm } from './baselines/relative-norms.js';
export { activationSubspace } from './activation-subspace.js';
export { bakeScales, type BakedParameter } from './bake.js';
export {
  evaluateParity,
  type EvaluateParityOptions,
  type ParityEvaluation,
  type ParityExamples,
  type RetainedPrompt,
} from './parity/evaluate-parity.js';
export {
  type BeforeAfter,
  type DeltaChange,
  type ParityItem,
  type ParityPartFigures,
  type RetentionFigures,
  type SpilloverFigures,
} from './parity/parity-figures.js';
export * from './explain/index.js';
