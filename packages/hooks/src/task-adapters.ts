// withTaskAdapters: a LoRA for every row of a batch, as hundreds of weight diffs are trained and read at once (arXiv 2510.05092).
import { LimnError, shownValue, type Step } from '@limn/gpu';
import {
  add,
  expand,
  fromData,
  lowRankDown,
  lowRankUp,
  mul,
  reshape,
  sum,
  taskRows,
  type TaskRows,
  type Tensor,
} from '@limn/tensor';
import { isSlot, ownColumns, resultSite } from './adapter-by-head.js';
import type { Extent, Intervention, InterventionContext } from './intervention.js';
import { makeIntervention, type ByHead } from './make-intervention.js';
import type { LinearSite } from './model.js';
import type { HookName } from './names.js';

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

/** What the sites of one run share: the rows by task, those of every token's heads, scales by their values, and codes x Aᵀ by x and A. */
interface Shared {
  readonly rows: TaskRows | undefined;
  readonly rowsOfHeads: (heads: number) => TaskRows | undefined;
  readonly ofHeads: Map<string, { readonly rows: TaskRows; readonly own: Tensor }>;
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
    const rows = (heads?: number): TaskRows | undefined => rowsOf(name, tasks, count, ctx, heads);
    const shared: Shared = { rows: rows(), rowsOfHeads: rows, ofHeads: new Map(), scales: new Map(), codes: new Map() };
    runs.set(ctx.positions, shared);
    return shared;
  };
  return changes.flatMap((change) => {
    const { linear, a, b } = change;
    const scales = Float32Array.from(change.scales);
    const share = linear.outWidth / linear.outputs.length;
    return linear.outputs.map((at, part) => {
      const edit = (site: HookName, term: Term, byHead?: ByHead): Intervention =>
        makeIntervention(
          'task-adapters',
          site,
          extent,
          `adapters ${name} on`,
          { adapters: name, linear: linear.name, scales: [...scales], taskOfRow: [...tasks], part },
          { a, b },
          (y, ctx) => {
            const shared = sharedBy(ctx);
            if (!shared.rows) return y;
            const factors = made(shared.scales, scales.join(), () =>
              fromData(ctx.step, scales, [count], { label: 'scales' }),
            );
            const columns = { start: part * share, count: share };
            return term(y, ctx.at(linear.input), { step: ctx.step, a, b, columns, shared, scales: factors });
          },
          [linear.input],
          byHead,
        );
      if (resultSite(linear))
        return edit(at, joinedTerm, { byHead: edit(resultSite(linear) as HookName, resultsTerm) });
      return isSlot(at) ? edit(at, slotTerm, { readsSlot: true }) : edit(at, joinedTerm);
    });
  });
}

/** One map's factors, the columns of its output at a site, and what its run shares. */
interface Applied {
  readonly step: Step;
  readonly a: Tensor;
  readonly b: Tensor;
  readonly columns: { readonly start: number; readonly count: number };
  readonly shared: Shared;
  /** [N] */
  readonly scales: Tensor;
}

/** y and what the rows' adapters make of x. */
type Term = (y: Tensor, x: Tensor, applied: Applied) => Tensor;

/** x of all heads together: [B, T, …] by tokens. */
const joinedTerm: Term = (base, x, { step, a, b, columns, shared, scales }) => {
  const rows = shared.rows as TaskRows;
  return lowRankUp(step, codesOf(step, shared, x, a, rows), b, rows, { base, scales, columns });
};

/** y [B, T, H, K] of x [B, T, H, C], if the slot has inputs of its own: of what each head's input gives, its own columns. */
const slotTerm: Term = (y, x, applied) => {
  if (x.shape.length < y.shape.length) return joinedTerm(y, x, applied);
  const { step, a, b, columns, shared, scales } = applied;
  const [B, T, H] = y.shape as [number, number, number];
  const { rows, own } = headsOf(step, shared, H, columns.count);
  const all = lowRankUp(step, codesOf(step, shared, x, a, rows), b, rows, { scales, columns });
  const kept = mul(step, reshape(all, [B, T, H, columns.count]), own);
  return add(step, y, reshape(sum(step, kept, { axes: 2 }), y.shape));
};

/** Heads' results y [B, T, H, C] of z [B, T, H, K]: a head's part of x is x with the columns of the others 0. */
const resultsTerm: Term = (base, z, { step, a, b, shared, scales }) => {
  const [B, T, H, K] = z.shape as [number, number, number, number];
  const { rows, own } = headsOf(step, shared, H, H * K);
  const x = mul(step, expand(step, reshape(z, [B, T, 1, H * K]), [B, T, H, H * K]), own);
  return lowRankUp(step, lowRankDown(step, x, a, rows), b, rows, { base, scales });
};

/** x Aᵀ, once for all that read x. */
function codesOf(step: Step, { codes }: Shared, x: Tensor, a: Tensor, rows: TaskRows): Tensor {
  const ofX = made(codes, x, () => new Map<Tensor, Tensor>());
  return made(ofX, a, () => lowRankDown(step, x, a, rows));
}

/** Every token's heads as rows of their task, and which of `width` columns are each head's own. */
function headsOf(step: Step, shared: Shared, heads: number, width: number): { rows: TaskRows; own: Tensor } {
  return made(shared.ofHeads, `${heads} of ${width}`, () => ({
    rows: shared.rowsOfHeads(heads) as TaskRows,
    own: ownColumns(step, heads, width),
  }));
}

/** What a map holds under a key, made where it is not there yet. */
function made<Key, Value>(map: Map<Key, Value>, key: Key, make: () => Value): Value {
  const known = map.get(key);
  if (known !== undefined) return known;
  const value = make();
  map.set(key, value);
  return value;
}

/** The real tokens of this run by task, each as many times as it has heads that are told apart; undefined where none has one. */
function rowsOf(
  name: string,
  tasks: Int32Array,
  count: number,
  ctx: InterventionContext,
  heads = 1,
): TaskRows | undefined {
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
  const of = Int32Array.from({ length: ctx.positions.length * heads }, (_, i) =>
    (ctx.positions[Math.floor(i / heads)] as number) < 0 ? -1 : (tasks[start + Math.floor(i / (heads * T))] as number),
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
