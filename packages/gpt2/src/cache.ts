// Keys and values of the positions seen so far, [B, S, H, K] per layer; a new position makes a new cache and leaves the old one alone.
import type { Step } from '@limn/gpu';
import type { KeyValueCache } from '@limn/hooks';
import { concat, keep, type Tensor } from '@limn/tensor';

/** Keys and values of one layer. */
export interface KeysValues {
  readonly k: Tensor;
  readonly v: Tensor;
}

/** A cache of all layers. */
export class LayerCache implements KeyValueCache {
  constructor(
    readonly B: number,
    readonly length: number,
    readonly layers: readonly KeysValues[],
  ) {}

  dispose(): void {
    for (const { k, v } of this.layers) {
      k.dispose();
      v.dispose();
    }
  }
}

/** Extends a cache layer by layer during one run; `finish` takes the result out of the step. */
export class CacheWriter {
  private readonly layers: KeysValues[] = [];

  constructor(
    private readonly step: Step,
    private readonly before: LayerCache | undefined,
  ) {}

  /** All keys and values up to now, for layers called in order. */
  extend(k: Tensor, v: Tensor): KeysValues {
    const past = this.before?.layers[this.layers.length];
    const all = past ? { k: concat(this.step, [past.k, k], 1), v: concat(this.step, [past.v, v], 1) } : { k, v };
    this.layers.push(all);
    return all;
  }

  finish(B: number, length: number): LayerCache {
    return new LayerCache(
      B,
      length,
      this.layers.map(({ k, v }) => ({ k: keep(this.step, k), v: keep(this.step, v) })),
    );
  }
}
