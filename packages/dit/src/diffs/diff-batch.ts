// The rows of a group's diffs as one batch of fixed shape: task-major, padded, with the places of answers and what each counts.
import { LimnError } from '@limn/gpu';
import type { HookedModel, TokenBatch } from '@limn/hooks';
import { IGNORED_TARGET } from '@limn/tensor';
import type { DiffRow, DiffShape } from './diff-spec.js';

/** A row with its answer in it, and the positions at which that answer is predicted. */
export interface AnsweredRow extends Pick<DiffRow, 'tokens' | 'loss' | 'weight'> {
  /** Positions t, in rising order: the token at t + 1 belongs to the answer. */
  readonly predictedAt: readonly number[];
}

/** Places of one kind of loss: `room` for every task. */
export interface LossPlaces {
  readonly room: number;
  /** Flat rows b·T + t, [N · room]; behind a task's own come others of it, which count 0. */
  readonly rows: Uint32Array;
  /** λ_r / (|answer of r| · Σ λ) at each, so that a task's sum is the weighted mean of its rows' means. */
  readonly weights: Float32Array;
  /** The next token at each; one out of the vocabulary where there is none. */
  readonly targets: Uint32Array;
  /** Which row of the batch fills which places: taught rows take their teacher's log-probabilities from `first` on. */
  readonly of: readonly { readonly row: AnsweredRow; readonly first: number }[];
}

/** A round of a whole group. */
export interface DiffBatch {
  readonly tokens: TokenBatch;
  /** [N · rows], −1 for rows that are not used. */
  readonly taskOfRow: Int32Array;
  readonly answers: LossPlaces;
  readonly taught: LossPlaces;
}

/**
 * A row as it is trained on: checked, with `answer` behind the tokens of one of the diff's own.
 * @throws LimnError `data/diff-sample`, naming diff, round and row
 */
export function answeredRow(
  row: DiffRow,
  where: { readonly id: string; readonly round: number; readonly row: number },
  { positions }: DiffShape,
  info: HookedModel['info'],
  answer?: readonly number[],
): AnsweredRow {
  const tokens = answer ? [...row.tokens, ...answer] : row.tokens;
  const spans = answer ? [[row.tokens.length, tokens.length] as const] : row.answers;
  const expect = (sound: boolean, what: string, allowed: string): void => {
    if (!sound) throw badSample(where, what, allowed);
  };
  expect(row.tokens.length > 0 && tokens.length <= positions, `${tokens.length} tokens`, `1 to ${positions}`);
  const odd = tokens.find((id) => !(Number.isInteger(id) && id >= 0 && id < info.vocabulary));
  expect(odd === undefined, `token ${odd}`, `whole numbers from 0 to ${info.vocabulary - 1}`);
  expect(row.loss === 'cross-entropy' || row.loss === 'kl', `loss '${row.loss}'`, "'cross-entropy' or 'kl'");
  expect(Number.isFinite(row.weight) && row.weight >= 0, `weight ${row.weight}`, 'numbers from 0');
  let end = 1;
  for (const [from, to] of spans) {
    const sound = Number.isInteger(from) && Number.isInteger(to) && from >= end && to > from && to <= tokens.length;
    expect(sound, `the answer [${from}, ${to})`, `spans in rising order within [1, ${tokens.length})`);
    end = to;
  }
  expect(spans.length > 0, 'no answer', 'one span at least');
  const predictedAt = spans.flatMap(([from, to]) => Array.from({ length: to - from }, (_, i) => from + i - 1));
  return { tokens, loss: row.loss, weight: row.weight, predictedAt };
}

/**
 * The batch of a round; a place without rows is empty.
 * @throws LimnError `data/diff-sample` for a place whose rows or answers do not fit the shape, or whose weights are all 0
 */
export function diffBatch(
  places: readonly (readonly AnsweredRow[])[],
  shape: DiffShape,
  about: { readonly ids: readonly (string | undefined)[]; readonly round: number },
): DiffBatch {
  const { rows: perTask, positions: T } = shape;
  const B = shape.tasks * perTask;
  const ids = new Uint32Array(B * T);
  const lengths = Array.from({ length: B }, () => 1);
  const taskOfRow = new Int32Array(B).fill(-1);
  const answers = new PlaceWriter(shape, shape.answers);
  const taught = new PlaceWriter(shape, shape.taught);
  for (let task = 0; task < shape.tasks; task++) {
    const rows = places[task] ?? [];
    const where = { id: about.ids[task] ?? '', round: about.round };
    if (rows.length > perTask) throw badSample(where, `${rows.length} rows`, `at most ${perTask}, of its shape`);
    const total = rows.reduce((sum, { weight }) => sum + weight, 0);
    if (rows.length > 0 && !(total > 0)) throw badSample(where, 'no weight', 'weights with a positive sum');
    rows.forEach((row, i) => {
      const b = task * perTask + i;
      ids.set(row.tokens, b * T);
      lengths[b] = row.tokens.length;
      taskOfRow[b] = task;
      (row.loss === 'kl' ? taught : answers).add(row, b * T, row.weight / (row.predictedAt.length * total));
    });
    for (const [writer, name] of [
      [answers, 'answers'],
      [taught, 'taught'],
    ] as const)
      if (!writer.endTask(task))
        throw badSample(where, `more answer tokens than fit`, `at most ${shape[name]} with this loss (shape.${name})`);
  }
  return { tokens: { ids, B, T, lengths }, taskOfRow, answers: answers.places, taught: taught.places };
}

/** Fills the places of one loss, task by task. */
class PlaceWriter {
  readonly places: LossPlaces & { readonly of: { row: AnsweredRow; first: number }[] };
  #used = new Set<number>();
  #at = 0;

  constructor(
    readonly shape: DiffShape,
    room: number,
  ) {
    const count = shape.tasks * room;
    this.places = {
      room,
      rows: new Uint32Array(count),
      weights: new Float32Array(count),
      targets: new Uint32Array(count).fill(IGNORED_TARGET),
      of: [],
    };
  }

  add(row: AnsweredRow, start: number, weight: number): void {
    const { rows, weights, targets, of } = this.places;
    of.push({ row, first: this.#at });
    for (const t of row.predictedAt) {
      this.#used.add(start + t);
      if (this.#at < rows.length) {
        rows[this.#at] = start + t;
        weights[this.#at] = weight;
        targets[this.#at] = row.tokens[t + 1] as number;
      }
      this.#at++;
    }
  }

  /** Fills up what a task leaves of its places; false where it has taken more. */
  endTask(task: number): boolean {
    const { room, rows } = this.places;
    const end = (task + 1) * room;
    if (this.#at > end) return false;
    for (let other = task * this.shape.rows * this.shape.positions; this.#at < end; other++)
      if (!this.#used.has(other)) rows[this.#at++] = other;
    this.#used = new Set();
    return true;
  }
}

function badSample(
  { id, round, row }: { readonly id: string; readonly round: number; readonly row?: number },
  what: string,
  allowed: string,
): LimnError {
  const where = row === undefined ? `round ${round}` : `row ${row} of round ${round}`;
  return new LimnError('data/diff-sample', `Diff '${id}', ${where}: ${what}; allowed: ${allowed}.`, {
    details: { id, round, ...(row === undefined ? {} : { row }) },
    hint: 'Change the sampler, or the shape that groups are trained in.',
  });
}
