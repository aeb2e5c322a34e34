// Faithfulness of every task's circuit on every task's pairs, and whether overlap predicts it. arXiv 2403.17806 §5.
import { meanRanks, pearson, type HookedModel, type RunControls } from '@limn/hooks';
import type { Ablation } from './ablation.js';
import type { Circuit } from './circuit.js';
import type { CircuitComparison } from './compare-circuits.js';
import { evaluateCircuits } from './evaluate.js';
import { normalisedFaithfulness } from './faithfulness.js';
import type { Faithfulness } from './faithfulness.js';
import type { Metric } from './metrics.js';
import type { Pair } from './pairs.js';

/** The pairs of a task, and what it is measured by. */
export interface TaskPairs {
  readonly pairs: readonly Pair[];
  readonly metric: Metric;
}

/** How circuits are run. */
export interface CrossFaithfulnessOptions extends RunControls {
  /** Default 'patch'. */
  readonly ablation?: Ablation | undefined;
}

/** f of circuits on pairs that they were and were not found on. */
export interface CrossFaithfulness {
  readonly tasks: readonly string[];
  readonly circuits: readonly string[];
  /** By task, then circuit; the diagonal is each circuit on its own task where the names agree. */
  readonly faithfulness: readonly (readonly Faithfulness[])[];
  /** Mean metric of the same. */
  readonly values: readonly (readonly number[])[];
  /** By task. */
  readonly baselines: readonly { readonly clean: number; readonly empty: number }[];
}

/** One circuit on another task: how much the two tasks' circuits share, and how far the one does the other's work. */
export interface TransferPoint {
  readonly task: string;
  readonly circuit: string;
  readonly faithfulness: number;
  readonly edgeIou: number | null;
  readonly nodeIou: number | null;
  /** Share of the task's own circuit that the other one has: |A ∩ B| / |A|, A the task's. */
  readonly edgeRecall: number | null;
  readonly nodeRecall: number | null;
}

/** A correlation over the points that have both values; null for fewer than two or a constant side. */
export interface OverlapCorrelation {
  readonly points: number;
  readonly pearson: number | null;
  readonly spearman: number | null;
}

/** Whether overlap predicts how well one task's circuit serves another. */
export interface OverlapAgainstFaithfulness {
  readonly points: readonly TransferPoint[];
  readonly correlation: Readonly<Record<'edgeIou' | 'nodeIou' | 'edgeRecall' | 'nodeRecall', OverlapCorrelation>>;
}

/**
 * Runs every circuit on the pairs of every task, each in one batched evaluation, with the task's own baselines.
 * @throws LimnError as `evaluateCircuits`; AbortedError
 */
export async function crossFaithfulness(
  model: HookedModel,
  circuits: Readonly<Record<string, Circuit>>,
  tasks: Readonly<Record<string, TaskPairs>>,
  options: CrossFaithfulnessOptions = {},
): Promise<CrossFaithfulness> {
  const { onProgress } = options;
  const all = Object.values(circuits);
  const sets = Object.values(tasks);
  const total = sets.reduce((sum, { pairs }) => sum + pairs.length * all.length, 0);
  const rows: Pick<CrossFaithfulness, 'faithfulness' | 'values' | 'baselines'>[] = [];
  let before = 0;
  for (const { pairs, metric } of sets) {
    const start = before;
    const evaluation = await evaluateCircuits(model, all, pairs, {
      ...options,
      metrics: [metric],
      ...(onProgress && { onProgress: ({ unit, done }) => onProgress({ unit, done: start + done, total }) }),
    });
    before += pairs.length * all.length;
    const mean = ({ mean }: { readonly mean: Readonly<Record<string, number>> }): number =>
      mean[metric.name] ?? Number.NaN;
    const ends = { clean: mean(evaluation.clean), empty: mean(evaluation.empty) };
    const values = evaluation.circuits.map(mean);
    rows.push({
      baselines: [ends],
      values: [values],
      faithfulness: [values.map((value) => normalisedFaithfulness(value, ends.clean, ends.empty))],
    });
  }
  return {
    tasks: Object.keys(tasks),
    circuits: Object.keys(circuits),
    faithfulness: rows.flatMap(({ faithfulness }) => faithfulness),
    values: rows.flatMap(({ values }) => values),
    baselines: rows.flatMap(({ baselines }) => baselines),
  };
}

/**
 * Sets overlap against cross-task faithfulness, for every task and every other circuit that has both: names in `comparisons`
 * are those of tasks and of their circuits. Points share circuits, so no p-value goes with the correlations.
 */
export function overlapAgainstFaithfulness(
  comparisons: readonly CircuitComparison[],
  cross: CrossFaithfulness,
): OverlapAgainstFaithfulness {
  const points = cross.tasks.flatMap((task, t) =>
    cross.circuits.flatMap((circuit, c): TransferPoint[] => {
      const faithfulness = cross.faithfulness[t]?.[c]?.value ?? null;
      const found = comparisons.find(
        ({ first, second }) => (first === task && second === circuit) || (first === circuit && second === task),
      );
      if (task === circuit || faithfulness === null || found === undefined) return [];
      const recall = found.first === task ? 'recallOfFirst' : 'recallOfSecond';
      const { edges, nodes } = found;
      return [
        {
          task,
          circuit,
          faithfulness,
          edgeIou: edges.iou,
          nodeIou: nodes.iou,
          edgeRecall: edges[recall],
          nodeRecall: nodes[recall],
        },
      ];
    }),
  );
  const correlate = (key: keyof OverlapAgainstFaithfulness['correlation']): OverlapCorrelation => {
    const both = points.flatMap((point) => {
      const x = point[key];
      return x === null ? [] : [{ x, y: point.faithfulness }];
    });
    const xs = both.map(({ x }) => x);
    const ys = both.map(({ y }) => y);
    return { points: both.length, pearson: pearson(xs, ys), spearman: pearson(meanRanks(xs), meanRanks(ys)) };
  };
  return {
    points,
    correlation: {
      edgeIou: correlate('edgeIou'),
      nodeIou: correlate('nodeIou'),
      edgeRecall: correlate('edgeRecall'),
      nodeRecall: correlate('nodeRecall'),
    },
  };
}
