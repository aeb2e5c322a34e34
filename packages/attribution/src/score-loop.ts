// The data loop that all gradient scorers share: per chunk of pairs two recorded runs, gradient runs, one contraction per destination; f64 sums over examples.
import { recordWithin, tokenBatch } from '@limn/hooks';
import type { HookedModel, Run } from '@limn/hooks';
import { LimnError, throwIfAborted, type Step } from '@limn/gpu';
import { allocate, detach, expand, readFloats, reshape, type Tensor } from '@limn/tensor';
import { edgeScores } from './edge-scores.js';
import { buildGraph } from './graph.js';
import type { Graph } from './graph.js';
import { checkAnswers } from './metrics.js';
import type { Metric } from './metrics.js';
import { nodeDeltas, outputCaptures, OutputWeights } from './node-outputs.js';
import { checkPairs } from './pairs.js';
import type { Pair } from './pairs.js';
import { settleControls } from './run-options.js';
import type { RunControls } from './run-options.js';
import type { Scores } from './scores.js';
import { gradientCaptures, slotGradients } from './slot-gradients.js';
import type { GradientRun } from './slot-gradients.js';

/** What every scorer is asked for. */
export interface ScoringOptions extends RunControls {
  readonly metric: Metric;
  /** Keep one matrix per example as well. */
  readonly perExample?: boolean | undefined;
}

/** What a method sees of one chunk of pairs. */
export interface Chunk {
  readonly step: Step;
  readonly model: HookedModel;
  readonly pairs: readonly Pair[];
  readonly clean: Run;
  readonly corrupted: Run;
  readonly lengths: readonly number[];
  /** Loss per row; `repeats` rows per example, repeat-major. */
  loss(logits: Tensor, repeats: number): Tensor;
}

/** How a method differs from the others: which runs it differentiates. */
export interface GradientMethod {
  readonly name: string;
  /** The recorded runs that need gradient sites. */
  readonly differentiates: readonly ('clean' | 'corrupted')[];
  /** Points of its path: each is a row beside every pair, and a path may be cut when a pair's rows do not fit. */
  readonly points: number;
  /** Gradient runs for points `start` … `start + count − 1`, summed before one contraction per destination. */
  gradientRuns(chunk: Chunk, points: { readonly start: number; readonly count: number }): GradientRun[];
}

/** score(u → v) = (1/N) Σ_examples Δ_u · g_v, g_v the weighted sum over the method's gradient runs. */
export async function scoreByGradients(
  model: HookedModel,
  pairs: readonly Pair[],
  method: GradientMethod,
  options: ScoringOptions,
): Promise<Scores> {
  const { metric, signal, onProgress } = options;
  const { batchSize, memoryBytes } = settleControls(options);
  checkPairs(pairs, { model: model.info });
  checkAnswers(pairs, [metric]);
  throwIfAborted(signal, method.name);
  const graph = buildGraph(model.info);
  const total = new ScoreSum(graph, options.perExample === true);
  let kept: OutputWeights | undefined;
  try {
    // A row is one pair at one point of the path; a batch is some pairs with all their points, or some points of one pair.
    let mostRows = batchSize * method.points;
    for (let pair = 0, point = 0; pair < pairs.length;) {
      throwIfAborted(signal, method.name);
      const most =
        point > 0
          ? Math.min(mostRows, method.points - point)
          : Math.min(mostRows, (pairs.length - pair) * method.points);
      const { step, count, recorded } = recordWithin({
        what: `Scoring edges by ${method.name}`,
        unit: method.points === 1 ? 'pair' : 'point of one pair',
        memoryBytes,
        most,
        open: () => model.gpu.step({ label: method.name, ...(signal ? { signal } : {}) }),
        record: (step, rows) => {
          const part = { start: point, count: Math.min(rows, method.points - point) };
          const whole = Math.max(1, Math.floor(rows / method.points));
          const batch = pairs.slice(pair, pair + whole);
          const weights = kept ?? OutputWeights.within(step, model);
          return {
            part,
            pairs: batch.length,
            weights,
            scores: recordChunk(step, model, graph, weights, batch, method, metric, part),
          };
        },
      });
      if (count < most) mostRows = count;
      try {
        // The first step copies the weights for all that follow, but only once its plan is known to fit.
        kept ??= recorded.weights.keep(step);
        total.add(await readFloats(step, recorded.scores), pair);
      } finally {
        step.dispose();
      }
      point += recorded.part.count;
      if (point < method.points) continue;
      point = 0;
      pair += recorded.pairs;
      onProgress?.({ unit: 'pairs', done: pair, total: pairs.length });
    }
  } finally {
    kept?.dispose();
  }
  return total.mean();
}

/** Scores of every example of a chunk, [B, nForward, nBackward]; entries that are no edge are undefined. */
function recordChunk(
  step: Step,
  model: HookedModel,
  graph: Graph,
  weights: OutputWeights,
  pairs: readonly Pair[],
  method: GradientMethod,
  metric: Metric,
  points: { readonly start: number; readonly count: number },
): Tensor {
  const outputs = outputCaptures(model);
  const sites = gradientCaptures(model);
  const runOf = (which: 'clean' | 'corrupted'): Run => {
    const differentiated = method.differentiates.includes(which);
    return model.run(
      step,
      {
        tokens: tokenBatch(
          pairs.map((pair) => pair[which]),
          model.info,
        ),
      },
      {
        capture: differentiated ? [...new Set([...outputs, ...sites])] : outputs,
        logits: differentiated || (which === 'clean' && metric.usesClean) ? 'last' : 'none',
      },
    );
  };
  const clean = runOf('clean');
  const corrupted = runOf('corrupted');
  const reference = new RepeatedRows(step, metric.usesClean ? clean.logits : undefined);
  const chunk: Chunk = {
    step,
    model,
    pairs,
    clean,
    corrupted,
    lengths: clean.lengths,
    loss: (logits, repeats) =>
      metric.loss(step, logits, repeated(pairs, repeats), metric.usesClean ? reference.times(repeats) : undefined),
  };
  const deltas = nodeDeltas(step, model, weights, { clean, corrupted });
  const runs = method.gradientRuns(chunk, points);
  const scores = allocate(step, [pairs.length, graph.nForward, graph.nBackward], 'edge scores');
  for (const block of slotGradients(step, model, runs, headsAtOnce(model, runs))) {
    const before = graph.prev(block.first);
    for (const { first, tensor } of deltas) {
      if (first >= before) break;
      edgeScores(step, scores, tensor, block.tensor, {
        row: first,
        column: block.first,
        sources: Math.min(tensor.shape[0] ?? 0, before - first),
        ...(block.run === undefined ? {} : { run: block.run }),
        ...(block.stride === undefined ? {} : { stride: block.stride }),
      });
    }
  }
  return scores;
}

/** Heads per pull-back: its result [3, heads, rows, T, C] must stay a quarter of what one binding may hold. */
function headsAtOnce({ info, gpu }: HookedModel, runs: readonly GradientRun[]): number {
  const rows = Math.max(...runs.map(({ run }) => run.B));
  const bytesPerHead = 3 * rows * (runs[0]?.run.T ?? 1) * info.width * 4;
  const limit = gpu.capabilities.limits.maxStorageBufferBindingSize / 4;
  return Math.max(1, Math.min(info.heads, Math.floor(limit / bytesPerHead)));
}

/** The pairs `repeats` times over, repeat-major. */
export function repeated<T>(items: readonly T[], repeats: number): readonly T[] {
  return repeats === 1 ? items : Array.from({ length: repeats }, () => items).flat();
}

/** Logits [B, V] repeated to [repeats · B, V], made once per count. */
class RepeatedRows {
  readonly #step: Step;
  readonly #rows: Tensor | undefined;
  readonly #made = new Map<number, Tensor>();

  constructor(step: Step, rows: Tensor | undefined) {
    this.#step = step;
    this.#rows = rows === undefined ? undefined : detach(rows);
  }

  times(repeats: number): Tensor | undefined {
    const rows = this.#rows;
    if (rows === undefined || repeats === 1) return rows;
    const known = this.#made.get(repeats);
    if (known) return known;
    const made = reshape(expand(this.#step, rows, [repeats, ...rows.shape]), [
      repeats * (rows.shape[0] ?? 0),
      rows.shape[1] ?? 0,
    ]);
    this.#made.set(repeats, made);
    return made;
  }
}

/** Adds up per-example matrices in float64, in the order of the pairs and of the parts of their paths. */
class ScoreSum {
  readonly #graph: Graph;
  readonly #edges: readonly number[];
  readonly #sum: Float64Array;
  readonly #perExample: Float32Array[] | undefined;
  #examples = 0;

  constructor(graph: Graph, perExample: boolean) {
    this.#graph = graph;
    this.#edges = [...graph.edges()].map(({ u, v }) => graph.dense(u, v));
    this.#sum = new Float64Array(graph.nForward * graph.nBackward);
    this.#perExample = perExample ? [] : undefined;
  }

  /** `matrices` [B, nForward, nBackward] of the pairs from `start`. */
  add(matrices: Float32Array, start: number): void {
    const size = this.#sum.length;
    for (let b = 0; b < matrices.length / size; b++) {
      const matrix = matrices.subarray(b * size, (b + 1) * size);
      const kept = this.#perExample && (this.#perExample[start + b] ??= new Float32Array(size));
      for (const edge of this.#edges) {
        const value = matrix[edge] ?? Number.NaN;
        if (!Number.isFinite(value)) throw notFinite(this.#graph, start + b, edge, value);
        this.#sum[edge] = (this.#sum[edge] ?? 0) + value;
        if (kept) kept[edge] = (kept[edge] ?? 0) + value;
      }
      this.#examples = Math.max(this.#examples, start + b + 1);
    }
  }

  mean(): Scores {
    const values = this.#onlyEdges(this.#sum);
    for (const edge of this.#edges) values[edge] = (values[edge] ?? 0) / this.#examples;
    const perExample = this.#perExample?.map((matrix) => this.#onlyEdges(matrix));
    return { graph: this.#graph, values, ...(perExample ? { perExample } : {}) };
  }

  #onlyEdges<A extends Float32Array | Float64Array>(matrix: A): A {
    const copy = matrix.slice().fill(Number.NaN) as A;
    for (const edge of this.#edges) copy[edge] = matrix[edge] ?? Number.NaN;
    return copy;
  }
}

/** The error for an edge of a pair whose score is no number. */
export function notFinite(graph: Graph, pair: number, edge: number, value: number): LimnError {
  const name = graph.edgeName(Math.floor(edge / graph.nBackward), edge % graph.nBackward);
  return new LimnError('data/score-not-finite', `Pair ${pair + 1} gives ${name} the score ${value}.`, {
    details: { pair, edge: name, value: String(value) },
    hint: 'Check the weights for values that are not finite, and leave this pair out.',
  });
}
