// The bare model's log-probabilities at the answers of rows, kept by the rows' content: questions come again in every diff.
import { throwIfAborted, type Step } from '@limn/gpu';
import type { HookedModel, TokenBatch } from '@limn/hooks';
import { logSoftmax, readFloats, type Tensor } from '@limn/tensor';
import type { AnsweredRow, LossPlaces } from './diff-batch.js';
import type { DiffShape } from './diff-spec.js';

/** Where a row asks. */
type Asked = Pick<AnsweredRow, 'tokens' | 'predictedAt'>;

/** What a teacher was asked for. */
export interface TeacherCounts {
  /** Rows that were there already. */
  readonly hits: number;
  /** Rows that the bare model was run on. */
  readonly misses: number;
  /** Bytes that are kept now. */
  readonly bytes: number;
}

/** Rows of a pass, and bytes of its log-probabilities at most, if one row has fewer. */
const ROWS = 64;
const PASS_BYTES = 2 ** 26;
/** Places of a pass over an even share of them for each of its rows: answers are not equally long, and not every row of a diff is taught. */
const SPARE = 2;

/** Log-probabilities by content, the least recently used given up first. */
export class Teacher {
  /** [answers, V] by content, the least recently used first. */
  readonly #kept = new Map<string, Float32Array>();
  #bytes = 0;
  #hits = 0;
  #misses = 0;
  /** Most rows of a pass, and places at which it has logits: one number for both would make logits where no answer is. */
  readonly #rows: number;
  readonly #places: number;

  constructor(
    readonly model: HookedModel,
    readonly shape: DiffShape,
    readonly mostBytes: number,
  ) {
    const longest = Math.min(shape.taught, shape.positions - 1);
    const share = Math.min(longest, Math.ceil((SPARE * shape.taught) / shape.rows));
    const perRow = 4 * Math.max(1, share) * model.info.vocabulary;
    // Never more than a group has, so that a pass takes less than an update.
    this.#rows = Math.max(1, Math.min(ROWS, shape.tasks * shape.rows, Math.floor(PASS_BYTES / perRow)));
    this.#places = Math.max(longest, this.#rows * share);
  }

  /** So far. */
  get counts(): TeacherCounts {
    return { hits: this.#hits, misses: this.#misses, bytes: this.#bytes };
  }

  /**
   * [answers, V] of each row, in nats. The model runs in passes of one shape, so that a row's bits depend on its content alone.
   * @throws AbortedError
   */
  async of(rows: readonly Asked[], signal?: AbortSignal): Promise<Float32Array[]> {
    const keys = rows.map(({ tokens, predictedAt }) => `${tokens.join()}|${predictedAt.join()}`);
    const wanted = new Map<string, Asked>();
    const found = new Map<string, Float32Array>();
    rows.forEach((row, i) => {
      const key = keys[i] as string;
      const known = this.#kept.get(key);
      if (known || wanted.has(key) || found.has(key)) this.#hits++;
      else this.#misses++;
      if (!known) {
        if (!found.has(key)) wanted.set(key, row);
        return;
      }
      this.#kept.delete(key);
      this.#kept.set(key, known);
      found.set(key, known);
    });
    for (const some of this.#passesOf([...wanted])) {
      throwIfAborted(signal, 'Training diffs');
      const made = await this.#pass(some.map(([, row]) => row));
      some.forEach(([key], i) => {
        const values = made[i] as Float32Array;
        found.set(key, values);
        this.#keep(key, values);
      });
    }
    return keys.map((key) => found.get(key) as Float32Array);
  }

  /**
   * The same for the taught places of a batch, [places, V]; 0 at those that no row fills.
   * @throws AbortedError
   */
  async places({ rows, of }: LossPlaces, signal?: AbortSignal): Promise<Float32Array> {
    const V = this.model.info.vocabulary;
    const all = new Float32Array(rows.length * V);
    const found = await this.of(
      of.map(({ row }) => row),
      signal,
    );
    of.forEach(({ first }, i) => all.set(found[i] as Float32Array, first * V));
    return all;
  }

  /** Rows in their order, as many in each pass as it has rows and places for. */
  #passesOf(missing: readonly (readonly [string, Asked])[]): (readonly [string, Asked])[][] {
    const passes: (readonly [string, Asked])[][] = [];
    let [rows, places] = [this.#rows, 0];
    for (const each of missing) {
      const own = each[1].predictedAt.length;
      if (rows === this.#rows || places + own > this.#places) {
        passes.push([]);
        [rows, places] = [0, 0];
      }
      passes.at(-1)?.push(each);
      rows++;
      places += own;
    }
    return passes;
  }

  #keep(key: string, values: Float32Array): void {
    if (values.byteLength > this.mostBytes) return;
    this.#kept.set(key, values);
    this.#bytes += values.byteLength;
    for (const [oldest, { byteLength }] of this.#kept) {
      if (this.#bytes <= this.mostBytes) return;
      this.#kept.delete(oldest);
      this.#bytes -= byteLength;
    }
  }

  /** GPU bytes of a pass, from a recording alone. */
  passBytes(): number {
    if (this.shape.taught === 0) return 0;
    using step = this.model.gpu.step({ label: 'plan of the teacher' });
    this.#record(step, []);
    return step.plan().bytesPeak;
  }

  async #pass(rows: readonly Asked[]): Promise<Float32Array[]> {
    const V = this.model.info.vocabulary;
    const step = this.model.gpu.step({ label: 'teacher' });
    try {
      const values = await readFloats(step, this.#record(step, rows));
      let at = 0;
      return rows.map(({ predictedAt }) => values.slice(at * V, (at += predictedAt.length) * V));
    } finally {
      step.dispose();
    }
  }

  /** Log-probabilities [places, V] wherever a row asks, row after row; what is left of the places follows, so that every pass has one plan. */
  #record(step: Step, rows: readonly Asked[]): Tensor {
    const { positions: T } = this.shape;
    const B = this.#rows;
    const ids = new Uint32Array(B * T);
    const places = new Uint32Array(this.#places);
    let asked = 0;
    rows.forEach(({ tokens, predictedAt }, b) => {
      ids.set(tokens, b * T);
      for (const t of predictedAt) places[asked++] = b * T + t;
    });
    const lengths = Array.from({ length: B }, (_, b) => rows[b]?.tokens.length ?? 1);
    const tokens: TokenBatch = { ids, B, T, lengths };
    const { resid } = this.model.run(step, { tokens }, { logits: 'none' });
    return logSoftmax(step, this.model.logits(step, resid, places));
  }
}
