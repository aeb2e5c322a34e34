// The untouched model on some sequences, kept on the GPU for as long as others are measured against it.
import type { Step } from '@limn/gpu';
import { blockHook, tokenBatch, type HookedModel, type HookName, type RunInput } from '@limn/hooks';
import { crossEntropy, fromData, keep, logSoftmax, readFloats, readWords, Tensor, topK } from '@limn/tensor';
import { keptRows } from '../training/token-source.js';
import type { FidelitySums } from './fidelity.js';

/** A recorded run of the untouched model. */
export interface RecordedOriginal {
  readonly sequences: readonly ArrayLike<number>[];
  readonly T: number;
  readonly lengths: readonly number[];
  /** Flat indices of the tokens that have a next one, and those next ones. */
  readonly predicting: Uint32Array;
  readonly targets: Uint32Array;
  /** Flat indices of the tokens at positions ≥ skip. */
  readonly kept: Uint32Array;
  /** Log-probabilities [predicting, V]. */
  readonly reference: Tensor;
  /** Cross-entropies and likeliest tokens [predicting]. */
  readonly losses: Tensor;
  readonly likeliest: Tensor;
  /** [B, T, …] at the wanted sites. */
  readonly at: ReadonlyMap<HookName, Tensor>;
}

/** Records the model on sequences, of which some may be single tokens, but not all. */
export function recordOriginal(
  step: Step,
  model: HookedModel,
  sequences: readonly ArrayLike<number>[],
  { sites, skip }: { readonly sites: readonly HookName[]; readonly skip: number },
): RecordedOriginal {
  const tokens = tokenBatch(sequences, model.info);
  const { T, lengths } = tokens;
  const predicting = Uint32Array.from(
    lengths.flatMap((length, b) => Array.from({ length: length - 1 }, (_, t) => b * T + t)),
  );
  const run = model.run(step, { tokens }, { capture: sites, logits: predicting });
  const targets = predicting.map((at) => tokens.ids[at + 1] as number);
  return {
    sequences,
    T,
    lengths,
    predicting,
    targets,
    kept: keptRows(lengths, T, skip),
    reference: logSoftmax(step, run.logits),
    losses: crossEntropy(step, run.logits, fromData(step, targets, [targets.length], { label: 'next tokens' })),
    likeliest: topK(step, run.logits, 1).indices,
    at: new Map(sites.map((site) => [site, run.at(site)])),
  };
}

/** An original that outlives its step. */
export interface KeptOriginal extends Omit<RecordedOriginal, 'losses' | 'likeliest'>, Disposable {
  readonly losses: Float32Array;
  readonly likeliest: Uint32Array;
}

/** Runs the step and keeps what others are measured against. */
export async function keepOriginal(step: Step, recorded: RecordedOriginal): Promise<KeptOriginal> {
  // Sites may share memory with one another; each storage is kept, and let go, once.
  const reference = keep(step, recorded.reference);
  const at = new Map([...recorded.at].map(([site, tensor]) => [site, keep(step, tensor)] as const));
  const storages = new Set([reference, ...at.values()].map(({ storage }) => storage));
  const [losses, likeliest] = await Promise.all([
    readFloats(step, recorded.losses),
    readWords(step, recorded.likeliest),
  ]);
  return {
    ...recorded,
    reference,
    at,
    losses,
    likeliest,
    [Symbol.dispose]: () => {
      for (const storage of storages) storage.dispose();
    },
  };
}

/** Where a run that differs from block `layer` on may start: at that block's stream, if the original kept it. */
export function startAt(original: KeptOriginal, model: HookedModel, layer: number): RunInput {
  const resid = layer > 0 ? original.at.get(blockHook(layer, 'hook_resid_pre')) : undefined;
  if (resid) return { resid, layer, at: 'pre', lengths: original.lengths };
  return { tokens: tokenBatch(original.sequences, model.info) };
}

/** What the original's own predictions add up to. */
export const originalSums = ({ losses, targets }: KeptOriginal): FidelitySums => ({
  loss: total(losses),
  divergence: 0,
  agreed: targets.length,
});

/** Σ in float64. */
export const total = (values: Float32Array): number => values.reduce((sum, value) => sum + value, 0);
