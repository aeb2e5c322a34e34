// The activation difference lens: what a fine-tune adds to the residual stream on texts that have nothing to do with it, read through the unembedding. Minder et al. 2025, arXiv 2510.13900.
import { LimnError, shownValue, throwIfAborted } from '@limn/gpu';
import { settleControls, type HookedModel, type RunControls } from '@limn/hooks';
import { fromData, matmul, mul, readFloats, reshape } from '@limn/tensor';
import type { BaseOptions, LoraWeights } from '../lora/lora-weights.js';
import { differenceSums } from './difference-sums.js';
import { loraGroups } from './lora-groups.js';

/** What is looked at, and what for. */
export interface DifferenceLensOptions extends BaseOptions, RunControls {
  /** Neutral ones: texts in which no diff has anything to say. */
  readonly prompts: readonly (readonly number[])[];
  /** What is scored: tokens, or several tokens each, such as the words of a topic, whose scores' mean is theirs. */
  readonly candidates: readonly (readonly number[])[];
  /** Behind which blocks, from 0. Default: all. Which one is read is a choice that validation diffs have to make. */
  readonly layers?: readonly number[] | undefined;
  /** First position. Default 0. */
  readonly from?: number | undefined;
  /** How many positions. Default 5, as in the paper; Infinity for all. */
  readonly positions?: number | undefined;
  /** Diffs that are run together. Default 16. */
  readonly tasks?: number | undefined;
}

/** What the lens shows of one diff. */
export interface DifferenceReading {
  /** For every layer asked for: the score of every candidate. */
  readonly scores: readonly Float32Array[];
  /** For every layer: ‖d‖, how far the mean stream was moved. */
  readonly norms: readonly number[];
}

/**
 * d_l = mean over prompts and positions of x_l(M_i) − x_l(M), x_l the residual stream behind block l. Scores are W_U·(γ∘c) with c = (d − mean(d)) / rms(d − mean(d)), the final norm's map of d without its β and the
 * unembedding's bias, which are no part of a difference (RMSNorm does not subtract the mean): so many units for any size of d, and 0 where d is. Prompts are cut behind the last position that counts.
 * Cost: (1 + 1/tasks) runs of the prompts per diff. GPU memory is that of one batch.
 * @throws LimnError `usage/baseline` for prompts, candidates, layers and positions that cannot be used; `usage/batch-size`, `usage/memory`, `memory/over-budget`; for diffs of another model `data/lora-base`,
 * `data/lora-processed`, `data/lora-empty`, `data/lora-module`, `data/lora-rank`, `data/lora-shape`, `data/lora-values`; `hooks/…`, `tokens/…`, `gpu/…`; AbortedError
 */
export async function activationDifferenceLens(
  model: HookedModel,
  diffs: readonly LoraWeights[],
  options: DifferenceLensOptions,
): Promise<DifferenceReading[]> {
  const { candidates, signal, onProgress, anyBase, tasks = 16 } = options;
  const { layers, from, to, prompts, places } = settleLens(model, options);
  const controls = settleControls(options);
  const readings: DifferenceReading[] = [];
  const C = model.info.width;
  let done = 0;
  for (const group of loraGroups(model, diffs, { tasks, anyBase })) {
    throwIfAborted(signal, 'The activation difference lens');
    const sums = await differenceSums(model, group, prompts, { layers, from, to }, { ...controls, signal });
    const means = sums.map((sum) => sum.map((value) => value / places));
    const scores = await scoresOf(model, means, candidates);
    group.members.forEach((place, i) => {
      readings[place] = {
        scores: scores.map((all) => all.slice(i * candidates.length, (i + 1) * candidates.length)),
        norms: means.map((mean) => Math.hypot(...mean.subarray(i * C, (i + 1) * C))),
      };
    });
    done += group.members.length;
    onProgress?.({ unit: 'diffs', done, total: diffs.length });
  }
  return readings;
}

/** For every layer [diffs, candidates], from mean differences [diffs, C]. */
async function scoresOf(
  model: HookedModel,
  means: readonly Float64Array[],
  candidates: readonly (readonly number[])[],
): Promise<Float32Array[]> {
  const C = model.info.width;
  const ids = [...new Set(candidates.flat())];
  const placeOf = new Map(ids.map((id, place) => [id, place]));
  const { centred, gamma } = model.norm('ln_final');
  using step = model.gpu.step({ label: 'reading of differences' });
  const table = model.unembedRows(step, ids);
  const logits = means.map((mean) => {
    const N = mean.length / C;
    const directions = new Float32Array(N * C);
    for (let n = 0; n < N; n++) directions.set(normalised(mean.subarray(n * C, (n + 1) * C), centred), n * C);
    const scaled = mul(step, fromData(step, directions, [N, C]), reshape(gamma, [1, C]));
    return readFloats(step, matmul(step, scaled, table, { transposeB: true }));
  });
  return (await Promise.all(logits)).map((of) => {
    const N = of.length / ids.length;
    return Float32Array.from({ length: N * candidates.length }, (_, i) => {
      const words = candidates[i % candidates.length] as readonly number[];
      const row = Math.floor(i / candidates.length) * ids.length;
      return words.reduce((sum, id) => sum + (of[row + (placeOf.get(id) as number)] as number), 0) / words.length;
    });
  });
}

/** (d − mean(d)) / rms, or d / rms; 0 where that is 0. */
function normalised(d: Float64Array, centred: boolean): Float64Array {
  const mean = centred ? d.reduce((sum, value) => sum + value, 0) / d.length : 0;
  const rest = d.map((value) => value - mean);
  const rms = Math.sqrt(rest.reduce((sum, value) => sum + value * value, 0) / d.length);
  return rms === 0 ? rest : rest.map((value) => value / rms);
}

function settleLens({ info }: HookedModel, options: DifferenceLensOptions) {
  const { prompts, candidates, from = 0, positions = 5, tasks = 16 } = options;
  const layers = options.layers ?? Array.from({ length: info.layers }, (_, layer) => layer);
  refuseUnless('tasks', tasks, 'whole numbers from 1', Number.isSafeInteger(tasks) && tasks >= 1);
  refuseUnless('from', from, 'whole numbers from 0', Number.isSafeInteger(from) && from >= 0);
  const some = positions === Number.POSITIVE_INFINITY || (Number.isSafeInteger(positions) && positions >= 1);
  refuseUnless('positions', positions, 'whole numbers from 1, or Infinity', some);
  const known = layers.length > 0 && new Set(layers).size === layers.length;
  refuseUnless('layers', layers.length, 'one at least, each once', known);
  for (const layer of layers)
    refuseUnless(
      'a layer',
      layer,
      `0 to ${info.layers - 1}`,
      Number.isInteger(layer) && layer >= 0 && layer < info.layers,
    );
  refuseUnless('candidates', candidates.length, 'one at least', candidates.length > 0);
  candidates.forEach((words, i) => {
    refuseUnless(`candidate ${i}`, words.length, 'one token at least', words.length > 0);
    for (const id of words)
      refuseUnless(
        `a token of candidate ${i}`,
        id,
        `0 to ${info.vocabulary - 1}`,
        Number.isInteger(id) && id >= 0 && id < info.vocabulary,
      );
  });
  const to = from + positions;
  const cut = prompts.map((prompt) => prompt.slice(0, to)).filter(({ length }) => length > from);
  const places = cut.reduce((sum, { length }) => sum + length - from, 0);
  refuseUnless('prompts with a position that counts', cut.length, 'one at least', places > 0);
  return { layers, from, to, prompts: cut, places };
}

function refuseUnless(what: string, given: unknown, allowed: string, holds: boolean): void {
  if (holds) return;
  throw new LimnError(
    'usage/baseline',
    `The activation difference lens: ${what}: ${shownValue(given)}; allowed: ${allowed}.`,
    {
      details: { what, given: shownValue(given), allowed },
    },
  );
}
