// Circuit discovery: which edges of the model compute a behaviour, and does the circuit they form still show it?
export { Graph, HEAD_INPUTS, buildGraph, countEdges, nodeName, slotName } from './graph.js';
export type { GraphShape, HeadInput, Slot, SourceNode } from './graph.js';
export { RANKINGS, rankedEdges, rankingKey, scoreAt, scoresOf } from './scores.js';
export type { Ranking, Scores } from './scores.js';
export { Circuit } from './circuit.js';
export { prune, pruneReport } from './prune.js';
export type { PruneReport, PrunedNode } from './prune.js';
export {
  selectFraction,
  selectGreedies,
  selectGreedy,
  selectThreshold,
  selectTopN,
  selectTopNs,
  sizeOfFraction,
} from './select.js';
export type { SelectionOptions } from './select.js';
export { pruneNeurons, weightedEdgeCount } from './neuron-circuit.js';
export type { NeuronCircuit, RunnableCircuit } from './neuron-circuit.js';
export { selectTopNeurons, selectTopNodes } from './select-nodes.js';
export type { UnitScores } from './select-nodes.js';
export { SELECTORS, selectBy } from './select-by.js';
export type { Selector } from './select-by.js';
export { smallestCircuit, smallestInFamily } from './smallest-circuit.js';
export type {
  CircuitFamily,
  EvaluatedSize,
  SmallestCircuit,
  SmallestCircuitOptions,
  SmallestSearchOptions,
} from './smallest-circuit.js';
export { minimality } from './minimality.js';
export type { Drop, Minimality, MinimalityOptions } from './minimality.js';
export { completeness } from './completeness.js';
export type { Completeness, CompletenessOptions, KnockedOut } from './completeness.js';
export type { KnockOutUnit } from './knock-out.js';
export { pathStatistics } from './circuit-paths.js';
export type { PathStatistics } from './circuit-paths.js';
export { randomCircuitLike } from './random-circuit.js';
export type { RandomCircuit } from './random-circuit.js';
export { deltaRanking } from './delta-ranking.js';
export type { DeltaRankingOptions } from './delta-ranking.js';
export { allTasksScores } from './all-tasks.js';
export { bootstrapFaithfulness, resampleCounts } from './bootstrap.js';
export type { Band, BootstrapOptions, FaithfulnessBandOptions } from './bootstrap.js';
export { distinctPairs } from './distinct-examples.js';
export type { ResampledScores, Resamples } from './resampled-scores.js';
export { selectionStability } from './selection-stability.js';
export type { SelectionStability, StabilityOptions } from './selection-stability.js';
export { igConvergence } from './ig-convergence.js';
export type { IgConvergence, IgConvergenceOptions } from './ig-convergence.js';
export { READING_COSTS, paretoFront, tradeOff } from './trade-off.js';
export type { ReadingCost, TradeOffCandidate, TradeOffPoint } from './trade-off.js';
export { circuitsOfSize, compareAll, compareCircuits } from './compare-circuits.js';
export type { CircuitComparison, CircuitComparisons, Overlap } from './compare-circuits.js';
export { hypergeometricTail } from './hypergeometric.js';
export type { HypergeometricDraw, TailProbability } from './hypergeometric.js';
export { crossFaithfulness, overlapAgainstFaithfulness } from './cross-faithfulness.js';
export type {
  CrossFaithfulness,
  CrossFaithfulnessOptions,
  OverlapAgainstFaithfulness,
  OverlapCorrelation,
  TaskPairs,
  TransferPoint,
} from './cross-faithfulness.js';
export { accuracy } from './accuracy.js';
export type { ValueMetric } from './accuracy.js';
export type { BaselineCurve, BaselineOptions, BaselinePoint } from './curve-baselines.js';
export { graphToDot, renderSvg } from './graph-dot.js';
export type { DotOptions, GraphvizRenderer } from './graph-dot.js';
export { graphToJson, parseGraphJson } from './graph-json.js';
export type { GraphJson, GraphJsonNode, ParsedGraph, ParseGraphOptions } from './graph-json.js';
export { SCORE_SIGNS, type GraphProvenance, type ScoreSign } from './graph-sign.js';
export {
  MIB_PROPORTIONS,
  cmdArea,
  cprArea,
  headlineSizes,
  logAxisArea,
  mibSizes,
  normalisedFaithfulness,
  smallestSize,
} from './faithfulness.js';
export type { CurveSize, CurveValue, Faithfulness } from './faithfulness.js';
export { agreement, gradientRatio, topOverlap } from './agreement.js';
export type { Agreement, TopOverlap } from './agreement.js';
export { kendallTauB, meanRanks, pearson } from '@limn/hooks';
export { checkPairs, parsePairs } from './pairs.js';
export type { Pair, PairLimits, PairTokenizer, ParsePairsOptions, ParsedPairs } from './pairs.js';
export type { RefusedRow } from './pair-refusals.js';
export { formatOf } from './pair-rows.js';
export type { PairsFormat } from './pair-rows.js';
export { pairsToCsv, pairsToJsonLines } from './write-pairs.js';
export { align, describeMismatch } from './pair-alignment.js';
export { checkAlignment } from './check-alignment.js';
export type {
  AlignmentNote,
  AlignmentNoteCode,
  AlignmentReport,
  CheckAlignmentOptions,
  RowFault,
} from './check-alignment.js';
export { previewPairs } from './preview.js';
export type { PairsPreview, PreviewOptions, PreviewedMetric, SideSummary } from './preview.js';
export { previewTable } from './preview-table.js';
export type { TokenLength } from './token-lengths.js';
export { METRICS, kl, logitDiff, metricByName, probDiff } from './metrics.js';
export type { Metric } from './metrics.js';
export { normalisedMetric } from './normalised-metric.js';
export type { NormalisedMetricOptions } from './normalised-metric.js';
export { IG_RULES, igPath } from './path.js';
export type { IgRule, PathPoint } from './path.js';
export { eap } from './eap.js';
export { eapIgChange } from './eap-ig-change.js';
export type { ChangeExample, EapIgChangeOptions } from './eap-ig-change.js';
export { eapIgInputs } from './eap-ig-inputs.js';
export type { EapIgOptions, PathOptions } from './eap-ig-inputs.js';
export { eapIgActivations } from './eap-ig-activations.js';
export type { EapIgActivationsOptions } from './eap-ig-activations.js';
export { informationFlow } from './information-flow.js';
export type { InformationFlowOptions } from './information-flow.js';
export { learnedMasks } from './learned-masks.js';
export type { LearnedMaskOptions, LearnedMasks } from './learned-masks.js';
export type { MaskCheckpoints } from './mask-checkpoint.js';
export { scoreNodes } from './score-nodes.js';
export type { NodeScores, NodeScoringOptions } from './score-nodes.js';
export { contractGradients } from './gradient-methods.js';
export type { GradientMethodOptions, NodeMethodName } from './gradient-methods.js';
export { cleanCorrupted } from './clean-corrupted.js';
export { exactEdges, exactSweep } from './exact.js';
export type { ExactOptions, ExactSweepOptions } from './exact.js';
export { exactCost } from './exact-cost.js';
export type { ExactCost } from './exact-cost.js';
export type { EdgeSubset } from './edge-subset.js';
export { sampleEdges } from './sample-edges.js';
export type { SampleOptions } from './sample-edges.js';
export { scoreByGradients } from './gradient-scores.js';
export type { EdgeScoringOptions } from './gradient-scores.js';
export type { Chunk, Contraction, GradientMethod, GradientPart, RecordedPart, ScoringOptions } from './score-loop.js';
export { slotCapturesAt, slotGradientAt } from './slot-gradients.js';
export { siteGradients } from './gradient-run.js';
export type { GradientRun, RunStart } from './gradient-run.js';
export { OutputWeights, nodeDeltas, nodeOutputs } from './node-outputs.js';
export type { SourceBlock, SourceRange, Sublayer } from './node-outputs.js';
export { evaluateCircuits } from './evaluate.js';
export type { Evaluation, EvaluationOptions } from './evaluate.js';
export type { MetricValues } from './evaluation-base.js';
export { ABLATIONS, ablationName } from './ablation.js';
export type { Ablation, AblationName } from './ablation.js';
export { MeanOutputs, meanOutputs } from './mean-outputs.js';
export type { MeanOptions } from './mean-outputs.js';
export { recordNodeOutputs, restrictToCircuit } from './restrict-to-circuit.js';
export { curveFlags } from './curve-flags.js';
export type { CurveFlag, FlaggedCurves } from './curve-flags.js';
export { faithfulnessCurves } from './faithfulness-curves.js';
export type { CurveOptions, CurvePoint, FaithfulnessCurve, FaithfulnessCurves } from './faithfulness-curves.js';
export { scoreInShards } from './score-shards.js';
export type { ShardedScores, ShardedScoringOptions } from './score-shards.js';
export type { QuarantinedPair } from './score-shard.js';
export { METHOD_TABLE, METHODS, onlyOptionsOf } from './method-table.js';
export type { MethodName, MethodOption, MethodTraits } from './method-table.js';
export { scoreEdges } from './score-edges.js';
export type { ScoreEdgesOptions } from './score-edges.js';
