// Keys and values of the positions seen so far: [B, S, H, K] per layer, of a fixed size and written in place on the GPU, so that every
// decoded token runs the plan, buffers and bind groups of the one before.
import { LimnError, type Gpu, type Step } from '@limn/gpu';
import { fromData, persistent, writeRows, type Tensor } from '@limn/tensor';
import type { ModelInfo, Run } from './model.js';
import type { TokenBatch } from './token-batch.js';

/** What a cache needs to know of its model. */
export interface CachedModel {
  readonly gpu: Gpu;
  readonly info: ModelInfo;
}

/** Keys and values of one layer, [B, S, H, K] each. */
export interface KeysValues {
  readonly k: Tensor;
  readonly v: Tensor;
}

/** What attention of one layer sees in one pass: keys and values [B, S, H, K], and the options of `causalAttention` that go with them. */
export interface SeenKeys extends KeysValues {
  readonly past?: number;
  readonly lengths?: Tensor;
}

/**
 * Room for `capacity` positions of each row. Positions that hold nothing are zero. Rows differ in length; a row that has ended stays
 * as it is. Owned by whoever asked for it: `dispose` frees its 2·L·B·S·C·4 bytes.
 * @throws LimnError `hooks/bad-cache` for a capacity beyond the model's positions, `gpu/…`
 */
export class KeyValueCache {
  private readonly layers: readonly KeysValues[];
  private held: readonly number[];

  constructor(
    private readonly model: CachedModel,
    readonly B: number,
    /** Positions that each row has room for. */
    readonly capacity: number,
  ) {
    const { layers, heads, headWidth, maxPositions } = model.info;
    if (!Number.isInteger(capacity) || capacity < 1 || capacity > maxPositions) {
      throw new LimnError('hooks/bad-cache', `a cache cannot have room for ${capacity} positions`, {
        details: { capacity, maxPositions },
        hint: `Give a whole number from 1 to the model's ${maxPositions} positions.`,
      });
    }
    this.held = Array.from({ length: B }, () => 0);
    const made: Tensor[] = [];
    const room = (label: string): Tensor => {
      const tensor = persistent(model.gpu, [B, capacity, heads, headWidth], undefined, { label });
      made.push(tensor);
      return tensor;
    };
    try {
      this.layers = Array.from({ length: layers }, (_, l) => ({
        k: room(`cached keys of layer ${l}`),
        v: room(`cached values of layer ${l}`),
      }));
    } catch (error) {
      made.forEach((tensor) => tensor.dispose());
      throw error;
    }
  }

  /** Positions that each row holds, of the steps recorded so far. */
  get lengths(): readonly number[] {
    return this.held;
  }

  /** Frees the keys and values of every layer. */
  dispose(): void {
    for (const { k, v } of this.layers) {
      k.dispose();
      v.dispose();
    }
  }

  /**
   * Records a pass over `tokens`, each row behind what it holds. Rows of length 0 have ended: they are computed, but nothing of them is kept.
   * @throws LimnError `hooks/bad-cache` for a cache of another model or batch, or one without room; `hooks/bad-input` for more than one new token per row that holds something
   */
  record(model: CachedModel, step: Step, tokens: TokenBatch, forward: (pass: CachePass) => Run): Run {
    if (model !== this.model || tokens.B !== this.B) {
      throw new LimnError(
        'hooks/bad-cache',
        `a cache for ${this.B} rows of ${this.model.info.architecture} cannot continue ${tokens.B} rows of ${model === this.model ? 'it' : 'another model'}`,
        { details: { cached: this.B, given: tokens.B }, hint: 'Use the cache that prefill() of the same batch gave.' },
      );
    }
    const { lengths, T } = tokens;
    const first = this.held.every((length) => length === 0);
    if (!first && T > 1) {
      throw new LimnError('hooks/bad-input', `decode takes one new token per row, got ${T}`, {
        hint: 'Give the rest of a prompt to prefill().',
      });
    }
    const full = this.held.findIndex((length, b) => length + (lengths[b] as number) > this.capacity);
    if (full >= 0) {
      throw new LimnError(
        'hooks/bad-cache',
        `row ${full} holds ${this.held[full]} positions and ${lengths[full]} are to follow; the cache has room for ${this.capacity}`,
        {
          details: { row: full, held: this.held[full], capacity: this.capacity },
          hint: 'Ask prefill() for a larger capacity.',
        },
      );
    }
    const run = forward(new CachePass(step, this.held, lengths, first ? undefined : this.capacity, this.layers));
    this.held = this.held.map((length, b) => length + (lengths[b] as number));
    return run;
  }
}

/** One forward pass that fills a cache. A model's attention asks it what to look at. */
export class CachePass {
  private readonly places: Tensor;
  private readonly ends: Tensor | undefined;

  constructor(
    private readonly step: Step,
    /** Absolute position of column 0 of each row. */
    readonly pasts: readonly number[],
    lengths: readonly number[],
    /** Of a cache that holds something already. */
    private readonly capacity: number | undefined,
    private readonly layers: readonly KeysValues[],
  ) {
    const B = pasts.length;
    const places = Uint32Array.from({ length: 2 * B }, (_, i) => (i % 2 === 0 ? pasts : lengths)[i >> 1] as number);
    this.places = fromData(step, places, [B, 2], { label: 'cache places' });
    if (capacity === undefined) return;
    const ends = Uint32Array.from(pasts, (past, b) => past + (lengths[b] as number));
    this.ends = fromData(step, ends, [B], { label: 'cache lengths' });
  }

  /**
   * Keeps the new keys and values [B, T, H, K] of a layer and says what its queries see: themselves while the cache is empty, on the
   * tape; later the cache, whose keys and values are constants.
   */
  extend(layer: number, k: Tensor, v: Tensor): SeenKeys {
    const kept = this.layers[layer] as KeysValues;
    writeRows(this.step, kept.k, k, this.places);
    writeRows(this.step, kept.v, v, this.places);
    // The one query of a row is behind all of its keys: only the row's length hides something.
    return this.capacity === undefined || !this.ends
      ? { k, v }
      : { ...kept, past: this.capacity - 1, lengths: this.ends };
  }
}

/**
 * `HookedModel.prefill` from a model's forward pass; a failed request leaves no cache behind.
 * @throws LimnError `hooks/bad-cache`, `gpu/…`, and what `forward` throws
 */
export function prefillWith(
  model: CachedModel,
  step: Step,
  tokens: TokenBatch,
  capacity: number | undefined,
  forward: (pass: CachePass) => Run,
): { readonly run: Run; readonly cache: KeyValueCache } {
  const cache = new KeyValueCache(model, tokens.B, capacity ?? model.info.maxPositions);
  try {
    return { run: cache.record(model, step, tokens, forward), cache };
  } catch (error) {
    cache.dispose();
    throw error;
  }
}
