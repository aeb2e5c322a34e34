// Direct logit attribution: with the final scale s fixed, logit_a − logit_b = Σ_parts ((x_part − mean)/s∘γ)·(w_a − w_b) + constant.
import { throwIfAborted, type Step } from '@limn/gpu';
import { concat, div, expand, fill, matmul, mean, mul, permute, reshape, sub, sum, type Tensor } from '@limn/tensor';
import { ActivationCache, positionRows, type Position } from './activation-cache.js';
import { readArray, type HostArray } from './host-array.js';
import type { Intervention } from './intervention.js';
import type { HookedModel } from './model.js';
import { accumulatedBias, outputMap } from './linear-maps.js';
import { answersOf, weightedLogits } from './patch-metric.js';
import {
  applyLnToStack,
  decomposeResid,
  fullResidDecomposition,
  stackHeadResults,
  stackSites,
  type Detail,
} from './resid-stack.js';
import { asTokenBatch, type Tokens } from './prompts.js';

/** One token id for all prompts, or one per prompt. */
export type AnswerIds = number | readonly number[];

/** The logit of `correct`, or its difference to the logit of `incorrect`. */
export interface Answers {
  readonly correct: AnswerIds;
  readonly incorrect?: AnswerIds;
}

/**
 * Directions in the residual stream that raise the answers' logits, w_correct − w_incorrect: rows of the unembedding, [B, C].
 * @throws LimnError `tokens/not-in-vocabulary`, `hooks/bad-rows` for a list that does not fit the prompts
 */
export function logitDirections(step: Step, model: HookedModel, { correct, incorrect }: Answers, B: number): Tensor {
  const rows = (ids: AnswerIds, side: string): Tensor =>
    model.unembedRows(step, answersOf(ids, B, model.info, side).flat());
  const up = rows(correct, 'correct');
  return incorrect === undefined ? up : sub(step, up, rows(incorrect, 'incorrect'));
}

/**
 * What each part of a stack [n, B, C] at `position`, or [n, B, T, C], gives to the logit (difference): [n, B] or [n, B, T].
 * TransformerLens's `logit_attrs`, with γ (see `applyLnToStack`). Reads `ln_final.scale`.
 * @throws LimnError `hooks/not-captured`, and as `logitDirections`
 */
export function logitAttrs(
  step: Step,
  cache: ActivationCache,
  x: Tensor,
  options: Answers & { readonly position?: Position },
): Tensor {
  const { position } = options;
  const scaled = applyLnToStack(step, cache, x, position === undefined ? {} : { position });
  const [, B, ...rest] = scaled.shape as [number, number, ...number[]];
  const directions = logitDirections(step, cache.model, options, B);
  const C = rest.at(-1) as number;
  const fitted =
    rest.length === 1 ? directions : expand(step, reshape(directions, [B, 1, C]), [B, rest[0] as number, C]);
  return sum(step, mul(step, scaled, fitted), { axes: -1 });
}

/**
 * `logitAttrs` of every MLP neuron at one position, post_m·(W_out[m]·g)/s with g = γ∘(w_a − w_b) minus its mean, [layers·M, B] in the
 * order of `stackNeuronResults`, without its vectors of width C: 36,864 of them in GPT-2 small. Reads `post` and `ln_final.scale`.
 * @throws LimnError as `logitAttrs`
 */
export function neuronLogitAttrs(
  step: Step,
  cache: ActivationCache,
  options: Answers & { readonly position: Position },
): Tensor {
  const { model, B } = cache;
  const { position } = options;
  const { centred, gamma } = model.norm('ln_final');
  const uncentred = mul(step, logitDirections(step, model, options, B), gamma);
  // (x − mean x)·g = x·(g − mean g).
  const g = centred ? sub(step, uncentred, mean(step, uncentred, { axes: -1, keepAxes: true })) : uncentred;
  const scaled = div(step, g, cache.pick(step, cache.get('ln_final.scale'), position));
  const layers = Array.from({ length: model.info.layers }, (_, layer) => {
    const { weight } = outputMap(step, model, layer, 'mlp.hook_post');
    const post = cache.pick(step, cache.get('post', layer), position);
    return permute(step, mul(step, post, matmul(step, scaled, weight, { transposeB: true })), [1, 0]);
  });
  return concat(step, layers, 0);
}

/**
 * The share of the logit (difference) that belongs to no part of the stream, β·(w_a − w_b) plus the unembedding's own bias, [B]: the
 * logits of an all-zero stream.
 * @throws LimnError `hooks/bad-rows`, `tokens/not-in-vocabulary`
 */
export function logitConstant(step: Step, model: HookedModel, answers: Answers, B: number): Tensor {
  const zero = fill(step, [1, 1, model.info.width], 0, 'zero stream');
  const logits = expand(step, model.logits(step, zero), [B, model.info.vocabulary]);
  return difference(step, logits, model, answers);
}

/** What `directLogitAttribution` takes. */
export interface AttributionOptions extends Answers {
  /** Default `component`: embeddings and layers. `head`: heads, whole MLPs and biases. `neuron`: heads, neurons and biases. */
  readonly by?: Detail;
  /** Default: the last token of each prompt. */
  readonly position?: Position;
  readonly interventions?: readonly Intervention[];
  readonly signal?: AbortSignal;
}

/** What `directLogitAttribution` gives. */
export interface LogitAttribution {
  /** The parts of the final stream as in `decomposeResid` or `fullResidDecomposition`, and last `constant`. */
  readonly labels: readonly string[];
  /** [labels, B]. Every column adds up to `logits`. */
  readonly values: HostArray;
  /** The model's own logit (difference), [B]. */
  readonly logits: HostArray;
}

/**
 * Runs the model and says which parts of it raise `correct` (over `incorrect`), directly, at one position of every prompt.
 * @throws LimnError `hooks/…`, `tokens/…`, `gpu/…`; AbortedError
 */
export async function directLogitAttribution(
  model: HookedModel,
  tokens: Tokens,
  options: AttributionOptions,
): Promise<LogitAttribution> {
  const { by = 'component', position = 'last', interventions = [], signal } = options;
  throwIfAborted(signal, 'Logit attribution');
  const batch = asTokenBatch(tokens, model);
  const rows = positionRows(batch.lengths, batch.T, position);
  const capture = stackSites(model, by);
  const step = model.gpu.step({ label: 'logit attribution', ...(signal ? { signal } : {}) });
  try {
    const run = model.run(step, { tokens: batch }, { capture, interventions, logits: rows });
    const cache = ActivationCache.view(model, run, capture);
    const { labels, parts } = attributed(step, cache, by, { ...options, position });
    const constant = reshape(logitConstant(step, model, options, batch.B), [1, batch.B]);
    const [values, logits] = await Promise.all([
      readArray(step, concat(step, [...parts, constant], 0)),
      readArray(step, difference(step, run.logits, model, options)),
    ]);
    return { labels: [...labels, 'constant'], values, logits };
  } finally {
    step.dispose();
  }
}

/** Attributions [n, B] of the final stream's parts, with their labels; several tensors, one below the other. */
function attributed(
  step: Step,
  cache: ActivationCache,
  by: Detail,
  options: Answers & { readonly position: Position },
): { readonly labels: readonly string[]; readonly parts: readonly Tensor[] } {
  const { position } = options;
  const of = (values: Tensor): Tensor => logitAttrs(step, cache, values, options);
  if (by !== 'neuron') {
    const { labels, values } =
      by === 'component'
        ? decomposeResid(step, cache, { position })
        : fullResidDecomposition(step, cache, { position, expandNeurons: false });
    return { labels, parts: [of(values)] };
  }
  const { info } = cache.model;
  const heads = stackHeadResults(step, cache, { position });
  const embeds = decomposeResid(step, cache, { position, layer: 0 });
  const bias = expand(step, accumulatedBias(step, cache.model), [1, cache.B, info.width]);
  const neurons = Array.from(
    { length: info.layers * info.mlpWidth },
    (_, n) => `L${Math.floor(n / info.mlpWidth)}N${n % info.mlpWidth}`,
  );
  return {
    labels: [...heads.labels, ...neurons, ...embeds.labels, 'bias'],
    parts: [of(heads.values), neuronLogitAttrs(step, cache, options), of(embeds.values), of(bias)],
  };
}

/** logits [B, V] → correct minus incorrect, [B]. */
function difference(step: Step, logits: Tensor, { info }: HookedModel, { correct, incorrect }: Answers): Tensor {
  const B = logits.shape[0] as number;
  const down = incorrect === undefined ? [] : answersOf(incorrect, B, info, 'incorrect');
  return weightedLogits(step, logits, answersOf(correct, B, info, 'correct'), down);
}
