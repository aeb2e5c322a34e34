// Models with something in their MLPs' place, all measured on the same batches: predictions, what is left unexplained, which features fire.
import { LimnError, formatBytes, type Step } from '@limn/gpu';
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
import type { FeatureEncoder } from '../encoder.js';
import type { FidelitySums } from './fidelity.js';
import { countFirings } from './firings-of.js';
import { flat, type SettledControls } from './mean-rows.js';
import { keepOriginal, originalSums, recordOriginal, startAt, total, type KeptOriginal } from './original-run.js';

/** One way to edit the model. */
export interface Case {
  /** The first layer whose block differs from the original's. */
  readonly firstLayer: number;
  readonly interventions: readonly Intervention[];
  /** The layers whose MLP outputs are compared with the original's. */
  readonly rebuilds?: readonly number[] | undefined;
  /** What is compared, by the order of `rebuilds`: made of the original's rows at sites of `counts`. Default: the outputs of the edited run. */
  readonly rebuild?: ((step: Step, rowsAt: (site: HookName) => Tensor) => readonly Tensor[]) | undefined;
  /** Features that are counted, on the original's rows. */
  readonly counts?: readonly FeatureEncoder[] | undefined;
}

/** What a case adds up to. */
export interface CaseSums extends FidelitySums {
  /** Σ ‖y − ŷ‖² of each of `rebuilds`. */
  readonly residuals: number[];
  /** Tokens on which each feature of each of `counts` fired, [F]. */
  readonly fired: readonly Float64Array[];
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
      ...cases.flatMap(({ counts = [] }) => counts.map(({ reads }) => reads)),
      ...rebuilt.map((layer) => blockHook(layer, 'hook_mlp_out')),
    ]),
  ];
  const sums = cases.map(({ rebuilds = [], counts = [] }): CaseSums => ({
    loss: 0,
    divergence: 0,
    agreed: 0,
    residuals: rebuilds.map(() => 0),
    fired: counts.map(({ config }) => new Float64Array(config.features)),
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
  { firstLayer, interventions, rebuilds = [], rebuild, counts = [] }: Case,
  sums: CaseSums,
  { memoryBytes, signal }: SettledControls,
): Promise<void> {
  using step = model.gpu.step({ label: 'replaced', ...(signal ? { signal } : {}) });
  const outputs = rebuilds.map((layer) => blockHook(layer, 'hook_mlp_out'));
  const capture = rebuild ? [] : outputs;
  const { predicting, targets, reference, kept } = original;
  const run = model.run(step, startAt(original, model, firstLayer), { interventions, capture, logits: predicting });
  const next = fromData(step, targets, [targets.length], { label: 'next tokens' });
  const ids = fromData(step, kept, [kept.length], { label: 'kept rows' });
  const rowsOf = (x: Tensor): Tensor => gatherRows(step, flat(x), ids);
  const originalAt = (site: HookName): Tensor => rowsOf(original.at.get(site) as Tensor);
  const loss = crossEntropy(step, run.logits, next);
  const divergence = klDivergence(step, reference, run.logits);
  const { indices } = topK(step, run.logits, 1);
  const rebuilt = rebuild?.(step, originalAt) ?? outputs.map((site) => rowsOf(run.at(site)));
  const residuals = outputs.map((site, i) => {
    const e = sub(step, rebuilt[i] as Tensor, originalAt(site));
    return dot(step, e, e, { axes: 1 });
  });
  const fired = counts.map((each) => countFirings(step, each, originalAt(each.reads)));
  const { bytesPeak } = step.plan();
  if (bytesPeak > memoryBytes)
    throw new LimnError(
      'memory/over-budget',
      `Evaluating dictionaries takes ${formatBytes(bytesPeak)} for ${original.sequences.length} sequences at a time; the budget is ${formatBytes(memoryBytes)}.`,
      { details: { bytesNeeded: bytesPeak, memoryBytes }, hint: 'Lower batchSize, or raise memoryBytes.' },
    );
  const readAll = (of: readonly Tensor[]): Promise<Float32Array[]> =>
    Promise.all(of.map((each) => readFloats(step, each)));
  const [losses, divergences, likeliest, squares, counted] = await Promise.all([
    readFloats(step, loss),
    readFloats(step, divergence),
    readWords(step, indices),
    readAll(residuals),
    readAll(fired),
  ]);
  addTo(sums, {
    loss: total(losses),
    divergence: total(divergences),
    agreed: likeliest.reduce((sum, id, n) => sum + (id === original.likeliest[n] ? 1 : 0), 0),
  });
  for (const [i, each] of squares.entries()) sums.residuals[i] = (sums.residuals[i] as number) + total(each);
  for (const [i, each] of counted.entries()) {
    const of = sums.fired[i] as Float64Array;
    each.forEach((count, f) => (of[f] = (of[f] as number) + count));
  }
}
