// withTaskAdapters: a LoRA for every row of a batch, as hundreds of weight diffs are trained and read at once (arXiv 2510.05092).
import { LimnError, shownValue } from '@limn/gpu';
import { fromData, lowRankDown, lowRankUp, taskRows, type TaskRows, type Tensor } from '@limn/tensor';
import type { Extent, Intervention, InterventionContext } from './intervention.js';
import { makeIntervention } from './make-intervention.js';
import type { LinearSite } from './model.js';

/** Low-rank changes of one linear map, one for each of N tasks, factors as PEFT has them: y += s_n · (x A_nᵀ) B_nᵀ. */
export interface TaskLowRank {
  readonly linear: LinearSite;
  /** [N, r, in]; tasks of a lower rank are padded with zeros, here and in b. */
  readonly a: Tensor;
  /** [N, out, r] */
  readonly b: Tensor;
  /** alpha / r of each task. */
  readonly scales: ArrayLike<number>;
}

/** Which rows carry which adapter, and where besides. */
export interface TaskAdapterOptions extends Pick<Extent, 'positions' | 'phase'> {
  /** For every row of the caller's whole batch its task, from 0 to N − 1, or −1 for none. */
  readonly taskOfRow: ArrayLike<number>;
}

/** What the sites of one run share: the rows by task, scales by their values, and codes x Aᵀ by x and A. */
interface Shared {
  readonly rows: TaskRows | undefined;
  readonly scales: Map<string, Tensor>;
  readonly codes: Map<Tensor, Map<Tensor, Tensor>>;
}

/**
 * Adds to the rows of a batch the LoRA of their task: one intervention per output site of each map. Padding is left as it is and takes no part in gradients, so a
 * task's are summed over its own tokens alone, in their order. Outputs of one map (query, key, value) share x Aᵀ and read their columns of b in place.
 * @throws LimnError `hooks/wrong-shape`, `hooks/bad-option`; in the run `hooks/bad-rows` for a batch of more rows than have tasks
 */
export function withTaskAdapters(
  name: string,
  changes: readonly TaskLowRank[],
  { taskOfRow, ...extent }: TaskAdapterOptions,
): Intervention[] {
  const [first] = changes;
  if (!first) return [];
  const count = first.a.shape[0] as number;
  for (const change of changes) checkChange(name, change, count);
  const tasks = checkTasks(name, taskOfRow, count);
  // One list of positions belongs to one run.
  const runs = new WeakMap<Int32Array, Shared>();
  const sharedBy = (ctx: InterventionContext): Shared => {
    const known = runs.get(ctx.positions);
    if (known) return known;
    const shared = { rows: rowsOf(name, tasks, count, ctx), scales: new Map(), codes: new Map() };
    runs.set(ctx.positions, shared);
    return shared;
  };
  return changes.flatMap(({ linear, a, b, scales }) => {
    const values = Float32Array.from(scales);
    const share = linear.outWidth / linear.outputs.length;
    const options = { adapters: name, linear: linear.name, scales: [...values], taskOfRow: [...tasks] };
    return linear.outputs.map((at, part) =>
      makeIntervention(
        'task-adapters',
        at,
        extent,
        `adapters ${name} on`,
        { ...options, part },
        { a, b },
        (y, ctx) => {
          const { rows, scales: uploaded, codes } = sharedBy(ctx);
          if (!rows) return y;
          const x = ctx.at(linear.input);
          const ofX = made(codes, x, () => new Map<Tensor, Tensor>());
          const u = made(ofX, a, () => lowRankDown(ctx.step, x, a, rows));
          const factors = made(uploaded, values.join(), () => fromData(ctx.step, values, [count], { label: 'scales' }));
          return lowRankUp(ctx.step, u, b, rows, {
            base: y,
            scales: factors,
            columns: { start: part * share, count: share },
          });
        },
        [linear.input],
      ),
    );
  });
}

/** What a map holds under a key, made where it is not there yet. */
function made<Key, Value>(map: Map<Key, Value>, key: Key, make: () => Value): Value {
  const known = map.get(key);
  if (known !== undefined) return known;
  const value = make();
  map.set(key, value);
  return value;
}

/** The real tokens of this run by task; undefined where none has one. */
function rowsOf(name: string, tasks: Int32Array, count: number, ctx: InterventionContext): TaskRows | undefined {
  const { start, count: B } = ctx.rows;
  if (start + B > tasks.length)
    throw new LimnError(
      'hooks/bad-rows',
      `adapters ${name} know the task of ${tasks.length} rows, but the run holds rows ${start} to ${start + B - 1}`,
      {
        details: { name, known: tasks.length, rows: ctx.rows },
        hint: 'Give taskOfRow an entry for every row of the batch; −1 for rows without an adapter.',
      },
    );
  const T = ctx.positions.length / B;
  const of = Int32Array.from(ctx.positions, (position, i) =>
    position < 0 ? -1 : (tasks[start + Math.floor(i / T)] as number),
  );
  return of.some((task) => task >= 0) ? taskRows(ctx.step, of, count) : undefined;
}

function checkTasks(name: string, taskOfRow: ArrayLike<number>, count: number): Int32Array {
  const given = Array.from(taskOfRow);
  const row = given.findIndex((task) => !Number.isInteger(task) || task < -1 || task >= count);
  if (row < 0) return Int32Array.from(given);
  throw new LimnError(
    'hooks/bad-option',
    `adapters ${name}: taskOfRow[${row}] is ${shownValue(given[row])}, but there are ${count} tasks`,
    {
      details: { name, row, given: given[row], count },
      hint: `Give 0 to ${count - 1}, or −1 for a row without an adapter.`,
    },
  );
}

function checkChange(name: string, { linear, a, b, scales }: TaskLowRank, count: number): void {
  const rank = a.shape[1] ?? 0;
  const expect = (what: string, given: readonly number[], wanted: readonly number[]): void => {
    if (given.join() === wanted.join()) return;
    throw new LimnError(
      'hooks/wrong-shape',
      `adapters ${name} on ${linear.name}: ${what} is [${given.join(', ')}]; expected [${wanted.join(', ')}]`,
      {
        details: { name, linear: linear.name, given, expected: wanted },
        hint: 'Give a as [N, r, in] and b as [N, out, r], N the same for every map.',
      },
    );
  };
  expect('a', a.shape, [count, rank, linear.inWidth]);
  expect('b', b.shape, [count, linear.outWidth, rank]);
  expect('scales', [scales.length], [count]);
  const task = Array.from(scales).findIndex((scale) => !Number.isFinite(scale));
  if (task >= 0)
    throw new LimnError(
      'hooks/bad-option',
      `adapters ${name} on ${linear.name}: the scale of task ${task} is ${shownValue(scales[task])}`,
      {
        details: { name, linear: linear.name, task },
        hint: 'Give a finite number for every task.',
      },
    );
}
