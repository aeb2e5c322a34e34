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
export { type Activations, type EncodeOptions, type FeatureEncoder } from './encoder.js';
export {
  checkCrossLayerConfig,
  checkCrossLayerFits,
  crossLayerShapes,
  trainedCrossLayerNames,
  type CrossLayerDictionaryConfig,
  type CrossLayerTensorName,
} from './cross-layer/cross-layer-config.js';
export { CrossLayerDictionary } from './cross-layer/cross-layer-dictionary.js';
export { crossLayerSetOf } from './cross-layer/cross-layer-set-of.js';
export { type LayerEncoder } from './cross-layer/layer-encoder.js';
export { initialCrossLayerWeights, type InitialCrossLayerOptions } from './cross-layer/cross-layer-initial.js';
export {
  recordCrossLayerStep,
  type CrossLayerBatch,
  type CrossLayerStepSettings,
  type RecordedCrossLayerStep,
} from './cross-layer/cross-layer-step.js';
export {
  ActivationStream,
  streamBytes,
  type StreamPosition,
  type StreamSettings,
} from './training/activation-stream.js';
export { type TokenSource } from './training/token-source.js';
export { acrossRows, unitRows } from './decoder-rows.js';
export { initialWeights, meanRow, type InitialOptions, type InitialScheme } from './initial-weights.js';
export { type AuxiliaryTerm, type DeadFeatures } from './losses/dead-features.js';
export { type DictionaryLoss } from './losses/dictionary-loss.js';
export { type ReconstructionMeasure } from './losses/reconstruction.js';
export { type SparsityTerm } from './losses/sparsity.js';
export { DictionaryTrainingState, firedRows, leastPositive, type SavedTrainingState } from './training-state.js';
export {
  recordDictionaryStep,
  trainedNames,
  type DictionaryBatch,
  type DictionaryStepSettings,
  type RecordedDictionaryStep,
} from './training-step.js';
export { type DictionaryLossParts } from './step-shares.js';
export {
  evaluateDictionaries,
  type CrossLayerFigures,
  type CrossLayerLayerFigures,
  type DictionaryEvaluation,
  type DictionaryFigures,
  type EvaluateOptions,
  type JointFigures,
  type JointReplacement,
  type NamedCrossLayer,
  type NamedDictionary,
  type NeuronFigures,
  type RebuiltFigures,
} from './evaluation/evaluate-dictionaries.js';
export { type Ablations, type Fidelity, type Recovered, type ReplacementFigures } from './evaluation/fidelity.js';
export { firingFigures, type FiringFigures } from './evaluation/firing.js';
export { TopNeurons, type NeuronBaseline } from './evaluation/neurons.js';
export { type AttributionGraph, worstResidual } from './graph/attribution-graph.js';
export { ACCOUNTING_TOLERANCE } from './graph/accounting-tolerance.js';
export { attributePrompt, buildGraph, type GraphOptions } from './graph/build-graph.js';
export {
  accountFor,
  edgeWeight,
  incomingEdges,
  rowsOfNodes,
  type Accounting,
  type EdgeMatrix,
} from './graph/edge-matrix.js';
export { agreementOf, summarizeEffects, type EffectSummary } from './graph/effect-summary.js';
export { featureChanges, type ChangeMode, type ChangeOptions, type FeatureChange } from './graph/feature-change.js';
export { featureEffects, type EffectOptions, type FeatureEffect, type FeatureEffects } from './graph/feature-effect.js';
export { matchedFeatures } from './graph/matched-features.js';
export { foldFeatures } from './graph/fold-features.js';
export {
  FrozenPrompt,
  type Dictionaries,
  type Firing,
  type FeatureWriter,
  type FrozenFeatures,
  type FrozenLayer,
  type PromptFindings,
} from './graph/frozen-prompt.js';
export {
  graphNodeName,
  type BiasKind,
  type BiasNode,
  type ErrorNode,
  type FeatureNode,
  type GraphNode,
  type OutputNode,
  type PositionNode,
  type SkipNode,
  type TokenNode,
} from './graph/graph-node.js';
export {
  logitDifferenceOutput,
  logitOutput,
  logitOutputs,
  type GraphOutput,
  type LogitOutputOptions,
} from './graph/graph-output.js';
export { graphScores, type GraphScores } from './graph/graph-scores.js';
export { type FeatureChoice, type SkipTreatment } from './graph/source-columns.js';
export {
  type DirectionTarget,
  type FeatureTarget,
  type GraphTarget,
  type LogitTarget,
  type SlotTarget,
} from './graph/graph-target.js';
export { headLoadings, type HeadLoadings } from './graph/head-loadings.js';
export {
  edgeInfluence,
  influenceGraph,
  nodeInfluence,
  roleOf,
  type InfluenceGraph,
  type Kept,
  type Role,
} from './graph/influence.js';
export {
  connectionStrengths,
  encoderDirection,
  headDirections,
  headNorms,
  strongest,
  type Connection,
} from './graph/feature-pull-back.js';
export {
  filterPaths,
  meets,
  type Comparison,
  type NodeCondition,
  type NumberCondition,
  type PathMatch,
} from './graph/path-filter.js';
export { pathGraph, type PathGraph, type PathGraphEdge, type PathGraphNode } from './graph/path-graph.js';
export {
  pathNodeName,
  type ComputationalPath,
  type PathNode,
  type PathRemainder,
  type PathRoot,
  type PathSource,
  type PathStep,
} from './graph/path-node.js';
export { searchPaths, type FoundPaths, type PathOrder, type PathSearchOptions } from './graph/path-search.js';
export {
  atThreshold,
  cumulativeInfluence,
  pruneGraph,
  type PrunedGraph,
  type PruneOptions,
  type ShownGraph,
} from './graph/prune-graph.js';
export {
  attributeScore,
  scoreTerm,
  strongestTerms,
  type ScoreAttribution,
  type ScorePlace,
  type ScoreTerm,
} from './graph/score-attribution.js';
export { scoreTable, type ScoreTable } from './graph/score-table.js';
export { type StreamPlace } from './graph/stream-place.js';
export { type FrozenNorm } from './graph/through-norm.js';
export { type CheckpointContent, type CheckpointFile, type TrainingCheckpointStore } from '@limn/hooks';
export { type DictionaryCheckpoints, type DictionaryCheckpointStore } from './training/checkpoint-store.js';
export * from './formats/index.js';
export { trainDictionaries, type TrainedDictionaries, type TrainedWeights } from './training/train-dictionaries.js';
export { traineeBytes } from './training/trainee-bytes.js';
export { planTraining, type TrainingPlan } from './training/training-plan.js';
export {
  type CrossLayerSpec,
  type DictionarySpec,
  type TrainDictionariesOptions,
  type TrainingSpec,
} from './training/train-options.js';
export { type RecordedFigures, type TrainingRecord } from './training/training-record.js';
export { type Interval } from './evaluation/bootstrap.js';
export {
  interpretabilityScores,
  type FeatureScore,
  type FeatureSource,
  type InterpretabilityOptions,
  type InterpretabilityScores,
  type LabelledSequence,
  type SourceScores,
} from './evaluation/interpretability.js';
export { tokenLabels } from './evaluation/token-labels.js';
export {
  withoutText,
  type ActivationBand,
  type DashboardExample,
  type FeatureDashboard,
  type ScoredTokens,
  type TokenScore,
} from './reading/dashboard.js';
export { DASHBOARDS_FORMAT, readDashboards, writeDashboards } from './reading/dashboard-file.js';
export { FeatureDashboards } from './reading/dashboard-set.js';
export { dashboardBytes, featureDashboards, type DashboardOptions } from './reading/feature-dashboards.js';
export { type FeatureOrigin, type FeatureOwner, type HeadPlace } from './reading/feature-owner.js';
export { deEmbedding, featureLogits, type FeatureTokensOptions } from './reading/feature-logits.js';
export { type VocabularyScores } from './reading/vocabulary-scores.js';
export {
  searchFeatures,
  searchFeatureWeights,
  type FeatureQuery,
  type FoundFeature,
  type SearchedBy,
  type WeightQuery,
} from './reading/search-features.js';
export {
  FEATURE_LABELS_FORMAT,
  FeatureLabels,
  type FeatureLabel,
  type LabelConflict,
  type LabelledPlace,
} from './reading/feature-labels.js';
export { featurePage, type FeaturePageOptions } from './reading/feature-page.js';
export {
  BLIND_STUDY_FORMAT,
  blindStudy,
  type BlindExample,
  type BlindItem,
  type BlindStudy,
  type BlindStudyOptions,
  type StudyKey,
  type StudySource,
} from './reading/blind-study.js';
export { RATINGS, scoreRatings, type ItemRating, type Rating, type SourceRatings } from './reading/score-ratings.js';
export {
  blindStudyToText,
  parseBlindStudy,
  parseRatings,
  parseStudyKey,
  RATINGS_FORMAT,
  ratingsToText,
  STUDY_KEY_FORMAT,
  studyKeyToText,
} from './reading/study-files.js';
export { wilsonShare, type CountedShare } from './reading/wilson.js';
export { steerFeatures, type FeatureSetting } from './steer-features.js';
