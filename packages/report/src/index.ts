// @limn/report: the records of results, and single-file pages made from records.
export { checkRecord, recordFromJson, recordToJson, resultJsonSchema } from './record.js';
export type { CircuitRecord, ResultRecord } from './record.js';
export type { Provenance } from './provenance-record.js';
export type {
  AgreementRecord,
  BaselineRecord,
  CurveRecord,
  DrawnCircuit,
  DropRecord,
  EdgeRow,
  KnockOutRecord,
  PairRecord,
  PointRecord,
} from './circuit-record.js';
export { SCHEMA_NAME, SCHEMA_VERSION } from './record-text.js';
export { checkComparison, comparisonFromJson, comparisonJsonSchema, comparisonToJson } from './comparison-record.js';
export type { ComparedPair, ComparisonRecord, OverlapMeasure, OverlapRecord } from './comparison-record.js';
export { renderComparison } from './comparison-page.js';
export { summariseComparison } from './comparison-summary.js';
export { ablationWords } from './ablation-words.js';
export type { AblationWords } from './ablation-words.js';
export type { Json } from './schema.js';
export { ReportError } from './error.js';
export { renderReport } from './page.js';
export type { ReportOptions } from './page.js';
export { nodeWeights, summarise } from './summary.js';
export type { NodeWeight, Summary } from './summary.js';
export { trainingPlot } from './training-plot.js';
export type { TrainingPoint } from './training-plot.js';
export { visibleText } from './visible-text.js';
export { checkSteering, steeringFromJson, steeringJsonSchema, steeringToJson } from './steering-record.js';
export type {
  SteeredPromptRecord,
  SteeringGridRecord,
  SteeringMethodRecord,
  SteeringPathPoint,
  SteeringRecord,
  SteeringVerdictRecord,
} from './steering-record.js';
export type {
  SteeringAttentionRecord,
  SteeringHierarchyRecord,
  SteeringInfluenceRecord,
  SteeringInteractionsRecord,
  SteeringSplitRecord,
} from './steering-explanations.js';
export { steeringPage } from './steering-page.js';
export type { ParityRecord } from './parity-record.js';
export { paritySentences } from './parity-words.js';
export { summariseSteering } from './steering-summary.js';
export { checkFeatures, featuresFromJson, featuresJsonSchema, featuresToJson } from './features/features-record.js';
export type { FeaturesRecord } from './features/features-record.js';
export type { FeatureExample, FeatureRecord } from './features/feature-record.js';
export { LABELS_FORMAT, labelFiles } from './features/feature-labels.js';
export type { FeatureLabelRecord, LabelFile } from './features/feature-labels.js';
export { featuresPage } from './features/features-page.js';
export { summariseFeatures } from './features/features-summary.js';
export {
  checkFeatureGraph,
  featureGraphFromJson,
  featureGraphJsonSchema,
  featureGraphToJson,
} from './feature-graph/graph-record.js';
export type {
  FeatureEffectRow,
  FeatureGraphHeadScore,
  FeatureGraphNode,
  FeatureGraphRecord,
  FeatureGraphSplit,
} from './feature-graph/graph-record.js';
export { checkGraphExtras, graphExtras } from './feature-graph/graph-extras.js';
export type { GraphExtras } from './feature-graph/graph-extras.js';
export { featureGraphPage } from './feature-graph/graph-page.js';
export { proposeSupernodes } from './feature-graph/graph-proposals.js';
export { summariseFeatureGraph } from './feature-graph/graph-summary.js';
export {
  checkDictionaries,
  dictionariesFromJson,
  dictionariesJsonSchema,
  dictionariesToJson,
} from './dictionaries/dictionaries-record.js';
export type { DictionariesRecord, DictionaryPoint } from './dictionaries/dictionaries-record.js';
export { dictionariesPage } from './dictionaries/dictionaries-page.js';
export { summariseDictionaries } from './dictionaries/dictionaries-summary.js';
export {
  READING_FORMAT,
  checkDitReading,
  ditReadingFromJson,
  ditReadingJsonSchema,
  ditReadingToJson,
} from './dit/reading-record.js';
export type { DitReadingAnswer, DitReadingRecord } from './dit/reading-record.js';
export {
  AUDIT_FORMAT,
  checkDitAudit,
  ditAuditFromJson,
  ditAuditJsonSchema,
  ditAuditToJson,
} from './dit/audit-record.js';
export type { DitAuditRecord, DitAuditRoc, DitAuditRow, DitWatchRecord } from './dit/audit-record.js';
export type { DitAdapterRecord, DitDecision, DitTable, LikelyAnswers } from './dit/dit-parts.js';
export { ditReadingPage } from './dit/reading-page.js';
export { ditAuditPage } from './dit/audit-page.js';
export { summariseDitReading } from './dit/reading-summary.js';
export { summariseDitAudit } from './dit/audit-summary.js';
