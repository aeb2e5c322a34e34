// Circuit discovery: which edges of the model compute a behaviour, and does the circuit they form still show it?
export { Graph, HEAD_INPUTS, buildGraph, countEdges, nodeName, slotName } from './graph.js';
export type { GraphShape, HeadInput, Slot, SourceNode } from './graph.js';
export { rankedEdges, rankingKey, scoreAt, scoresOf } from './scores.js';
export type { Ranking, Scores } from './scores.js';
export { Circuit } from './circuit.js';
export { prune } from './prune.js';
export { selectGreedy, selectThreshold, selectTopN, selectTopNs } from './select.js';
export type { SelectionOptions } from './select.js';
export { graphToJson, parseGraphJson } from './graph-json.js';
export type { GraphJson, GraphProvenance, ParsedGraph } from './graph-json.js';
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
export type { CurvePoint, CurveSize, Faithfulness } from './faithfulness.js';
export { agreement, kendallTauB, meanRanks, pearson, topOverlap } from './agreement.js';
export type { Agreement } from './agreement.js';
export { checkPairs, parsePairs } from './pairs.js';
export type { Pair, PairLimits, PairTokenizer, ParsePairsOptions, ParsedPairs } from './pairs.js';
export { align, describeMismatch } from './pair-alignment.js';
