// One ranking for many tasks: the mean over tasks of their scores, each divided by its own Σ |score|. What a task's own circuit must beat to be its own.
import { LimnError } from '@limn/gpu';
import { scoresOf } from './scores.js';
import type { Scores } from './scores.js';

/**
 * Scores whose top n edges are the all-tasks circuit. Every task weighs the same, however large its metric. An edge that some
 * task has no score for has none here.
 * @throws LimnError `usage/no-tasks`, `data/graph-mismatch`, `data/scores-zero` (a task whose scores are all 0)
 */
export function allTasksScores(tasks: readonly Scores[]): Scores {
  const [first] = tasks;
  if (first === undefined) throw new LimnError('usage/no-tasks', 'An all-tasks circuit needs the scores of a task.');
  const { graph } = first;
  const normalised = tasks.map(({ graph: own, values }, i) => {
    if (!own.equals(graph))
      throw new LimnError('data/graph-mismatch', `Scores ${i + 1} belong to a model of another shape than the first.`);
    const total = values.reduce((sum, x) => (Number.isNaN(x) ? sum : sum + Math.abs(x)), 0);
    if (!(total > 0 && Number.isFinite(total)))
      throw new LimnError(
        'data/scores-zero',
        `The absolute scores of task ${i + 1} sum to ${total}: nothing to weigh.`,
        {
          details: { task: i, total },
          hint: 'Leave this task out. Plain EAP under the metric kl is 0 everywhere.',
        },
      );
    return { values, total };
  });
  return scoresOf(graph, (u, v) => {
    const i = graph.dense(u, v);
    return normalised.reduce((sum, { values, total }) => sum + (values[i] ?? Number.NaN) / total, 0) / tasks.length;
  });
}
