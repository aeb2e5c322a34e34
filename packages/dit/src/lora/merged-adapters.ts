// LoRAs folded into a model's own weights, W ← W₀ + Σ strength·s·(B·A)ᵀ, and taken out again to the bit: W₀ is kept, nothing is ever subtracted.
import { LimnError, throwIfAborted, type Step } from '@limn/gpu';
import type { HookedModel, LinearSite, RunControls } from '@limn/hooks';
import { add, assign, fromData, matmul, persistent, readFloats, scale, Tensor, toF16, toF32 } from '@limn/tensor';
import { checkStrength } from './lora-adapter.js';
import { placedFactors, type BaseOptions, type LoraWeights, type PlacedFactors } from './lora-weights.js';

/** How a LoRA is merged. */
export interface MergeOptions extends BaseOptions, Pick<RunControls, 'signal' | 'onProgress'> {
  /** Multiplies the scale. Default 1. */
  readonly strength?: number | undefined;
}

/** A LoRA among the merged ones. */
interface Merged {
  readonly strength: number;
  readonly byLinear: ReadonlyMap<string, PlacedFactors>;
}

/** Models whose weights somebody keeps already. */
const kept = new WeakSet<HookedModel>();

/**
 * The adapters merged into one model. Of every map that one of them changes, the original weight W₀ stays in GPU memory until no adapter
 * changes it. The weights are then W₀ and the sum over the adapters that are merged, in the order in which they came: taking one out gives
 * the bits that merging the others alone would have given. Who trains the model meanwhile loses that training at the next change.
 * `info.fingerprint` stays that of the original weights. A key-value cache of before a change does not fit the weights behind it.
 */
export class MergedAdapters {
  readonly #merged = new Map<string, Merged>();
  readonly #originals = new Map<string, Tensor>();
  #busy = false;

  /** @throws LimnError `usage/lora-merged` if another one is open for the model */
  constructor(readonly model: HookedModel) {
    if (kept.has(model))
      throw refuse(
        'The weights of this model are kept by another MergedAdapters.',
        'Use that one, or dispose of it first.',
      );
    kept.add(model);
  }

  /** Names of what is merged, in order. */
  get names(): readonly string[] {
    return [...this.#merged.keys()];
  }

  /**
   * Merges an adapter. Every new weight is computed and found finite before the first one is changed; `signal` ends it until then. In a model
   * that stores weights as f16, the sum is rounded to f16 once.
   * @throws LimnError `usage/lora-merged` for a name that is taken; `data/lora-merge` if a weight would become NaN or infinite;
   * `usage/lora-strength`, `data/lora-empty`, `data/lora-module`, `data/lora-rank`, `data/lora-shape`, `data/lora-values`, `data/lora-base`,
   * `data/lora-processed`; `aborted`; `gpu/…`
   */
  async merge(name: string, lora: LoraWeights, options: MergeOptions = {}): Promise<void> {
    const { strength = 1, anyBase, signal, onProgress } = options;
    checkStrength(strength);
    const placed = placedFactors(this.model, lora, { anyBase });
    if (this.#merged.has(name))
      throw refuse(`'${name}' is merged already.`, 'Give it another name, or unmerge it first.');
    const added: Merged = { strength, byLinear: new Map(placed.map((each) => [each.linear.name, each])) };
    for (const { linear } of placed) this.#stored(linear);
    const linears = placed.map(({ linear }) => linear);
    await this.#alone(async () => {
      for (const [done, linear] of linears.entries()) {
        throwIfAborted(signal, 'merging an adapter');
        await this.#expectFinite(linear, [...this.#merged.values(), added], name);
        onProgress?.({ unit: 'weights', done: done + 1, total: linears.length });
      }
      throwIfAborted(signal, 'merging an adapter');
      try {
        for (const linear of linears) await this.#keepOriginal(linear);
        this.#merged.set(name, added);
        await this.#update(linears);
      } catch (cause) {
        this.#merged.delete(name);
        // What failed is the news; on a lost device this fails in the same way.
        await this.#update(linears).catch(() => undefined);
        throw cause;
      }
    });
  }

  /**
   * Takes an adapter out again, whichever came after it.
   * @throws LimnError `usage/lora-merged` for a name that is not merged; `gpu/…`
   */
  async unmerge(name: string): Promise<void> {
    const gone = this.#merged.get(name);
    if (!gone) throw refuse(`'${name}' is not merged.`, `Merged are: ${this.names.join(', ') || 'none'}.`);
    await this.#alone(async () => {
      this.#merged.delete(name);
      await this.#update(Array.from(gone.byLinear.values(), ({ linear }) => linear));
    });
  }

  /**
   * Gives the model its original weights back, to the bit.
   * @throws LimnError `usage/lora-merged`, `gpu/…`
   */
  async unmergeAll(): Promise<void> {
    for (const name of [...this.names].reverse()) await this.unmerge(name);
  }

  /** Lets go of the originals. What is merged stays so, and is the model's own from now on; `unmergeAll` first for the original weights. */
  dispose(): void {
    for (const original of this.#originals.values()) original.dispose();
    this.#originals.clear();
    this.#merged.clear();
    kept.delete(this.model);
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  /** One change at a time: each begins with the weights that the one before it left. */
  async #alone(change: () => Promise<void>): Promise<void> {
    if (this.#busy) throw refuse('Another adapter is being merged or unmerged.', 'Await that first.');
    this.#busy = true;
    try {
      await change();
    } finally {
      this.#busy = false;
    }
  }

  /** Writes the weights of these maps as they are to be now; originals that are the weights again are let go. */
  async #update(linears: readonly LinearSite[]): Promise<void> {
    for (const linear of linears) {
      const original = this.#originals.get(linear.name);
      if (!original) continue;
      const all = this.#changing(linear, [...this.#merged.values()]);
      const step = this.model.gpu.step({ label: `merge ${linear.name}` });
      try {
        assign(step, this.#stored(linear), all.length === 0 ? original : this.#sum(step, linear, all));
        await step.submit();
      } finally {
        step.dispose();
      }
      if (all.length > 0) continue;
      original.dispose();
      this.#originals.delete(linear.name);
    }
  }

  async #keepOriginal(linear: LinearSite): Promise<void> {
    if (this.#originals.has(linear.name)) return;
    const stored = this.#stored(linear);
    const { gpu } = this.model;
    const copy = persistent(gpu, stored.shape, undefined, { dtype: stored.dtype, label: `original ${linear.name}` });
    const step = gpu.step({ label: `keep ${linear.name}` });
    try {
      assign(step, copy, stored);
      await step.submit();
      this.#originals.set(linear.name, copy);
    } catch (error) {
      copy.dispose();
      throw error;
    } finally {
      step.dispose();
    }
  }

  async #expectFinite(linear: LinearSite, merged: readonly Merged[], name: string): Promise<void> {
    const step = this.model.gpu.step({ label: `check ${linear.name}` });
    try {
      const values = await readFloats(step, this.#sum(step, linear, this.#changing(linear, merged)));
      const odd = values.findIndex((value) => !Number.isFinite(value));
      if (odd < 0) return;
      throw new LimnError(
        'data/lora-merge',
        `Merging '${name}' would make ${linear.name}.weight ${values[odd]} at ${odd}; no weight was changed.`,
        {
          details: { adapter: name, module: linear.name, at: odd, value: String(values[odd]) },
          hint:
            this.#stored(linear).dtype === 'f16'
              ? 'f16 ends at 65504: load the model with f32 weights, or use the adapter without merging.'
              : 'Merge at a smaller strength, or use an adapter whose training did not diverge.',
        },
      );
    } finally {
      step.dispose();
    }
  }

  #changing(linear: LinearSite, merged: readonly Merged[]): (readonly [PlacedFactors, number])[] {
    return merged.flatMap(({ strength, byLinear }) => {
      const placed = byLinear.get(linear.name);
      return placed ? [[placed, strength * placed.scale] as const] : [];
    });
  }

  /** W₀ + Σ f·(B·A)ᵀ, stored as W₀ is: [in, out] or [out, in], f32 or rounded to f16. */
  #sum(step: Step, linear: LinearSite, changes: readonly (readonly [PlacedFactors, number])[]): Tensor {
    const { inWidth, outWidth, orientation } = linear;
    const original = this.#originals.get(linear.name) ?? this.#stored(linear);
    let weight = original.dtype === 'f16' ? toF32(step, original) : original;
    for (const [{ factors }, factor] of changes) {
      const a = fromData(step, factors.a, [factors.rank, inWidth]);
      const b = fromData(step, factors.b, [outWidth, factors.rank]);
      const delta =
        orientation === 'in-out' ? matmul(step, a, b, { transposeA: true, transposeB: true }) : matmul(step, b, a);
      weight = add(step, weight, scale(step, delta, factor));
    }
    return original.dtype === 'f16' ? toF16(step, weight) : weight;
  }

  #stored(linear: LinearSite): Tensor {
    const stored = this.model.parameters().get(`${linear.name}.weight`);
    if (stored instanceof Tensor && stored.size === linear.inWidth * linear.outWidth) return stored;
    throw refuse(
      `${this.model.info.architecture} has no weight ${linear.name}.weight of its size that could be changed.`,
      'Use the adapter without merging.',
    );
  }
}

function refuse(what: string, hint: string): LimnError {
  return new LimnError('usage/lora-merged', what, { hint });
}
