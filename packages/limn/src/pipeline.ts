// The whole column as one function: a model and pairs in; scores, circuits, their faithfulness and what puts it in doubt out.
import {
  accuracy,
  kl,
  metricByName,
  minimality,
  type Ablation,
  type NodeScores,
  type Scores,
  type SmallestCircuit,
} from '@limn/attribution';
import { named, type CircuitRequest } from './circuit-request.js';
import type { Findings } from './circuit-record.js';
import { searchSmallest, withThreshold } from './chosen-size.js';
import { duplicateFlags } from './duplicate-pairs.js';
import { edgeCurves } from './edge-curves.js';
import { compareWithExact, tellExactWork } from './exact-comparison.js';
import { flagsOf, leftOutFlags, maskFlags, searchFlags, stabilityFlags, unitFlags } from './flags.js';
import { allTasksRanking, judge, judgementFlags } from './judgements.js';
import { learntMasks } from './learnt-masks.js';
import { measurable } from './measurable.js';
import type { MeasureOptions } from './measured-circuits.js';
import { METRIC_DESCRIPTIONS } from './methods.js';
import { prunedFrom } from './pruned-from.js';
import { ablationOf, nodeScoresOf, resamplesOf, scoresOf, withUsablePairs } from './scoring.js';
import { sharedPairs } from './shared-pairs.js';
import { circuitToShow, shownAt } from './shown-circuit.js';
import { stabilityOf } from './stability.js';
import { unitCurves } from './unit-curves.js';

/** Random circuits per size of the headline curve, where the caller does not say. */
export const DEFAULT_DRAWS = 3;
/** Of the bands on faithfulness, recorded with them. */
const BANDS = { confidence: 0.95, resamples: 1000, seed: 0 } as const;

/**
 * Scores every edge, and nodes where circuits are chosen by them, selects circuits at the sizes of the contract, measures each on the
 * evaluation pairs, and doubts the one that it shows.
 * @throws LimnError as the method, `evaluateCircuits`, `smallestInFamily` and `minimality`; `data/pairs-quarantined`; AbortedError
 */
export async function findCircuit(given: CircuitRequest): Promise<Findings> {
  const request = await withUsablePairs(given);
  const ablation = await ablationOf(request);
  try {
    return await findUnder(ablation, request);
  } finally {
    if (typeof ablation === 'object') ablation.dispose();
  }
}

async function findUnder(ablation: Ablation, request: CircuitRequest): Promise<Findings> {
  const { model, sets, method, unit = 'edge', draws = DEFAULT_DRAWS, signal, onProgress } = request;
  const metric = metricByName(request.metric);
  const controls = (phase: string, counted: string, total: number) => {
    onProgress?.({ phase, done: 0, total, unit: counted });
    return { metric, ablation, signal, onProgress: named(phase, onProgress) };
  };
  const measure = (phase: string): MeasureOptions => ({
    ...controls(phase, 'pairs', sets.evaluation.length),
    also: measurable([kl, accuracy], sets.evaluation).filter(({ name }) => name !== metric.name),
    // One pair drawn again is the same pair.
    bands: sets.evaluation.length > 1 ? BANDS : undefined,
  });
  const { resamples, missing } = resamplesOf(request);
  if (method.name === 'exact') tellExactWork(request);
  const scoring = controls(`scores by ${method.name}`, 'pairs', sets.discovery.length);
  const { scores, bad, history } = await scoresOf(request, { ...scoring, resamples });
  const nodeScores =
    unit === 'edge'
      ? undefined
      : await nodeScoresOf(request, bad, controls(`scores of ${unit}s`, 'pairs', sets.discovery.length));
  const search = await searchOf(request, ablation, scores, nodeScores);
  const masks = history && learntMasks(scores, history);
  const { curves, values, chosen } =
    nodeScores === undefined || unit === 'edge'
      ? await edgeCurves(model, sets, scores, {
          selector: method.selector,
          draws,
          sizes: [search?.found?.n, masks?.edges],
          rankings: await allTasksRanking(request, scores, ablation),
          measure,
        })
      : await unitCurves(
          model,
          { unit, scores: nodeScores, draws, extra: search?.found?.n },
          sets.evaluation,
          measure('faithfulness'),
        );
  const reported = request.threshold === undefined ? curves : withThreshold(curves, request.threshold);
  const shown = (search?.circuit && shownAt(curves, search.circuit)) ?? circuitToShow(curves);
  const units = nodeScores && unit !== 'edge' ? { unit, scores: nodeScores, chosen: chosen ?? new Map() } : undefined;
  const again =
    missing === undefined ? await stabilityOf(scores, shown.n, { selector: method.selector, signal }) : { missing };
  const knockOut =
    request.knockOut === true
      ? await minimality(model, shown.circuit, sets.evaluation, controls('knock-outs', 'pairs', sets.evaluation.length))
      : undefined;
  const judgements = await judge(request, shown.circuit, ablation);
  const exact = await compareWithExact(request, scores, {
    metric,
    ablation,
    signal,
    onProgress: named('scores by exact', onProgress),
  });
  const leftOut = [...(sets.leftOut ?? []), ...bad];
  return {
    title: sets.title,
    task: {
      name: sets.name,
      pairs: sets.evaluation.length,
      searchPairs: sets.discovery.length - bad.length,
      heldOut: sharedPairs(sets).pairs === 0,
      title: sets.title,
      description: sets.description,
    },
    metric: { name: metric.name, description: METRIC_DESCRIPTIONS[request.metric] },
    method,
    scores,
    curves: reported,
    shown,
    pruned: prunedFrom({ scores, selector: method.selector, shown, units }),
    ...(sets.evaluation.length > 1 ? { bands: BANDS } : {}),
    ...(again.stability === undefined ? {} : { stability: again.stability }),
    ...(units === undefined ? {} : { units }),
    ...(search === undefined ? {} : { search }),
    ...(masks === undefined ? {} : { masks }),
    ...(knockOut === undefined ? {} : { knockOut }),
    judgements,
    pairs: sets.evaluation,
    values,
    ...(exact === undefined ? {} : { exact }),
    flags: [
      ...flagsOf(reported, sets, metric.name, method, request.threshold),
      ...duplicateFlags(sets),
      ...stabilityFlags(again.missing),
      ...unitFlags(units, shown.n),
      ...maskFlags(masks),
      ...searchFlags(search),
      ...judgementFlags(judgements),
      ...leftOutFlags(leftOut),
    ],
    leftOut,
  };
}

/** The smallest circuit of the threshold that was asked for, among choices of edges or nodes. */
async function searchOf(
  { model, sets, method, threshold, signal, metric, onProgress }: CircuitRequest,
  ablation: Ablation,
  scores: Scores,
  nodes: NodeScores | undefined,
): Promise<SmallestCircuit | undefined> {
  if (threshold === undefined) return undefined;
  const searched =
    nodes === undefined
      ? ({ unit: 'edge', scores, selector: method.selector } as const)
      : ({ unit: 'node', scores: nodes } as const);
  return searchSmallest(model, searched, sets.evaluation, {
    threshold,
    metric: metricByName(metric),
    ablation,
    signal,
    onProgress: named('smallest circuit', onProgress),
  });
}
