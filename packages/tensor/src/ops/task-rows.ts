// Which task every row of a batch belongs to, as the kernels of low-rank terms take it: rows by task, in tiles of four and in runs that are summed.
import { type Step } from '@limn/gpu';
import { shapeError } from '../shape.js';
import { fromData, type Tensor } from '../tensor.js';

/** Rows that share what is read of a task's factors. */
const TILE = 4;

/** Rows of a task that are summed in one go; a task of more is summed in runs of so many, and those in their order. */
export const TASK_RUN = 256;

/** Rows of a batch by task, on the device. Made by `taskRows` for one step. */
export interface TaskRows {
  /** Tasks. */
  readonly count: number;
  /** Rows of the batch, those without a task among them. */
  readonly rows: number;
  /** u32 [R]: the rows of task 0, of task 1, …, then those without a task, each in rising order. */
  readonly order: Tensor;
  /** u32 [tiles, 4]: task, first place in `order`, rows; without rows behind the last. */
  readonly tiles: Tensor;
  /** u32 [N, 4]: task, first place in `order`, rows. */
  readonly tasks: Tensor;
  /** The same of every run of at most TASK_RUN rows, and u32 [N + 1], where each task's runs begin; absent where every task is one run. */
  readonly runs: { readonly list: Tensor; readonly starts: Tensor } | undefined;
}

/** The task of every row, −1 for a row of none (padding); or, for rows sorted by task, where the rows of each begin: [N + 1]. */
export type RowTasks = Int32Array | { readonly offsets: Uint32Array; readonly rows: number };

/**
 * Sorts the rows of a batch by task on the host and uploads the lists. A task may have no row. Lists are as long for any tasks of the same
 * number of rows, so that steps which differ only in them share a plan.
 * @throws LimnError `tensor/shape` for offsets that fall or lie outside, and for tasks that there are not
 */
export function taskRows(step: Step, tasks: RowTasks, count: number): TaskRows {
  const given = tasks instanceof Int32Array ? tasks : tasksOf(tasks, count);
  const outside = given.find((task) => task < -1 || task >= count);
  if (given.length === 0 || outside !== undefined)
    throw shapeError(
      'taskRows',
      outside === undefined ? 'there are no rows' : `there is no task ${outside} among ${count}`,
      `Give every row a task from 0 to ${count - 1}, or −1 for none, and one row at least.`,
      { rows: given.length, task: outside, count },
    );
  // Rows without a task count as task N.
  const starts = new Uint32Array(count + 2);
  const taskOf = (row: number): number => ((given[row] as number) < 0 ? count : (given[row] as number));
  const startOf = (task: number): number => starts[task] as number;
  for (let row = 0; row < given.length; row++) starts[taskOf(row) + 1] = startOf(taskOf(row) + 1) + 1;
  for (let task = 0; task <= count; task++) starts[task + 1] = startOf(task) + startOf(task + 1);
  const next = starts.slice();
  const order = new Uint32Array(given.length);
  for (let row = 0; row < given.length; row++) {
    const place = next[taskOf(row)] as number;
    order[place] = row;
    next[taskOf(row)] = place + 1;
  }
  const rowsOf = (task: number): number => startOf(task + 1) - startOf(task);
  const cut = (tasksToCut: number, length: number, room: number): { list: Uint32Array; starts: Uint32Array } => {
    const list = new Uint32Array(4 * room);
    const begins = new Uint32Array(tasksToCut + 1);
    let at = 0;
    for (let task = 0; task < tasksToCut; task++) {
      for (let row = 0; row < rowsOf(task); row += length, at++)
        list.set([task, startOf(task) + row, Math.min(length, rowsOf(task) - row)], 4 * at);
      begins[task + 1] = at;
    }
    return { list, starts: begins };
  };
  const rows = given.length;
  const upload = (list: Uint32Array, label: string): Tensor =>
    fromData(step, list, [list.length / 4, 4], { label: `${label} of tasks` });
  // Σ ⌈rows / length⌉ ≤ ⌊R / length⌋ + the number of tasks.
  const tiles = cut(count + 1, TILE, Math.floor(rows / TILE) + count + 1).list;
  const whole = Uint32Array.from({ length: 4 * count }, (_, i) => {
    const task = Math.floor(i / 4);
    return [task, startOf(task), rowsOf(task), 0][i % 4] as number;
  });
  const long = Array.from({ length: count }, (_, task) => task).some((task) => rowsOf(task) > TASK_RUN);
  const runs = long ? cut(count, TASK_RUN, Math.floor(rows / TASK_RUN) + count) : undefined;
  return {
    count,
    rows,
    order: fromData(step, order, [rows], { label: 'rows by task' }),
    tiles: upload(tiles, 'tiles'),
    tasks: upload(whole, 'rows'),
    runs: runs && {
      list: upload(runs.list, 'runs'),
      starts: fromData(step, runs.starts, [count + 1], { label: 'first runs of tasks' }),
    },
  };
}

/** Offsets as a task per row. */
function tasksOf({ offsets, rows }: Exclude<RowTasks, Int32Array>, count: number): Int32Array {
  const last = offsets[count];
  const sorted = offsets.every((offset, i) => i === 0 || offset >= (offsets[i - 1] as number));
  if (offsets.length !== count + 1 || last === undefined || last > rows || !sorted)
    throw shapeError(
      'taskRows',
      `${offsets.length} offsets up to ${last} do not cut ${rows} rows into ${count} tasks`,
      `Give ${count + 1} offsets that do not fall, the last at most ${rows}.`,
      { offsets: offsets.length, last, rows, count },
    );
  const tasks = new Int32Array(rows).fill(-1);
  for (let task = 0; task < count; task++) tasks.fill(task, offsets[task], offsets[task + 1]);
  return tasks;
}
