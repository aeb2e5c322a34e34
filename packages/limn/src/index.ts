// limn as a library: the composed pipeline that the command line, the examples and the benches are made of.
export { findCircuit } from './pipeline.js';
export {
  UNITS,
  type CircuitRequest,
  type OtherTask,
  type PipelineControls,
  type ShardPlan,
  type Unit,
} from './circuit-request.js';
export { FAITHFUL, circuitToShow, headlineCircuits, headlineCurve, type ShownCircuit } from './shown-circuit.js';
export { circuitRecord, type Findings, type UnitFindings } from './circuit-record.js';
export type { ChosenUnits } from './unit-curves.js';
export type { Judgements } from './judgements.js';
export type { ExactComparison } from './exact-comparison.js';
export type { KnownStability } from './stability.js';
export type { LearntMasks } from './learnt-masks.js';
export { describeFinding, graphFile } from './circuit-output.js';
export {
  CIRCUIT_METHODS,
  IG_VARIANTS,
  chooseMethod,
  type CircuitMethod,
  type IgVariant,
  type MaskSettings,
  type MethodChoice,
  type MethodSettings,
} from './methods.js';
export { openEdge, type EdgeSide, type OpenEdgeOptions, type OpenedEdge } from './opened-edge.js';
export { openSet, type OpenSet } from './dictionary-set.js';
export { openPack } from './diff-folder.js';
export { gateHolds, GATE_BOUNDS } from './gated-diffs.js';
export { savePack } from './diff-pack-folder.js';
export { openDitAdapter, type OpenDitAdapter } from './dit-adapter-folder.js';
export { truthOf, type DiffAbout } from './chat-truth.js';
export { explainersOf, transcodersOf } from './set-transcoders.js';
export {
  causalCheck,
  FROZEN_TOLERANCE,
  strongestFeatures,
  type CausalCheck,
  type CheckedEffects,
} from './causal-check.js';
export { IG_RULES, type IgRule } from '@limn/attribution';
export { POCKET, POCKET_CHAT, openModel, type OpenModel, type OpenModelControls } from './model-source.js';
export { TASK_NAMES, drawTaskPairs, taskSets, type DrawnPairs, type TaskModel } from './task-source.js';
export { filePairs, taskPairs, type FileRequest, type PairSets, type TaskRequest } from './pairs-source.js';
export type { LeftOutOf, LeftOutPair } from './left-out.js';
export { provenanceOf, type ProvenanceRequest } from './provenance.js';
export { corpusJob, pocketChatJob, pocketJob, type CorpusRequest, type TrainingJob } from './training-jobs.js';
export { diagnose, type Diagnosis, type SelfTest } from './commands/doctor.js';
export { EXIT, exitCodeOf, type ExitCode } from './exit-code.js';
export type { ProgressEvent, TextStream } from './console.js';
export { showProgress, type CountedProgress } from './show-progress.js';
export { version } from './version.js';
