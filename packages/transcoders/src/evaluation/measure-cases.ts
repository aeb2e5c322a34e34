// Models with something in their MLPs' place, all measured on the same batches: predictions, what is left unexplained, which features fire.
import { LimnError, formatBytes } from '@limn/gpu';
import { blockHook, inBatches, type HookedModel, type HookName, type Intervention } from '@limn/hooks';
import {
  crossEntropy,
  dot,
  fromData,
  gatherRows,
  klDivergence,
  readFloats,
  readWords,
  sub,
  topK,
  type Tensor,
} from '@limn/tensor';
import type { Dictionary } from '../dictionary.js';
import type { FidelitySums } from './fidelity.js';
import { countFirings } from './firings-of.js';
import { flat, type SettledControls } from './mean-rows.js';
import { keepOriginal, originalSums, recordOriginal, startAt, total, type KeptOriginal } from './original-run.js';

/** One way to edit the model. */
export interface Case {
  /** The first layer whose block differs from the original's. */
  readonly firstLayer: number;
  readonly interventions: readonly Intervention[];
  /** The layer whose MLP output is compared with the original's, where one is. */
  readonly rebuilds?: number | undefined;
  /** The dictionary whose features are counted. */
  readonly counts?: Dictionary | undefined;
}

/** What a case adds up to. */
export interface CaseSums extends FidelitySums {
  /** Σ ‖y − ŷ‖² of `rebuilds`. */
  residual: number;
  /** Tokens on which each feature of `counts` fired, [F]. */
  readonly fired: Float64Array;
}

/** All cases over all sequences. */
export interface MeasuredCases {
  readonly cases: readonly CaseSums[];
  readonly original: FidelitySums;
  /** Predictions, and tokens at positions ≥ skip. */
  readonly predictions: number;
  readonly tokens: number;
  /** Σ ‖y − ȳ‖² by layer. */
  readonly variance: ReadonlyMap<number, number>;
}

/**
 * Runs the original once a batch and every case from its first edited block on. `means` has ȳ of every layer that a case rebuilds.
 * @throws LimnError `memory/over-budget`; AbortedError
 */
export async function measureCases(
  model: HookedModel,
  sequences: readonly ArrayLike<number>[],
  cases: readonly Case[],
  {
    skip,
    means,
    ...controls
  }: SettledControls & { readonly skip: number; readonly means: ReadonlyMap<number, Tensor> },
): Promise<MeasuredCases> {
  const rebuilt = [...new Set(cases.flatMap(({ rebuilds }) => rebuilds ?? []))];
  const sites = [
    ...new Set<HookName>([
      ...cases.flatMap(({ firstLayer }) => (firstLayer > 0 ? blockHook(firstLayer, 'hook_resid_pre') : [])),
      ...cases.flatMap(({ counts }) => counts?.reads ?? []),
      ...rebuilt.map((layer) => blockHook(layer, 'hook_mlp_out')),
    ]),
  ];
  const sums = cases.map(({ counts }): CaseSums => ({
    loss: 0,
    divergence: 0,
    agreed: 0,
    residual: 0,
    fired: new Float64Array(counts?.config.features ?? 0),
  }));
  const original: FidelitySums = { loss: 0, divergence: 0, agreed: 0 };
  const variance = new Map(rebuilt.map((layer) => [layer, 0]));
  let predictions = 0;
  let tokens = 0;
  await inBatches(
    model.gpu,
    sequences,
    {
      what: 'Evaluating dictionaries',
      unit: 'sequence',
      label: 'original',
      lengthOf: ({ length }) => length,
      record: (step, batch) => recordOriginal(step, model, batch, { sites, skip }),
      take: async (step, recorded) => {
        using kept = await keepOriginal(step, recorded);
        predictions += kept.targets.length;
        tokens += kept.kept.length;
        addTo(original, originalSums(kept));
        for (const layer of rebuilt)
          variance.set(
            layer,
            (variance.get(layer) as number) + (await spreadOf(model, kept, layer, means.get(layer) as Tensor)),
          );
        for (const [i, each] of cases.entries()) await measure(model, kept, each, sums[i] as CaseSums, controls);
      },
    },
    controls,
  );
  return { cases: sums, original, predictions, tokens, variance };
}

function addTo(sums: FidelitySums, { loss, divergence, agreed }: FidelitySums): void {
  sums.loss += loss;
  sums.divergence += divergence;
  sums.agreed += agreed;
}

/** Σ ‖y − ȳ‖² of a layer's MLP over the kept tokens of a batch. */
async function spreadOf(model: HookedModel, original: KeptOriginal, layer: number, mean: Tensor): Promise<number> {
  using step = model.gpu.step({ label: 'variance' });
  const ids = fromData(step, original.kept, [original.kept.length], { label: 'kept rows' });
  const y = gatherRows(step, flat(original.at.get(blockHook(layer, 'hook_mlp_out')) as Tensor), ids);
  const e = sub(step, y, mean);
  return total(await readFloats(step, dot(step, e, e, { axes: 1 })));
}

/** Adds a batch to a case's sums. */
async function measure(
  model: HookedModel,
  original: KeptOriginal,
  { firstLayer, interventions, rebuilds, counts }: Case,
  sums: CaseSums,
  { memoryBytes, signal }: SettledControls,
): Promise<void> {
  using step = model.gpu.step({ label: 'replaced', ...(signal ? { signal } : {}) });
  const capture = rebuilds === undefined ? [] : [blockHook(rebuilds, 'hook_mlp_out')];
  const { predicting, targets, reference, kept } = original;
  const run = model.run(step, startAt(original, model, firstLayer), { interventions, capture, logits: predicting });
  const next = fromData(step, targets, [targets.length], { label: 'next tokens' });
  const ids = fromData(step, kept, [kept.length], { label: 'kept rows' });
  const rowsOf = (x: Tensor): Tensor => gatherRows(step, flat(x), ids);
  const loss = crossEntropy(step, run.logits, next);
  const divergence = klDivergence(step, reference, run.logits);
  const { indices } = topK(step, run.logits, 1);
  let residual: Tensor | undefined;
  if (rebuilds !== undefined) {
    const site = blockHook(rebuilds, 'hook_mlp_out');
    const e = sub(step, rowsOf(run.at(site)), rowsOf(original.at.get(site) as Tensor));
    residual = dot(step, e, e, { axes: 1 });
  }
  const fired = counts && countFirings(step, counts, rowsOf(original.at.get(counts.reads) as Tensor));
  const { bytesPeak } = step.plan();
  if (bytesPeak > memoryBytes)
    throw new LimnError(
      'memory/over-budget',
      `Evaluating dictionaries takes ${formatBytes(bytesPeak)} for ${original.sequences.length} sequences at a time; the budget is ${formatBytes(memoryBytes)}.`,
      { details: { bytesNeeded: bytesPeak, memoryBytes }, hint: 'Lower batchSize, or raise memoryBytes.' },
    );
  const [losses, divergences, likeliest, residuals, counted] = await Promise.all([
    readFloats(step, loss),
    readFloats(step, divergence),
    readWords(step, indices),
    residual && readFloats(step, residual),
    fired && readFloats(step, fired),
  ]);
  addTo(sums, {
    loss: total(losses),
    divergence: total(divergences),
    agreed: likeliest.reduce((sum, id, n) => sum + (id === original.likeliest[n] ? 1 : 0), 0),
  });
  if (residuals) sums.residual += total(residuals);
  counted?.forEach((count, f) => (sums.fired[f] = (sums.fired[f] as number) + count));
}
