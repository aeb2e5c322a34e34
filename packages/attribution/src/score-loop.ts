// The data loop that all gradient scorers share: per chunk of pairs the recorded runs, the method's gradient runs, one contraction with Δ; f64 sums over examples.
import { FittingCount, inOrder, lengthBuckets, recordWithin, settleControls } from '@limn/hooks';
import type { HookedModel, HookName, Intervention, ModelInfo, Run, RunControls } from '@limn/hooks';
import { type Step, throwIfAborted } from '@limn/gpu';
import { detach, expand, readFloats, reshape, sub, type Tensor } from '@limn/tensor';
import { expectLengths, settleAblation } from './ablation.js';
import type { Ablation } from './ablation.js';
import { ExampleSum } from './example-sum.js';
import type { GradientRun, RunStart } from './gradient-run.js';
import { metricLoss } from './metric-loss.js';
import { checkAnswers, checkDifferentiable } from './metrics.js';
import type { Metric } from './metrics.js';
import {
  nodeDeltas,
  outputCaptures,
  OutputWeights,
  resultCaptures,
  resultOutputs,
  sourcesOfSublayer,
} from './node-outputs.js';
import type { SourceBlock, SourceRange, Sublayer } from './node-outputs.js';
import { pairTokens } from './pair-tokens.js';
import { checkPairs } from './pairs.js';
import type { Pair } from './pairs.js';
import type { ResampleSum } from './resampled-scores.js';

/** What every scorer is asked for. */
export interface ScoringOptions extends RunControls {
  readonly metric: Metric;
  /** What stands in for a node's output: Δ_u = that − z_u. Default 'patch'. */
  readonly ablation?: Ablation | undefined;
  /** Keep one matrix per example as well: 280 kB a pair of GPT-2 small, 1.9 MB of medium. */
  readonly perExample?: boolean | undefined;
}

/** What a method sees of one chunk of pairs. Runs are recorded when they are first asked for. */
export interface Chunk {
  readonly step: Step;
  readonly model: HookedModel;
  readonly pairs: readonly Pair[];
  readonly clean: Run;
  readonly corrupted: Run;
  readonly lengths: readonly number[];
  /** Δ of every source. */
  readonly deltas: readonly SourceBlock[];
  /** The sites that a gradient run, starting there, must capture. */
  captures(from?: RunStart): HookName[];
  /** Loss per row; `repeats` rows per example, repeat-major. */
  loss(logits: Tensor, repeats: number): Tensor;
}

/** Gradient runs that are summed, and the sources whose scores their sum gives. All runs of a part start at one place. */
export interface GradientPart {
  readonly runs: readonly GradientRun[];
  /** Default: every source; scores of several such parts are summed. Of parts with sources no two have one in common. */
  readonly sources?: Sublayer | undefined;
}

/** How a method differs from the others: which runs it differentiates. */
export interface GradientMethod {
  readonly name: string;
  /** The recorded runs that need gradient sites. */
  readonly differentiates: readonly ('clean' | 'corrupted')[];
  /** Sites of the clean run that the method reads besides the nodes' outputs. */
  readonly reads?: readonly HookName[] | undefined;
  /** Points of its path: each is a row beside every pair, and a path may be cut when a pair's rows do not fit. */
  readonly points: number;
  /** Whether it follows a path between clean and corrupted inputs, and so takes the ablation 'patch' only. */
  readonly patchOnly?: boolean | undefined;
  /** Edits of the model by their strength: the corrupted run has those of 0, the clean one those of 1. They may change any map, so heads' results are read as they are. */
  readonly change?: ((strength: number) => readonly Intervention[]) | undefined;
  /**
   * Gradient runs for points `start` … `start + count − 1`; each part's are summed before one contraction per destination. A part
   * is recorded when it is asked for, after the one before was contracted: only one part's tape takes memory at a time.
   */
  gradientParts(chunk: Chunk, points: { readonly start: number; readonly count: number }): Iterable<GradientPart>;
}

/** What is made of Δ and the gradients: edge scores, node scores. */
export interface Contraction {
  /** Numbers per example that it gives. */
  readonly size: number;
  /** Which of them are scores. */
  readonly indices: ArrayLike<number>;
  /** What number `index` is the score of. */
  name(index: number): string;
  /** The sites that a gradient run, starting there, must capture. */
  captures(model: HookedModel, from: RunStart | undefined): HookName[];
  /** Sites of the clean and the corrupted run that it reads besides the nodes' outputs. */
  readonly reads?: readonly HookName[] | undefined;
  /**
   * Scores of the chunk, [B, size] or any shape with as many elements. Sources that no part covers score 0. Parts are recorded as
   * they are asked for, so each is done with before the next; Δ when it is first read, which is after the backward pass.
   */
  record(chunk: Chunk, parts: Iterable<RecordedPart>): Tensor;
}

/** A part with its sources as a range. */
export interface RecordedPart {
  readonly runs: readonly GradientRun[];
  readonly sources: SourceRange;
}

/** Runs the method over all pairs and contracts each chunk; the sums are over examples, and over resamples of them where there are. */
export async function runMethod(
  model: HookedModel,
  pairs: readonly Pair[],
  method: GradientMethod,
  contraction: Contraction,
  options: ScoringOptions,
  resampled?: ResampleSum,
): Promise<ExampleSum> {
  const { metric, signal, onProgress, perExample } = options;
  const { batchSize, memoryBytes } = settleControls(options);
  const ablation = settleAblation(options.ablation, method.patchOnly ? { method: method.name } : undefined);
  checkPairs(pairs, { model: model.info });
  checkAnswers(pairs, [metric]);
  checkDifferentiable(metric, method.name);
  throwIfAborted(signal, method.name);
  const total = new ExampleSum(contraction, pairs.length, { perExample, resampled });
  const lengths = pairs.map(({ clean }) => clean.length);
  // A row is one pair at one point of the path; a batch is some pairs with all their points, or some points of one pair.
  const fitting = new FittingCount(batchSize * method.points);
  let kept: OutputWeights | undefined;
  let done = 0;
  try {
    for (const bucket of lengthBuckets(lengths))
      for (let first = 0, point = 0; first < bucket.length;) {
        throwIfAborted(signal, method.name);
        const longest = lengths[bucket[first] as number] as number;
        const left = point > 0 ? method.points - point : (bucket.length - first) * method.points;
        const most = wholePairs(Math.min(fitting.at(longest), left), method.points);
        const { step, count, recorded } = recordWithin({
          what: `Scoring by ${method.name}`,
          unit: method.points === 1 ? 'pair' : 'point of one pair',
          memoryBytes,
          most,
          grain: method.points,
          open: () => model.gpu.step({ label: method.name, ...(signal ? { signal } : {}) }),
          record: (step, rows) => {
            const part = { start: point, count: Math.min(rows, method.points - point) };
            const places = inOrder(bucket.slice(first, first + Math.max(1, rows / method.points)));
            const batch = places.map((place) => pairs[place] as Pair);
            const weights = kept ?? OutputWeights.within(step, model);
            const chunk = recordChunk(step, model, weights, batch, { method, metric, ablation, contraction });
            const parts = withSources(method.gradientParts(chunk, part), model.info);
            return { part, places, weights, scores: contraction.record(chunk, parts) };
          },
        });
        fitting.learn(longest, count, most);
        const { part, places, weights, scores } = recorded;
        try {
          // The first step copies the weights for all that follow, but only once its plan is known to fit.
          kept ??= weights.keep(step);
          await total.add(await readFloats(step, scores), places);
        } finally {
          step.dispose();
        }
        point += part.count;
        if (point < method.points) continue;
        point = 0;
        first += places.length;
        done += places.length;
        onProgress?.({ unit: 'pairs', done, total: pairs.length });
      }
  } finally {
    kept?.dispose();
  }
  return total;
}

/** Rows that are all points of some pairs, or points of one. */
function wholePairs(rows: number, points: number): number {
  return rows > points ? rows - (rows % points) : rows;
}

/** The parts as they are asked for, with their sources as ranges. */
function* withSources(parts: Iterable<GradientPart>, { layers, heads }: ModelInfo): Generator<RecordedPart> {
  for (const { runs, sources } of parts)
    yield {
      runs,
      sources: sources ? sourcesOfSublayer(sources, { heads }) : { first: 0, count: 1 + layers * (heads + 1) },
    };
}

function recordChunk(
  step: Step,
  model: HookedModel,
  weights: OutputWeights,
  pairs: readonly Pair[],
  {
    method,
    metric,
    ablation,
    contraction,
  }: {
    readonly method: GradientMethod;
    readonly metric: Metric;
    readonly ablation: Ablation;
    readonly contraction: Contraction;
  },
): Chunk {
  const captures = (from?: RunStart): HookName[] => contraction.captures(model, from);
  const runOf = (which: 'clean' | 'corrupted'): Run => {
    const differentiated = method.differentiates.includes(which);
    const { change } = method;
    const names = [
      ...(change ? resultCaptures(model) : outputCaptures(model)),
      ...(differentiated ? captures() : []),
      ...(contraction.reads ?? []),
      ...(which === 'clean' ? (method.reads ?? []) : []),
    ];
    return model.run(
      step,
      {
        tokens: pairTokens(pairs, which, model.info),
      },
      {
        capture: [...new Set(names)],
        logits: differentiated || (which === 'clean' && metric.usesClean) ? 'last' : 'none',
        ...(change ? { interventions: change(which === 'clean' ? 1 : 0) } : {}),
      },
    );
  };
  const clean = runOf('clean');
  const corrupted = once(() => runOf('corrupted'));
  if (ablation === 'patch') corrupted();
  expectLengths(ablation, clean.lengths);
  const reference = new RepeatedRows(step, metric.usesClean ? clean.logits : undefined);
  const deltas = once(() =>
    method.change
      ? resultOutputs(step, model, (name) => sub(step, detach(corrupted().at(name)), detach(clean.at(name))))
      : nodeDeltas(
          step,
          model,
          weights,
          { clean, ...(ablation === 'patch' ? { corrupted: corrupted() } : {}) },
          ablation,
        ),
  );
  return {
    step,
    model,
    pairs,
    clean,
    get corrupted() {
      return corrupted();
    },
    lengths: clean.lengths,
    get deltas() {
      return deltas();
    },
    captures,
    loss: (logits, repeats) =>
      metricLoss(
        step,
        metric,
        logits,
        repeated(pairs, repeats),
        metric.usesClean ? reference.times(repeats) : undefined,
      ),
  };
}

/** The value of `make`, made when it is first asked for. */
function once<T>(make: () => T): () => T {
  let made: { readonly value: T } | undefined;
  return () => (made ??= { value: make() }).value;
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
