// Exact edge patching: score(u → v) = L(all edges clean but u → v) − L(clean), one run per edge and example, only from the destination's layer on.
import { blockHook, lastRows, recordWithin, tokenBatch } from '@limn/hooks';
import type { HookedModel, HookName, Run } from '@limn/hooks';
import { throwIfAborted, type Step } from '@limn/gpu';
import { add, detach, expand, keep, readFloats, reshape, slice, sub, type Tensor } from '@limn/tensor';
import { expectLengths, settleAblation } from './ablation.js';
import type { Ablation } from './ablation.js';
import { buildGraph, HEAD_INPUTS } from './graph.js';
import type { Graph, HeadInput, Slot } from './graph.js';
import { checkAnswers } from './metrics.js';
import type { Metric } from './metrics.js';
import { headResults, layersOf, nodeDeltas, outputCaptures, OutputWeights } from './node-outputs.js';
import type { SourceBlock } from './node-outputs.js';
import { checkPairs } from './pairs.js';
import type { Pair } from './pairs.js';
import { pairsWithin, settleControls } from './run-options.js';
import type { RunControls } from './run-options.js';
import { notFinite } from './example-sum.js';
import { repeated } from './score-loop.js';
import { scoresOf } from './scores.js';
import type { Scores } from './scores.js';

/** Options of exact patching under one metric. */
export interface ExactOptions extends RunControls {
  readonly metric: Metric;
  /** What a patched edge carries. Default 'patch': the corrupted run. */
  readonly ablation?: Ablation | undefined;
}

/** Options of exact patching under several metrics. */
export interface ExactSweepOptions extends RunControls {
  /** All are read from the same runs. */
  readonly metrics: readonly Metric[];
  /** What a patched edge carries. Default 'patch': the corrupted run. */
  readonly ablation?: Ablation | undefined;
}

/**
 * Scores of every edge by patching it. Cost: edges × pairs runs of the layers behind the edge.
 * @throws LimnError `usage/ablation`, `usage/unknown-ablation`, `data/pairs-…`, `data/score-not-finite`,
 * `memory/over-budget`, `usage/batch-size`, `usage/memory`; AbortedError
 */
export async function exactEdges(model: HookedModel, pairs: readonly Pair[], options: ExactOptions): Promise<Scores> {
  const [scores] = await exactSweep(model, pairs, { ...options, metrics: [options.metric] });
  return scores as Scores;
}

/**
 * Exact scores under several metrics from one sweep, in the metrics' order.
 * @throws LimnError `data/mean-length`, `usage/unknown-ablation`, and as {@link exactEdges}
 */
export async function exactSweep(
  model: HookedModel,
  pairs: readonly Pair[],
  options: ExactSweepOptions,
): Promise<Scores[]> {
  const { metrics, signal, onProgress } = options;
  const { batchSize, memoryBytes } = settleControls(options);
  const ablation = settleAblation(options.ablation);
  checkPairs(pairs, { model: model.info });
  checkAnswers(pairs, metrics);
  const graph = buildGraph(model.info);
  const sums = metrics.map(() => scoresOf(graph, () => 0));
  // Kept per layer: four streams, H results, and Δ of H heads and the MLP; besides them Δ of the input.
  const { layers, heads } = model.info;
  const atOnce = Math.min(
    batchSize,
    pairsWithin(model, pairs, {
      what: 'Patching edges one by one',
      kept: 1 + layers * (2 * heads + 5),
      widest: heads + 1,
      memoryBytes,
    }),
  );
  const weights = await OutputWeights.of(model);
  const total = graph.edgeCount * pairs.length;
  let done = 0;
  try {
    for (let start = 0; start < pairs.length; start += atOnce) {
      throwIfAborted(signal, 'Exact edge patching');
      const batch = pairs.slice(start, start + atOnce);
      const base = await CleanBase.of(model, weights, batch, metrics, { ablation, signal });
      try {
        for (let v = 0; v < graph.nBackward; v++)
          for (let u = 0; u < graph.prev(v);) {
            throwIfAborted(signal, 'Exact edge patching');
            const first = u;
            const { step, count, recorded } = recordWithin({
              what: 'Patching edges one by one',
              unit: 'edge of this batch of pairs; a smaller batch size',
              memoryBytes,
              most: sourcesAtOnce(graph, base, v, u),
              open: () => model.gpu.step({ label: 'exact', ...(signal ? { signal } : {}) }),
              record: (step, sources) => patchedLosses(step, model, base, graph, v, first, sources, batch, metrics),
            });
            try {
              const losses = await Promise.all(recorded.map((loss) => readFloats(step, loss)));
              for (const [m, values] of losses.entries())
                for (const [row, loss] of values.entries()) {
                  const edge = graph.dense(u + Math.floor(row / batch.length), v);
                  const change = loss - (base.losses[m]?.[row % batch.length] ?? Number.NaN);
                  if (!Number.isFinite(change))
                    throw notFinite(graph.denseName(edge), start + (row % batch.length), change);
                  const target = (sums[m] as Scores).values;
                  target[edge] = (target[edge] ?? 0) + change / pairs.length;
                }
            } finally {
              step.dispose();
            }
            u += count;
            done += count * batch.length;
            onProgress?.({ unit: 'patched runs', done, total });
          }
      } finally {
        base.dispose();
      }
    }
  } finally {
    weights.dispose();
  }
  return sums;
}

/** The clean run of a batch, and Δ of every source: kept on the GPU while its edges are patched. */
class CleanBase {
  private constructor(
    readonly lengths: readonly number[],
    readonly T: number,
    /** Clean losses per metric, [B]. */
    readonly losses: readonly Float32Array[],
    /** Clean logits [B, V], for metrics that compare with them. */
    readonly logits: Tensor,
    /** [B, T, C] by site: what slots read, and what their nodes write. */
    readonly sites: ReadonlyMap<HookName, Tensor>,
    /** Per layer [H, B, T, C]. */
    readonly results: readonly Tensor[],
    readonly deltas: readonly SourceBlock[],
  ) {}

  static async of(
    model: HookedModel,
    weights: OutputWeights,
    pairs: readonly Pair[],
    metrics: readonly Metric[],
    { ablation, signal }: { readonly ablation: Ablation; readonly signal: AbortSignal | undefined },
  ): Promise<CleanBase> {
    const step = model.gpu.step({ label: 'exact: clean run', ...(signal ? { signal } : {}) });
    const kept: Tensor[] = [];
    const hold = (x: Tensor): Tensor => {
      const own = keep(step, detach(x));
      kept.push(own);
      return own;
    };
    try {
      const names = streamSites(model);
      const runOf = (which: 'clean' | 'corrupted'): Run =>
        model.run(
          step,
          {
            tokens: tokenBatch(
              pairs.map((pair) => pair[which]),
              model.info,
            ),
          },
          { capture: [...new Set([...outputCaptures(model), ...names])], logits: which === 'clean' ? 'last' : 'none' },
        );
      const clean = runOf('clean');
      expectLengths(ablation, clean.lengths);
      const runs = ablation === 'patch' ? { clean, corrupted: runOf('corrupted') } : { clean };
      const deltas = nodeDeltas(step, model, weights, runs, ablation).map(({ first, tensor }) => ({
        first,
        tensor: hold(tensor),
      }));
      const logits = hold(clean.logits);
      const sites = new Map(names.map((name) => [name, hold(clean.at(name))]));
      const results = layersOf(model.info).map((layer) =>
        hold(headResults(step, weights, layer, clean.at(blockHook(layer, 'attn.hook_z')))),
      );
      const losses = metrics.map((metric) => readFloats(step, metric.loss(step, logits, pairs, logits)));
      return new CleanBase(clean.lengths, clean.T, await Promise.all(losses), logits, sites, results, deltas);
    } catch (error) {
      for (const tensor of kept) tensor.dispose();
      throw error;
    } finally {
      step.dispose();
    }
  }

  at(name: HookName): Tensor {
    return this.sites.get(name) as Tensor;
  }

  /** The deltas that hold source `u`, and where in them it is. */
  blockOf(u: number): { readonly tensor: Tensor; readonly offset: number; readonly length: number } {
    const block = this.deltas.filter(({ first }) => first <= u).at(-1) as SourceBlock;
    return { tensor: block.tensor, offset: u - block.first, length: block.tensor.shape[0] ?? 0 };
  }

  dispose(): void {
    for (const { tensor } of this.deltas) tensor.dispose();
    for (const tensor of [...this.sites.values(), ...this.results, this.logits]) tensor.dispose();
  }
}

/** Streams that slots read and that patched runs start from. */
function streamSites({ info }: HookedModel): HookName[] {
  const perLayer = layersOf(info).flatMap((layer) => [
    blockHook(layer, 'hook_resid_pre'),
    ...(info.block === 'sequential' ? [blockHook(layer, 'hook_resid_mid')] : []),
    blockHook(layer, 'hook_mlp_out'),
    blockHook(layer, 'hook_resid_post'),
  ]);
  return [...new Set(perLayer)];
}

/** Sources that one step patches: neighbours in one block of deltas that all feed slot v. */
function sourcesAtOnce(graph: Graph, base: CleanBase, v: number, u: number): number {
  const { offset, length } = base.blockOf(u);
  return Math.min(length - offset, graph.prev(v) - u);
}

/** Losses [sources · B] per metric with source u … u + sources − 1 corrupted on its way into slot v, row s·B + b. */
function patchedLosses(
  step: Step,
  model: HookedModel,
  base: CleanBase,
  graph: Graph,
  v: number,
  u: number,
  sources: number,
  pairs: readonly Pair[],
  metrics: readonly Metric[],
): Tensor[] {
  const { tensor, offset } = base.blockOf(u);
  const delta = slice(step, tensor, 0, offset, sources);
  const logits = patchedLogits(step, model, base, graph.slots[v] as Slot, delta);
  const clean = metrics.some(({ usesClean }) => usesClean) ? rows(step, base.logits, sources) : undefined;
  return metrics.map((metric) => metric.loss(step, logits, repeated(pairs, sources), clean));
}

/** Logits [S·B, V] at the last positions when slot v reads its clean stream plus `delta` [S, B, T, C]. */
function patchedLogits(step: Step, model: HookedModel, base: CleanBase, slot: Slot, delta: Tensor): Tensor {
  const { layers, block } = model.info;
  const sources = delta.shape[0] ?? 0;
  const lengths = repeated(base.lengths, sources);
  const plus = (x: Tensor, change: Tensor): Tensor => joinRows(add(step, change, x));
  if (slot.kind === 'logits')
    return model.logits(
      step,
      plus(base.at(blockHook(layers - 1, 'hook_resid_post')), delta),
      lastRows(lengths, base.T),
    );

  const { layer } = slot;
  const after = (change: Tensor): Tensor => {
    const resid = plus(base.at(blockHook(layer, 'hook_resid_post')), change);
    if (layer === layers - 1) return model.logits(step, resid, lastRows(lengths, base.T));
    return model.run(step, { resid, layer: layer + 1, at: 'pre', lengths }, { logits: 'last' }).logits;
  };
  if (slot.kind === 'mlp') {
    const read = base.at(blockHook(layer, block === 'sequential' ? 'hook_resid_mid' : 'hook_resid_pre'));
    const output = splitRows(model.mlp(step, layer, plus(read, delta)), sources);
    return after(sub(step, output, base.at(blockHook(layer, 'hook_mlp_out'))));
  }
  const change = headChange(step, model, base, slot, delta, lengths);
  if (block === 'parallel') return after(change);
  const resid = plus(base.at(blockHook(layer, 'hook_resid_mid')), change);
  return model.run(step, { resid, layer, at: 'mid', lengths }, { logits: 'last' }).logits;
}

/** What head h writes with one of q, k, v patched, minus what it wrote, [S, B, T, C]. Only this head is computed. */
function headChange(
  step: Step,
  model: HookedModel,
  base: CleanBase,
  { layer, head, input }: { readonly layer: number; readonly head: number; readonly input: HeadInput },
  delta: Tensor,
  lengths: readonly number[],
): Tensor {
  const stream = base.at(blockHook(layer, 'hook_resid_pre'));
  const patched = joinRows(add(step, delta, stream));
  const clean = rows(step, stream, delta.shape[0] ?? 0);
  const [q, k, v] = HEAD_INPUTS.map((each) => (each === input ? patched : clean)) as [Tensor, Tensor, Tensor];
  const result = model.attention(step, layer, { q, k, v }, { heads: [head], lengths });
  const before = reshape(slice(step, base.results[layer] as Tensor, 0, head, 1), stream.shape);
  return sub(step, reshape(result, delta.shape), before);
}

/** [S, B, …] → [S·B, …]. */
function joinRows(x: Tensor): Tensor {
  const [sources = 0, B = 0, ...rest] = x.shape;
  return reshape(x, [sources * B, ...rest]);
}

/** [S·B, …] → [S, B, …]. */
function splitRows(x: Tensor, sources: number): Tensor {
  const [count = 0, ...rest] = x.shape;
  return reshape(x, [sources, count / sources, ...rest]);
}

/** [B, …] repeated to [S·B, …]. */
function rows(step: Step, x: Tensor, sources: number): Tensor {
  return joinRows(expand(step, x, [sources, ...x.shape]));
}
