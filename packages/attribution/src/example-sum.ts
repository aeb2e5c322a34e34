// Scores of examples added up in float64, in the order they are computed in; a value that is no number stops the run and names its pair.
import { LimnError } from '@limn/gpu';
import { yieldToEvents } from '@limn/hooks';
import type { Graph } from './graph.js';
import { edgeIndices } from './resampled-scores.js';
import type { ResampledScores, ResampleSum } from './resampled-scores.js';

/** What the numbers of one example are. */
export interface ExampleLayout {
  /** Numbers per example. */
  readonly size: number;
  /** Which of them are scores; the others are never looked at. */
  readonly indices: ArrayLike<number>;
  /** What number `index` is the score of. */
  name(index: number): string;
}

/** A dense [nForward, nBackward] matrix per example, with scores of all edges, or of some by their dense indices. */
export function edgeLayout(graph: Graph, indices: ArrayLike<number> = edgeIndices(graph)): ExampleLayout {
  return {
    size: graph.nForward * graph.nBackward,
    indices,
    name: (edge) => graph.denseName(edge),
  };
}

/** What is kept of the examples besides their sum. */
export interface KeptOfExamples {
  /** Every one of them. */
  readonly perExample?: boolean | undefined;
  /** Sums over resamples of them; numbers beyond the edges of one matrix, as positions have them, are added to it. */
  readonly resampled?: ResampleSum | undefined;
}

/** Σ over examples, and of the examples themselves what is asked for. */
export class ExampleSum {
  readonly #layout: ExampleLayout;
  readonly #sum: Float64Array;
  readonly #perExample: Float32Array[] | undefined;
  readonly #resampled: ResampleSum | undefined;
  readonly #examples: number;

  constructor(layout: ExampleLayout, examples: number, { perExample, resampled }: KeptOfExamples) {
    this.#layout = layout;
    this.#examples = examples;
    this.#sum = new Float64Array(layout.size);
    this.#perExample = perExample === true ? [] : undefined;
    this.#resampled = resampled;
  }

  /**
   * `values` [B, size] of the pairs at `places`; adds to what an example has already. Where there are resamples, others have their
   * turn after every example.
   * @throws LimnError `data/score-not-finite`
   */
  async add(values: Float32Array, places: readonly number[]): Promise<void> {
    const { size, indices } = this.#layout;
    for (const [b, place] of places.entries()) {
      const row = values.subarray(b * size, (b + 1) * size);
      const kept = this.#perExample && (this.#perExample[place] ??= new Float32Array(size));
      for (let k = 0; k < indices.length; k++) {
        const i = indices[k] as number;
        const value = row[i] ?? Number.NaN;
        if (!Number.isFinite(value)) throw notFinite(this.#layout.name(i), place, value);
        this.#sum[i] = (this.#sum[i] as number) + value;
        if (kept) kept[i] = (kept[i] as number) + value;
      }
      if (this.#resampled === undefined) continue;
      this.#resampled.add(row, indices, place);
      await yieldToEvents();
    }
  }

  /**
   * Adds one number of the pair at `place`.
   * @throws LimnError `data/score-not-finite`
   */
  addOne(value: number, index: number, place: number): void {
    if (!Number.isFinite(value)) throw notFinite(this.#layout.name(index), place, value);
    this.#sum[index] = (this.#sum[index] as number) + value;
    const kept = this.#perExample && (this.#perExample[place] ??= new Float32Array(this.#layout.size));
    if (kept) kept[index] = (kept[index] as number) + value;
    this.#resampled?.addOne(value, index, place);
  }

  /** The mean over examples; NaN at numbers that are no scores. */
  mean(): Float64Array {
    const mean = new Float64Array(this.#layout.size).fill(Number.NaN);
    this.#copy(this.#sum, mean);
    for (const [i, x] of mean.entries()) mean[i] = x / this.#examples;
    return mean;
  }

  /** Every example, when they were asked for; NaN at numbers that are no scores. */
  perExample(): Float32Array[] | undefined {
    return this.#perExample?.map((row) => {
      const copy = new Float32Array(row.length).fill(Number.NaN);
      this.#copy(row, copy);
      return copy;
    });
  }

  /** The sums over resamples, when they were asked for. */
  resampled(): ResampledScores | undefined {
    return this.#resampled?.result();
  }

  #copy(from: Float32Array | Float64Array, to: Float32Array | Float64Array): void {
    const { indices } = this.#layout;
    for (let k = 0; k < indices.length; k++) to[indices[k] as number] = from[indices[k] as number] as number;
  }
}

/** The error for a pair that gives something a score which is no number. */
export function notFinite(name: string, pair: number, value: number): LimnError {
  return new LimnError('data/score-not-finite', `Pair ${pair + 1} gives ${name} the score ${value}.`, {
    details: { pair, name, value: String(value) },
    hint: 'Check the weights for values that are not finite, and leave this pair out.',
  });
}
