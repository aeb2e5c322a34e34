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
