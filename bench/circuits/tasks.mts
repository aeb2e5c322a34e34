// The tasks of the study: pocket's six, and two pairs of tasks that share an algorithm by construction.
import { SIX_TASKS, type TaskId } from '@limn/tasks';

/** The same question about other numbers, and the same question with the names in the other order. */
export const SAME_ALGORITHM = [
  ['greater-than-price', 'greater-than-sequence'],
  ['ioi-abba', 'ioi-baba'],
] as const satisfies readonly (readonly [TaskId, TaskId])[];

export const STUDY_TASKS: readonly TaskId[] = [...SIX_TASKS, ...SAME_ALGORITHM.flat()];

/** What a task is a case of: the part of its name before a variant. Circuits of one family share their work by construction. */
export function familyOf(task: string): string {
  return SIX_TASKS.filter((name) => task === name || task.startsWith(`${name}-`)).at(-1) ?? task;
}
