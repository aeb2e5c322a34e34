// The residual stream as a sum: x_l = embed + pos_embed + Σ_{j<l} (attn_out_j + mlp_out_j); finer, by heads (z_h·W_O), neurons and biases.
import { LimnError, type Step } from '@limn/gpu';
import {
  concat,
  div,
  expand,
  headResults,
  mean,
  mul,
  permute,
  reshape,
  stack,
  sub,
  sum,
  type Tensor,
} from '@limn/tensor';
import type { ActivationCache, Position } from './activation-cache.js';
import { chosenWord } from './chosen-word.js';
import type { HookedModel, NormSite } from './model.js';
import { blockHook, type HookName } from './names.js';
import { accumulatedBias, outputMap } from './linear-maps.js';

/** Vectors of the residual stream's width, one per component, with their names. */
export interface ResidStack {
  readonly labels: readonly string[];
  /** [n, B, T, C], or [n, B, C] at one position. */
  readonly values: Tensor;
}

/** Which stream is taken apart, and where. */
export interface StackOptions {
  /** The stream in front of this block, 0…layers. Default, and −1: the final stream. */
  readonly layer?: number;
  /** Only this position of every prompt. Default: all. */
  readonly position?: Position;
}

/** How finely: whole layers, heads (with MLPs whole), or heads and neurons. */
export type Detail = 'component' | 'head' | 'neuron';

/**
 * The sites that a decomposition of the final stream and `applyLnToStack` read: the `names` of `runWithCache`.
 * @throws LimnError `hooks/bad-option` for a detail that is none
 */
export function stackSites(model: HookedModel, detail: Detail): HookName[] {
  const inBlock = {
    component: ['hook_attn_out', 'hook_mlp_out'],
    head: ['attn.hook_z', 'hook_mlp_out'],
    neuron: ['attn.hook_z', 'mlp.hook_post'],
  } as const;
  const sites = inBlock[chosenWord('by', detail, ['component', 'head', 'neuron'])];
  const blocks = Array.from({ length: model.info.layers }, (_, layer) => sites.map((site) => blockHook(layer, site)));
  return ['hook_embed', 'hook_pos_embed', ...blocks.flat(), 'ln_final.hook_scale'];
}

/** What `decomposeResid` takes. */
export interface DecomposeOptions extends StackOptions {
  /** Only what MLPs or only what attention layers write. Default `all`. */
  readonly mode?: 'all' | 'mlp' | 'attn';
  /** Default true. */
  readonly embeds?: boolean;
  /** With what the attention of block `layer` adds: the input of that block's MLP. */
  readonly mlpInput?: boolean;
}

/**
 * embed, pos_embed and every layer's attn_out and mlp_out (biases included): with `mode: 'all'` and embeds, their sum is the stream.
 * Labels as TransformerLens's: `embed`, `pos_embed`, `0_attn_out`, `0_mlp_out`, … Reads hook_embed, hook_pos_embed, attn_out, mlp_out.
 * @throws LimnError `hooks/not-captured`, `hooks/bad-layer`, `hooks/bad-extent`
 */
export function decomposeResid(step: Step, cache: ActivationCache, options: DecomposeOptions = {}): ResidStack {
  const { mode = 'all', embeds = true, mlpInput = false, position } = options;
  const layer = checkedLayer(cache, options.layer);
  const parts: [label: string, x: Tensor][] = [];
  if (embeds) parts.push(['embed', cache.get('embed')], ['pos_embed', cache.get('pos_embed')]);
  for (let l = 0; l < layer; l++) {
    if (mode !== 'mlp') parts.push([`${l}_attn_out`, cache.get('attn_out', l)]);
    if (mode !== 'attn') parts.push([`${l}_mlp_out`, cache.get('mlp_out', l)]);
  }
  if (mode !== 'mlp' && readsAttention(cache, layer, mlpInput))
    parts.push([`${layer}_attn_out`, cache.get('attn_out', layer)]);
  return stackOf(step, cache, parts, position);
}

/** What `accumulatedResid` takes. */
export interface AccumulatedOptions extends StackOptions {
  /** Also the streams between attention and MLP. Not in a parallel block, which has none. */
  readonly inclMid?: boolean;
  /** Ends with the stream between attention and MLP of block `layer`. */
  readonly mlpInput?: boolean;
}

/**
 * The stream in front of every block up to `layer`, and behind the last one: `0_pre`, (`0_mid`,) `1_pre`, …, `final_post`. Reads
 * resid_pre, the last resid_post, and resid_mid if asked for.
 * @throws LimnError as `decomposeResid`
 */
export function accumulatedResid(step: Step, cache: ActivationCache, options: AccumulatedOptions = {}): ResidStack {
  const { inclMid = false, mlpInput = false, position } = options;
  const { layers } = cache.model.info;
  const layer = checkedLayer(cache, options.layer);
  const parts: [label: string, x: Tensor][] = [];
  for (let l = 0; l <= Math.min(layer, layers - 1); l++) {
    parts.push([`${l}_pre`, cache.get('resid_pre', l)]);
    if ((inclMid && l < layer) || (mlpInput && l === layer)) parts.push([`${l}_mid`, cache.get('resid_mid', l)]);
  }
  if (layer === layers) parts.push(['final_post', cache.get('resid_post', layers - 1)]);
  return stackOf(step, cache, parts, position);
}

/** What `stackHeadResults` and `stackNeuronResults` take. */
export interface PartsOptions extends StackOptions {
  /** One more entry, `remainder`: the stream minus the sum of the others. Reads the stream at `layer`. */
  readonly remainder?: boolean;
}

/**
 * What every head of the blocks before `layer` writes, z_h·W_O without b_O: `L0H0`, `L0H1`, … Reads `result`, or else `z`.
 * @throws LimnError as `decomposeResid`
 */
export function stackHeadResults(step: Step, cache: ActivationCache, options: PartsOptions = {}): ResidStack {
  const layer = checkedLayer(cache, options.layer);
  const parts = range(layer).map((l) => perHead(step, cache, l, options.position));
  const labels = range(layer).flatMap((l) => range(cache.model.info.heads).map((h) => `L${l}H${h}`));
  return withRemainder(step, cache, { labels, parts }, layer, options);
}

/**
 * What every MLP neuron of the blocks before `layer` writes, post_m·W_out[m] without b_out: `L0N0`, … Large: choose one position.
 * Reads `post`.
 * @throws LimnError as `decomposeResid`
 */
export function stackNeuronResults(step: Step, cache: ActivationCache, options: PartsOptions = {}): ResidStack {
  const layer = checkedLayer(cache, options.layer);
  const { width: C, mlpWidth: M } = cache.model.info;
  const parts = range(layer).map((l) => {
    const post = cache.pick(step, cache.get('post', l), options.position);
    const lead = post.shape.slice(0, -1);
    const byNeuron = permute(step, post, [lead.length, ...lead.keys()]);
    const wOut = outputMap(step, cache.model, l, 'mlp.hook_post').weight;
    return mul(step, reshape(byNeuron, [M, ...lead, 1]), reshape(wOut, [M, ...lead.map(() => 1), C]));
  });
  const labels = range(layer).flatMap((l) => range(M).map((m) => `L${l}N${m}`));
  return withRemainder(step, cache, { labels, parts }, layer, options);
}

/** What `fullResidDecomposition` takes. */
export interface FullOptions extends StackOptions {
  /** MLPs neuron by neuron (default, as in TransformerLens) or whole. */
  readonly expandNeurons?: boolean;
  /** With what the attention of block `layer` adds: the input of that block's MLP. */
  readonly mlpInput?: boolean;
}

/**
 * Heads, neurons (or whole MLPs), embed, pos_embed and one `bias`: their sum is the stream. Reads `z` (or `result`), `post` (or mlp_out), the embeddings.
 * @throws LimnError as `decomposeResid`
 */
export function fullResidDecomposition(step: Step, cache: ActivationCache, options: FullOptions = {}): ResidStack {
  const { expandNeurons = true, mlpInput = false, position } = options;
  const layer = checkedLayer(cache, options.layer);
  const at = position === undefined ? { layer } : { layer, position };
  const attended = readsAttention(cache, layer, mlpInput) ? layer + 1 : layer;
  const stacks: ResidStack[] = [];
  if (attended > 0) stacks.push(stackHeadResults(step, cache, { ...at, layer: attended }));
  if (layer > 0)
    stacks.push(
      expandNeurons
        ? stackNeuronResults(step, cache, at)
        : decomposeResid(step, cache, { ...at, mode: 'mlp', embeds: false }),
    );
  stacks.push(decomposeResid(step, cache, { layer: 0, ...(position === undefined ? {} : { position }) }));
  const bias = accumulatedBias(step, cache.model, { layer, mlpInput, mlpBiases: expandNeurons });
  const shape = (stacks[0] as ResidStack).values.shape.slice(1);
  stacks.push({ labels: ['bias'], values: expand(step, bias, [1, ...shape]) });
  return {
    labels: stacks.flatMap(({ labels }) => labels),
    values: concat(
      step,
      stacks.map(({ values }) => values),
      0,
    ),
  };
}

/** Which LayerNorm `applyLnToStack` means. */
export interface LnOptions extends StackOptions {
  /** The LayerNorm in front of the MLP of block `layer`, not in front of its attention. */
  readonly mlpInput?: boolean;
}

/**
 * A stack [n, B, T, C] (or [n, B, C] at `position`) as the LayerNorm at `layer` sees its parts: (x − mean(x))/s∘γ with the scale s that
 * the run recorded, so that the parts still add up; β, which belongs to none of them, is left out. RMSNorm does not subtract the mean.
 * On folded weights γ is 1, and this is TransformerLens's `apply_ln_to_stack`; on raw weights that leaves γ out.
 * Reads `ln_final.scale` (or `ln1.scale`, `ln2.scale` of block `layer`).
 * @throws LimnError `hooks/not-captured`, `hooks/bad-layer`, `hooks/bad-extent`
 */
export function applyLnToStack(step: Step, cache: ActivationCache, x: Tensor, options: LnOptions = {}): Tensor {
  const layer = checkedLayer(cache, options.layer);
  const site: NormSite =
    layer === cache.model.info.layers ? 'ln_final' : `blocks.${layer}.${options.mlpInput ? 'ln2' : 'ln1'}`;
  const { centred, gamma } = cache.model.norm(site);
  const scale = cache.pick(step, cache.get(`${site}.hook_scale`), options.position);
  const centre = centred ? sub(step, x, mean(step, x, { axes: -1, keepAxes: true })) : x;
  return mul(step, div(step, centre, scale), gamma);
}

/** [H, B, T, C] or [H, B, C]: what each head of one layer writes. */
function perHead(step: Step, cache: ActivationCache, layer: number, position: Position | undefined): Tensor {
  const given = cache.has('result', layer)
    ? cache.get('result', layer)
    : headResults(step, cache.get('z', layer), outputMap(step, cache.model, layer, 'attn.hook_z').weight);
  const results = cache.pick(step, given, position);
  const heads = results.shape.length - 2;
  return permute(step, results, [heads, ...range(heads), heads + 1]);
}

function withRemainder(
  step: Step,
  cache: ActivationCache,
  { labels, parts }: { readonly labels: readonly string[]; readonly parts: readonly Tensor[] },
  layer: number,
  { remainder = false, position }: PartsOptions,
): ResidStack {
  if (!remainder) {
    if (parts.length > 0) return { labels, values: concat(step, parts, 0) };
    throw new LimnError('hooks/bad-layer', 'no blocks lie before layer 0, so there is nothing to stack', {
      hint: 'Give a layer from 1, or none for the final stream.',
    });
  }
  const stream = cache.pick(
    step,
    layer === 0 ? cache.get('resid_pre', 0) : cache.get('resid_post', layer - 1),
    position,
  );
  if (parts.length === 0) return { labels: ['remainder'], values: reshape(stream, [1, ...stream.shape]) };
  const values = concat(step, parts, 0);
  const rest = sub(step, stream, sum(step, values, { axes: 0 }));
  return { labels: [...labels, 'remainder'], values: concat(step, [values, reshape(rest, [1, ...rest.shape])], 0) };
}

function stackOf(
  step: Step,
  cache: ActivationCache,
  parts: readonly (readonly [label: string, x: Tensor])[],
  position: Position | undefined,
): ResidStack {
  return {
    labels: parts.map(([label]) => label),
    values: stack(
      step,
      parts.map(([, x]) => cache.pick(step, x, position)),
    ),
  };
}

/** Whether the stream asked for is behind the attention of block `layer`: never in a parallel block, whose MLP does not see it. */
function readsAttention(cache: ActivationCache, layer: number, mlpInput: boolean): boolean {
  const { layers, block } = cache.model.info;
  return mlpInput && block === 'sequential' && layer < layers;
}

function checkedLayer(cache: ActivationCache, layer = -1): number {
  const { layers } = cache.model.info;
  if (layer === -1) return layers;
  if (Number.isInteger(layer) && layer >= 0 && layer <= layers) return layer;
  throw new LimnError('hooks/bad-layer', `layer is ${layer}; it must be a whole number from 0 to ${layers}, or −1`, {
    details: { given: layer, highest: layers },
    hint: `0 is the stream in front of the first block, ${layers} (or −1) the final one.`,
  });
}

function range(count: number): number[] {
  return Array.from({ length: count }, (_, i) => i);
}
