// Judgements of a circuit that cost more than measuring it, each made only where it is asked for, and what they come to in words.
import {
  allTasksScores,
  completeness,
  igConvergence,
  metricByName,
  tradeOff,
  type Ablation,
  type Circuit,
  type Completeness,
  type FaithfulnessCurves,
  type IgConvergence,
  type Scores,
} from '@limn/attribution';
import type { CircuitRecord } from '@limn/report';
import { named, type CircuitRequest } from './circuit-request.js';
import { scoresOf } from './scoring.js';
import { headlineCircuits } from './shown-circuit.js';

/** A ranking that circuits of equal size are held against. */
export interface NamedRanking {
  readonly name: string;
  readonly scores: Scores;
}

/** The name of the ranking of all tasks together. */
export const ALL_TASKS = 'all-tasks';

/**
 * One ranking for this task and the others, each scored by the same method on its own pairs; none where no other task was given.
 * @throws LimnError as the method, and `data/scores-zero`; AbortedError
 */
export async function allTasksRanking(
  request: CircuitRequest,
  own: Scores,
  ablation: Ablation,
): Promise<readonly NamedRanking[]> {
  const { otherTasks = [], sets, signal, onProgress } = request;
  if (otherTasks.length === 0) return [];
  const all = [own];
  for (const { name, metric, pairs } of otherTasks) {
    const { scores } = await scoresOf(
      { ...request, sets: { ...sets, discovery: pairs }, shards: undefined, checkpoints: undefined },
      { metric: metricByName(metric), ablation, signal, onProgress: named(`scores of ${name}`, onProgress) },
    );
    all.push(scores);
  }
  return [{ name: ALL_TASKS, scores: allTasksScores(all) }];
}

/** What was asked for beyond the curves. */
export interface Judgements {
  /** Scores with m points against those with 4m. */
  readonly convergence?: IgConvergence;
  /** Subsets knocked out of the circuit and of the model. */
  readonly completeness?: Completeness;
}

/**
 * Whether the points of the path are enough, and whether the circuit is all that there is.
 * @throws LimnError as `igConvergence` and `completeness`; AbortedError
 */
export async function judge(request: CircuitRequest, shown: Circuit, ablation: Ablation): Promise<Judgements> {
  const { model, sets, method, igConvergence: converge, completeness: complete, signal, onProgress } = request;
  const metric = metricByName(request.metric);
  const { name, igSteps: steps, igRule: rule } = method;
  const options = (phase: string) => ({ metric, ablation, signal, onProgress: named(phase, onProgress) });
  const convergence =
    converge === true && (name === 'eap-ig-inputs' || name === 'eap-ig-activations')
      ? await igConvergence(model, sets.discovery, { ...options('points of the path'), method: name, steps, rule })
      : undefined;
  const completed =
    complete === true
      ? await completeness(model, shown, sets.evaluation, { ...options('completeness'), seed: method.seed })
      : undefined;
  return {
    ...(convergence === undefined ? {} : { convergence }),
    ...(completed === undefined ? {} : { completeness: completed }),
  };
}

/** Below this rank correlation with four times as many points, scores have not settled. */
const SETTLED = 0.95;

/** In words, for the record and the page. */
export function judgementFlags({ convergence, completeness: complete }: Judgements): CircuitRecord['flags'] {
  const flags: { code: string; text: string }[] = [];
  if (convergence) {
    const { steps, referenceSteps, agreement, overlaps } = convergence;
    const rank = agreement.spearman;
    const { k, value } = agreement.topOverlap;
    const least = overlaps.reduce((a, b) => (b.value < a.value ? b : a), { n: k, value });
    const settled = rank !== null && rank >= SETTLED;
    flags.push({
      code: settled ? 'ig-settled' : 'ig-unsettled',
      text: `With ${referenceSteps} points on the path in place of ${steps}, the rank correlation of the scores is ${figure(rank)}, and of the top ${k} edges ${percent(value)} are the same (least at the top ${least.n}: ${percent(least.value)})${settled ? '' : ': more points change the ranking'}.`,
    });
  }
  if (complete) {
    const { meanGap, largestGap, range, subsets } = complete;
    flags.push({
      code: 'completeness',
      text: `Knocked out of the circuit and of the whole model alike, ${subsets.length} subsets of its edges leave metrics that differ by ${share(meanGap, range)} of the range from clean to corrupted on average over random ones, at most by ${share(largestGap, range)}: a complete circuit differs by nothing.`,
    });
  }
  return flags;
}

const figure = (x: number | null): string => (x === null ? 'undefined' : x.toFixed(3));
const percent = (x: number): string => `${Math.round(100 * x)} %`;
const share = (gap: number | null, range: number): string =>
  gap === null || !(Math.abs(range) > 0) ? 'an unknown part' : percent(gap / Math.abs(range));

/** What a circuit of the headline curve costs to read, and whether another is cheaper and as close. */
export interface ReadingFigures {
  readonly n: number;
  readonly edges: number;
  readonly nodes: number;
  readonly meanPathLength: number;
  readonly closeness: number | null;
  /** Not dominated in edges, nodes and path length together. */
  readonly onFront: boolean;
}

/** Every size of the headline curve: faithfulness against edges, nodes and mean path length. */
export function readingFigures(curves: FaithfulnessCurves): readonly ReadingFigures[] {
  const all = headlineCircuits(curves);
  const candidates = all.map(({ n, circuit, faithfulness }) => ({ label: String(n), circuit, faithfulness }));
  return tradeOff(candidates).map(({ edges, nodes, meanPathLength, closeness, onFront }, i) => ({
    n: all[i]?.n ?? 0,
    edges,
    nodes,
    meanPathLength,
    closeness,
    onFront,
  }));
}
