// The interface through which every method sees a model: sizes, runs with edits and captures, and the parts a run is made of.
import type { Gpu, Step } from '@limn/gpu';
import type { RowBlocks, Tensor } from '@limn/tensor';
import type { Intervention, Phase } from './intervention.js';
import type { KeyValueCache } from './key-value-cache.js';
import type { HookName } from './names.js';
import type { TokenBatch } from './token-batch.js';

/** What is fixed about a model. */
export interface ModelInfo {
  readonly architecture: string;
  readonly layers: number;
  readonly heads: number;
  readonly headWidth: number;
  readonly width: number;
  readonly mlpWidth: number;
  readonly vocabulary: number;
  readonly maxPositions: number;
  /** In a parallel block the MLP reads the block's input, not the stream after attention. */
  readonly block: 'sequential' | 'parallel';
  /** Queries and keys are rotated by position, between `attn.hook_q` and `attn.hook_rot_q`. Default: they are not. */
  readonly rotary?: boolean;
  readonly bosId?: number;
  readonly eosId?: number;
  /** What was done to the weights after loading; `none` for raw weights. */
  readonly processing: string;
  /** sha256 over the weights. */
  readonly fingerprint: string;
}

/** Where a run starts: from tokens, from token embeddings (before positions), or from the residual stream at a layer. */
export type RunInput =
  | { readonly tokens: TokenBatch }
  | { readonly embeddings: Tensor; readonly lengths: readonly number[] }
  | { readonly resid: Tensor; readonly layer: number; readonly at: 'pre' | 'mid'; readonly lengths: readonly number[] };

/** Which logits to compute: all B·T, the last real position of each row, chosen flat indices b·T + t, or none. */
export type LogitRows = 'all' | 'last' | 'none' | readonly number[] | Uint32Array;

/** What a run is asked for. */
export interface RunOptions {
  readonly interventions?: readonly Intervention[];
  readonly capture?: readonly HookName[];
  /** Default `all`; `none` with `stopAtLayer`. */
  readonly logits?: LogitRows;
  /** Stop before this block: the result is the residual stream that would enter it. 0…layers; −1 is the last block, −layers the first. */
  readonly stopAtLayer?: number;
  /** Which rows of the caller's batch these are, when the caller cuts a batch into runs. Default: all of them, from 0. */
  readonly rows?: { readonly start: number; readonly count: number };
  /** Default `prompt`. */
  readonly phase?: Phase;
}

/** An intervention that reached its site but had nothing to edit there. */
export interface SkippedIntervention {
  readonly label: string;
  readonly at: HookName;
  readonly reason: 'position' | 'row' | 'phase';
  /** The edit itself. */
  readonly intervention: Intervention;
}

/** A recorded forward pass. Its tensors live in the step they were recorded in. */
export interface Run {
  readonly B: number;
  readonly T: number;
  readonly lengths: readonly number[];
  /**
   * [rows, V].
   * @throws LimnError `hooks/no-logits` when none were asked for.
   */
  readonly logits: Tensor;
  /** The residual stream at the end, [B, T, C]. */
  readonly resid: Tensor;
  /**
   * The tensor at a captured site, after its interventions.
   * @throws LimnError `hooks/not-captured`
   */
  at(name: HookName): Tensor;
  /** Interventions that edited something. */
  readonly fired: number;
  readonly skipped: readonly SkippedIntervention[];
}

/** Inputs of one attention layer: the residual stream as q, k and v see it, [B, T, C] for all heads or [B, T, h, C] per head. */
export interface Slots {
  readonly q: Tensor;
  readonly k: Tensor;
  readonly v: Tensor;
}

/** A linear map inside the model, as an adapter sees it: y = x·W + b. `linearMap` gives W as [in, out] however it is stored. */
export interface LinearSite {
  /** As in Hugging Face's module names: `h.0.mlp.c_fc`. The weight is `{name}.weight` in `parameters()`, b is `{name}.bias`, if there is one. */
  readonly name: string;
  readonly layer: number;
  /** The site whose tensor is x, with its trailing axes joined to [in]. */
  readonly input: HookName;
  /** The sites that hold y, in column order; each takes an equal share of the columns. */
  readonly outputs: readonly HookName[];
  readonly inWidth: number;
  readonly outWidth: number;
  /** How the weight is stored: Conv1D's [in, out] or nn.Linear's [out, in]. */
  readonly orientation: 'in-out' | 'out-in';
}

/** A normalisation on the way into attention, the MLP or the unembedding. */
export type NormSite = 'ln_final' | `blocks.${number}.ln1` | `blocks.${number}.ln2`;

/** Its map: y = x̂∘γ + β with x̂ = (x − mean(x))/s, or x/s, and s the tensor at `{site}.hook_scale`. */
export interface NormWeights {
  /** LayerNorm subtracts the mean over C; RMSNorm does not. */
  readonly centred: boolean;
  /** γ [C] */
  readonly gamma: Tensor;
  /** β [C]; none in RMSNorm. */
  readonly beta?: Tensor;
}

/** One head's weights: W_Q, W_K, W_V [C, K], W_O [K, C], b_Q, b_K, b_V [K]. Reading one may record the copy that it is: read each once. */
export interface HeadWeights {
  readonly wQ: Tensor;
  readonly wK: Tensor;
  readonly wV: Tensor;
  readonly wO: Tensor;
  readonly bQ: Tensor;
  readonly bK: Tensor;
  readonly bV: Tensor;
}

/** Which part of a pull-back is wanted. */
export interface PullbackOptions {
  /** A range of heads. Default: all. */
  readonly heads?: { readonly start: number; readonly count: number } | undefined;
  /** Sum over repeats of the batch's rows, as the points of an integration path are. Default 1. */
  readonly repeats?: number | undefined;
}

/** What a run with a cache may ask for besides. */
export interface PrefillOptions extends RunOptions {
  /** Positions that the cache has room for. Default: the model's. */
  readonly capacity?: number;
}

/**
 * A transformer whose residual stream can be read and edited. Methods use this and nothing else, so another architecture needs only
 * another implementation.
 */
export interface HookedModel {
  readonly info: ModelInfo;
  readonly gpu: Gpu;
  /** Records a forward pass. Everything about the request is checked before any work is recorded. */
  run(step: Step, input: RunInput, options?: RunOptions): Run;
  /** Token embeddings only, [B, T, C]. */
  embed(step: Step, tokens: TokenBatch): Tensor;
  /** What positions add to the embeddings, [B, T, C]; zero at padding, and everywhere in a model without position embeddings. */
  positions(step: Step, lengths: readonly number[], T: number): Tensor;
  /** Per-head results [B, T, h, C] of one attention layer, LayerNorm included, output bias not. */
  attention(
    step: Step,
    layer: number,
    slots: Slots,
    options?: { readonly heads?: readonly number[]; readonly lengths?: readonly number[] },
  ): Tensor;
  /** b_O [C]. */
  attentionBias(layer: number): Tensor;
  /** What a normalisation does besides dividing by its scale. */
  norm(site: NormSite): NormWeights;
  /** The MLP of one layer on a residual stream x [B, T, C], LayerNorm and output bias included. */
  mlp(step: Step, layer: number, x: Tensor): Tensor;
  /** Logits [rows, V] from the final residual stream x [B, T, C] at flat rows b·T + t, or at all of them. */
  logits(step: Step, x: Tensor, rows?: readonly number[] | Uint32Array): Tensor;
  /** Adds the captures that `pullback` of a layer needs. */
  pullbackCaptures(layer: number): readonly HookName[];
  /**
   * Gradients at the inputs of one layer's q, k and v slots from gradients at hook_q, hook_k and hook_v [B, T, H, K] of a run in which
   * all heads saw the same stream and nothing was put in the place of q, k or v: g̃ = W_X^h·dX_h, then (g̃∘γ − mean −
   * x̂·mean(g̃∘γ∘x̂))/s. Result [3, H, B, T, C]; for a range of heads [3, count, B, T, C]; with repeats, whose rows are
   * k·(B / repeats) + b, summed over them: [3, H, B / repeats, T, C].
   */
  pullback(
    step: Step,
    layer: number,
    gradients: { readonly q: Tensor; readonly k: Tensor; readonly v: Tensor },
    run: Run,
    options?: PullbackOptions,
  ): Tensor;
  /** The model's linear layers, where adapters can be put. */
  linears(): readonly LinearSite[];
  /** Every trainable tensor by its name in the model's file format. */
  parameters(): ReadonlyMap<string, Tensor | RowBlocks>;
  /** The weights of one attention head, on the tape of `step`. */
  headWeights(step: Step, layer: number, head: number): HeadWeights;
  /** Rows of the unembedding for token ids, [ids, C]. */
  unembedRows(step: Step, ids: readonly number[]): Tensor;
  /** b_U [V], what logits have besides x·W_Uᵀ; absent where the unembedding has no bias. */
  readonly unembedBias?: Tensor | undefined;
  /** Runs a batch of prompts, which may differ in length, and keeps keys and values of their real positions for `decode`. */
  prefill(
    step: Step,
    tokens: TokenBatch,
    options?: PrefillOptions,
  ): { readonly run: Run; readonly cache: KeyValueCache };
  /**
   * Runs one more token per row behind what the cache holds, and adds it to the cache. A row whose length in `tokens` is 0 has ended:
   * its cache stays as it is and its results mean nothing. Inside, scores and patterns are as wide as the cache has room, and cached
   * keys and values are constants: no gradient reaches `hook_k` and `hook_v`.
   * @throws LimnError `hooks/bad-cache`
   */
  decode(step: Step, tokens: TokenBatch, cache: KeyValueCache, options?: RunOptions): Run;
}
