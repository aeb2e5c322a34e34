// LoRA on any hooked model: made, run, merged, joined, trained by the hundred, and exchanged with PEFT and with the files of Diff Interpretation Tuning.
export {
  expectBase,
  loraScale,
  placedFactors,
  type AdaptedModel,
  type BaseOptions,
  type LoraFactors,
  type LoraWeights,
  type PlacedFactors,
} from './lora/lora-weights.js';
export { createLora, LORA_INITS, type LoraInit, type NewLora } from './lora/create-lora.js';
export { LoraAdapter, type ApplyOptions, type LoraAdapterOptions } from './lora/lora-adapter.js';
export { MergedAdapters, type MergeOptions } from './lora/merged-adapters.js';
export { catAdapters, type WeightedLora } from './lora/cat-adapters.js';
export { adapterChangesNothing, adapterEffect, zeroModules, type AdapterEffect } from './lora/adapter-effect.js';
export { moduleChooser, type ModuleChoice } from './modules/target-modules.js';
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
export { changeNorm, diffNorms, wholeNorm, type DiffNorm } from './mechanism/diff-norms.js';
export {
  diffDirections,
  type DiffDirection,
  type DirectionOptions,
  type DirectionToken,
} from './mechanism/diff-directions.js';
export { singularTerms, type SingularTerm } from './mechanism/low-rank-svd.js';
export { keepLayers, zeroLayers } from './mechanism/diff-layers.js';
export { mapAttribution, type MapAttribution, type MapAttributionOptions } from './mechanism/map-attribution.js';
export {
  layerReading,
  strengthCurve,
  type LayerReading,
  type ReadingOptions,
  type StrengthPoint,
} from './mechanism/layer-reading.js';
export { type DitData, type DitExample } from './adapter/dit-example.js';
export {
  type DitProgress,
  type DitSettings,
  type DitValidation,
  type TrainDitOptions,
} from './adapter/adapter-options.js';
export { type DitFigures } from './adapter/read-examples.js';
export { planDitAdapter, type DitPlan } from './adapter/adapter-plan.js';
export { trainDitAdapter, type TrainedDitAdapter } from './adapter/train-dit-adapter.js';
export { askDiffs, type AskOptions, type DitAnswer, type DitQuestion } from './adapter/ask-diffs.js';
export {
  clusteredMean,
  clusteredShare,
  pairedDifference,
  type FigureOptions,
  type MeanFigure,
} from './evaluation/clustered-mean.js';
export { rankFigures, rankOf, type CandidateRank, type RankFigures } from './evaluation/ranks.js';
export { rocCurve, type FalseAlarms, type RocCurve, type RocOptions, type RocPoint } from './evaluation/roc.js';
export {
  fitTemperature,
  probabilitiesAt,
  type FittedTemperature,
  type ScoredAnswer,
} from './evaluation/temperature.js';
export { reliability, type Reliability, type ReliabilityRow } from './evaluation/reliability.js';
export {
  calibrate,
  calibratedAnswer,
  noneThreshold,
  somethingProbability,
  type CalibratedAnswer,
  type Calibration,
  type FittedCalibration,
  type NoneThreshold,
} from './evaluation/calibration.js';
export { sampleAnswers, type AskedDiff, type SampleOptions } from './baselines/sample-answers.js';
export {
  activationDifferenceLens,
  type DifferenceLensOptions,
  type DifferenceReading,
} from './baselines/activation-difference-lens.js';
export { WeightDecoder, weightDecoder, type WeightDecoderOptions } from './baselines/weight-decoder.js';
export { type LeftOut } from './baselines/kernel-ridge.js';
export { loraDigest } from './lora/lora-digest.js';
export { randomLike } from './lora/random-like.js';
