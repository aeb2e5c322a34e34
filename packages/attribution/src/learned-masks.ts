// Edge masks learnt by gradient: every edge has a gate, and gates close where the loss of the restricted run does not need them. Edge pruning, arXiv 2406.16778; MIB's UGS row.
import { LimnError, throwIfAborted } from '@limn/gpu';
import { drawInPasses, recordWithin, settleControls } from '@limn/hooks';
import type { HookedModel, RunControls } from '@limn/hooks';
import type { Step } from '@limn/gpu';
import { add, AdamW, fillUniform, gradients, persistent, readFloats, scale, sum, type Tensor } from '@limn/tensor';
import { expectLengths, settleAblation } from './ablation.js';
import type { Ablation } from './ablation.js';
import { buildGraph } from './graph.js';
import type { Graph } from './graph.js';
import { logistic, openProbability, sampleGates } from './hard-concrete.js';
import { maskKey, maskText, readMasks } from './mask-checkpoint.js';
import type { MaskCheckpoints } from './mask-checkpoint.js';
import { meanLossSlopes } from './masked-run.js';
import { metricIdentity } from './metric-identity.js';
import { checkAnswers, checkDifferentiable } from './metrics.js';
import type { Metric } from './metrics.js';
import { OutputWeights } from './node-outputs.js';
import { checkPairs } from './pairs.js';
import type { Pair } from './pairs.js';
import { slotSites } from './restrict-to-circuit.js';
import type { SlotSite } from './restrict-to-circuit.js';
import { scoresOf } from './scores.js';
import type { Scores } from './scores.js';

/** What masks are learnt for. */
export interface LearnedMaskOptions extends RunControls {
  /** KL asks for the model's own answers; a difference of logits can be driven beyond them. */
  readonly metric: Metric;
  /** What closed edges carry. Default 'patch'. */
  readonly ablation?: Ablation | undefined;
  /** Optimiser steps. Default 200. */
  readonly updates?: number | undefined;
  /** Pairs per step, drawn without replacement until all have been seen. Default 8, or all. */
  readonly pairsPerUpdate?: number | undefined;
  /** λ: loss units that the whole graph costs. Default 1; larger gives smaller circuits. */
  readonly sparsity?: number | undefined;
  /** AdamW's rate for log α. Default .1. */
  readonly rate?: number | undefined;
  /** Where every log α starts; 2 by default: most gates open. */
  readonly start?: number | undefined;
  /** Of the draws of gates and pairs. Default 0; the same seed gives the same bits. */
  readonly seed?: number | undefined;
  /** Keep the state while learning, and go on from what is kept: to the same bits. */
  readonly checkpoints?: MaskCheckpoints | undefined;
}

/** Learnt gates. */
export interface LearnedMasks {
  /** σ(log α) of every edge, in (0, 1): at .5 and above the edge is in the circuit that was learnt. */
  readonly scores: Scores;
  /** Mean loss and expected number of open edges of each update. */
  readonly history: readonly { readonly loss: number; readonly edges: number }[];
}

/**
 * Minimises mean loss + λ · E[open edges] / edges over log α, with gates drawn from the hard concrete distribution at every update, each
 * gate one for all pairs and positions: x_v = x_v + Σ_u (1 − z_uv)(z'_u − ẑ_u). `selectThreshold(scores, 0.5)` is the learnt circuit, and
 * the ranking of scores gives one of any size. Cost: a forward and a backward of the densely restricted model an update, in parts of as many pairs as fit the memory.
 * With `checkpoints` a run that was stopped, wherever that was, goes on to the same bits; a text that is damaged or of other settings is not
 * taken, and written over.
 * @throws LimnError `usage/mask-option`, `usage/metric`, `usage/metric-loss`, `usage/metric-identity`, `usage/ablation`, `usage/unknown-ablation`, `data/pairs-…`, `data/mean-length`, `data/score-not-finite`,
 * `memory/over-budget`, `usage/batch-size`, `usage/memory`; AbortedError
 */
export async function learnedMasks(
  model: HookedModel,
  pairs: readonly Pair[],
  options: LearnedMaskOptions,
): Promise<LearnedMasks> {
  const { metric, signal, onProgress } = options;
  const { batchSize, memoryBytes } = settleControls(options);
  const { every, ...settings } = settle(options, pairs.length);
  const ablation = settleAblation(options.ablation);
  checkPairs(pairs, { model: model.info });
  checkAnswers(pairs, [metric]);
  checkDifferentiable(metric, 'Learning masks');
  expectLengths(
    ablation,
    pairs.map(({ clean }) => clean.length),
  );
  const graph = buildGraph(model.info);
  const sites = slotSites(graph);
  const { checkpoints } = options;
  const key =
    checkpoints &&
    (await maskKey(model, pairs, {
      ...checkpoints,
      metric: metricIdentity(metric),
      ablation,
      settings: { ...settings, batchSize },
      memoryBytes,
    }));
  const gates = sites.map(({ at, columns, sources }) =>
    persistent(model.gpu, [columns.length, sources], new Float32Array(columns.length * sources).fill(settings.start), {
      label: `log α at ${at}`,
    }),
  );
  const optimiser = new AdamW(model.gpu, [
    { rate: settings.rate, params: gates.map((tensor, i) => ({ name: String(i), tensor })) },
  ]);
  const open = (): Step => model.gpu.step({ label: 'learned masks', ...(signal ? { signal } : {}) });
  /** An update but for the optimiser's: loss, expected open edges, and the gradient of both together at every log α. */
  const record = (
    step: Step,
    weights: OutputWeights,
    batch: readonly Pair[],
    noise: readonly Float32Array[],
    atOnce: number,
  ) => {
    const drawn = gates.map((gate, i) => sampleGates(step, gate, noise[i] as Float32Array));
    const run = { model, graph, sites, weights, metric, ablation };
    const { loss, slopes } = meanLossSlopes(step, run, batch, drawn, atOnce);
    const edges = gates.map((gate) => sum(step, openProbability(step, gate))).reduce((a, b) => add(step, a, b));
    const cost = scale(step, edges, settings.sparsity / graph.edgeCount);
    return { loss, edges, slopes: gradients(step, [...drawn, cost], [...slopes, 'ones'], gates) };
  };
  const fitting = new Map<number, number>();
  /** Pairs of a part where the longest of a batch has that length: of nothing else, so that a run that goes on has the same parts. */
  const pairsAtOnce = (longest: number): number => {
    const known = fitting.get(longest);
    if (known !== undefined) return known;
    const pair = pairs.find(({ clean }) => clean.length === longest) as Pair;
    const batch = Array.from({ length: settings.pairsPerUpdate }, () => pair);
    const noise = gates.map(({ size }) => new Float32Array(size));
    const { step, count } = recordWithin({
      what: 'Learning masks',
      unit: 'pair',
      memoryBytes,
      most: Math.min(batchSize, batch.length),
      open,
      record: (step, atOnce) => record(step, OutputWeights.within(step, model), batch, noise, atOnce),
    });
    step.dispose();
    fitting.set(longest, count);
    return count;
  };
  let weights: OutputWeights | undefined;
  const history: { loss: number; edges: number }[] = [];
  let written = 0;
  const keep = async (update: number): Promise<void> => {
    if (checkpoints === undefined || key === undefined || update === written) return;
    const values = await Promise.all(gates.map((gate) => model.gpu.read(gate.storage, 'f32')));
    const state = { update, gates: values, optimiser: await optimiser.state(), history };
    await checkpoints.store.write(key, await maskText(state, key));
    written = update;
  };
  try {
    if (checkpoints && key !== undefined) {
      const found = await readMasks(await checkpoints.store.read(key), key, await optimiser.state());
      if (found) {
        for (const [i, gate] of gates.entries()) model.gpu.write(gate.storage, found.gates[i] as Float32Array);
        optimiser.load(found.optimiser);
        history.push(...found.history);
        written = found.update;
      }
    }
    for (let update = written; update < settings.updates; update++) {
      // Between two updates the state is whole; within one the last checkpoint stands.
      if (signal?.aborted === true) await keep(update);
      throwIfAborted(signal, 'Learning masks');
      const batch = drawInPasses(pairs, update, { perUpdate: settings.pairsPerUpdate, seed: settings.seed });
      const noise = gates.map((gate, i) =>
        logistic(
          fillUniform(new Float32Array(gate.size), { seed: settings.seed, stream: i, start: update * gate.size }),
        ),
      );
      const atOnce = pairsAtOnce(Math.max(...batch.map(({ clean }) => clean.length)));
      weights ??= await OutputWeights.of(model);
      const step = open();
      try {
        const recorded = record(step, weights, batch, noise, atOnce);
        optimiser.step(step, recorded.slopes);
        const [loss, edges] = await Promise.all([readFloats(step, recorded.loss), readFloats(step, recorded.edges)]);
        history.push({ loss: loss[0] as number, edges: edges[0] as number });
      } finally {
        step.dispose();
      }
      if ((update + 1) % every === 0) await keep(update + 1);
      onProgress?.({ unit: 'updates', done: update + 1, total: settings.updates });
    }
    await keep(settings.updates);
    return { scores: await readScores(model, graph, sites, gates), history };
  } finally {
    weights?.dispose();
    optimiser.dispose();
    for (const gate of gates) gate.dispose();
  }
}

async function readScores(
  model: HookedModel,
  graph: Graph,
  sites: readonly SlotSite[],
  gates: readonly Tensor[],
): Promise<Scores> {
  const step = model.gpu.step({ label: 'learned masks: read' });
  try {
    const values = await Promise.all(gates.map((gate) => readFloats(step, gate)));
    const scores = scoresOf(graph, () => 0);
    for (const [i, { columns, sources }] of sites.entries())
      for (const [row, v] of columns.entries())
        for (let u = 0; u < sources; u++) {
          const logAlpha = values[i]?.[row * sources + u] ?? Number.NaN;
          if (!Number.isFinite(logAlpha))
            throw new LimnError('data/score-not-finite', `The mask of ${graph.edgeName(u, v)} became ${logAlpha}.`, {
              details: { name: graph.edgeName(u, v), value: String(logAlpha) },
              hint: 'Lower the rate.',
            });
          scores.values[graph.dense(u, v)] = 1 / (1 + Math.exp(-logAlpha));
        }
    return scores;
  } finally {
    step.dispose();
  }
}

function settle(options: LearnedMaskOptions, pairs: number) {
  const { updates = 200, sparsity = 1, rate = 0.1, start = 2, seed = 0 } = options;
  const { pairsPerUpdate = Math.min(8, pairs), checkpoints } = options;
  const every = checkpoints?.every ?? 10;
  const bad = Object.entries({
    updates: Number.isInteger(updates) && updates >= 1,
    pairsPerUpdate: Number.isInteger(pairsPerUpdate) && pairsPerUpdate >= 1,
    sparsity: Number.isFinite(sparsity) && sparsity >= 0,
    rate: Number.isFinite(rate) && rate > 0,
    start: Number.isFinite(start),
    seed: Number.isSafeInteger(seed) && seed >= 0,
    checkpoints: Number.isInteger(every) && every >= 1,
  }).find(([, allowed]) => !allowed);
  if (bad) {
    const [name] = bad as [keyof LearnedMaskOptions, boolean];
    const given = name === 'checkpoints' ? `every ${every} updates` : String(options[name]);
    throw new LimnError('usage/mask-option', `${name} cannot be ${given}.`, {
      details: { option: name, given },
      hint: 'Updates, pairs per update, updates between checkpoints and seed are whole numbers; sparsity is not negative, the rate is above 0.',
    });
  }
  return { updates, pairsPerUpdate, sparsity, rate, start, seed, every };
}
