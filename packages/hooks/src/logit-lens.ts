// The logit lens: what the model would say if it stopped here, unembed(LN_final(x_l)) for the stream x_l at every layer. nostalgebraist 2020.
import { throwIfAborted } from '@limn/gpu';
import { detach, keep, readFloats, reshape, slice, type Tensor } from '@limn/tensor';
import { ActivationCache, type Position } from './activation-cache.js';
import type { HostArray } from './host-array.js';
import type { Intervention } from './intervention.js';
import type { HookedModel } from './model.js';
import { blockHook, type HookName } from './names.js';
import { accumulatedResid } from './resid-stack.js';
import { asTokenBatch, type Tokens } from './prompts.js';
import { runWithCache } from './run-with-cache.js';

/** Bytes of logits made at once. */
const CHUNK_BYTES = 2 ** 25;

/** What `logitLens` takes. */
export interface LensOptions {
  /** Default: the last token of each prompt. */
  readonly position?: Position | 'all';
  /** Also the streams between attention and MLP. Not in a parallel block, which has none. */
  readonly inclMid?: boolean;
  readonly interventions?: readonly Intervention[];
  readonly signal?: AbortSignal;
}

/** What `logitLens` gives. */
export interface LensResult {
  /** `0_pre`, (`0_mid`,) `1_pre`, …, `final_post`: the last one's logits are the model's own. */
  readonly labels: readonly string[];
  /** [labels, B, V], or [labels, B, T, V] at all positions. The final LayerNorm is computed anew for every stream. */
  readonly logits: HostArray;
}

/**
 * Logits of the residual stream in front of every block and behind the last.
 * @throws LimnError `hooks/…`, `tokens/…`, `gpu/…`; AbortedError
 */
export async function logitLens(model: HookedModel, tokens: Tokens, options: LensOptions = {}): Promise<LensResult> {
  const { position = 'last', inclMid = false, interventions = [], signal } = options;
  throwIfAborted(signal, 'The logit lens');
  const { layers, vocabulary: V } = model.info;
  const capture = Array.from({ length: layers }, (_, layer): HookName[] => [
    blockHook(layer, 'hook_resid_pre'),
    ...(inclMid ? [blockHook(layer, 'hook_resid_mid')] : []),
  ]).flat();
  capture.push(blockHook(layers - 1, 'hook_resid_post'));
  const batch = asTokenBatch(tokens, model);
  const step = model.gpu.step({ label: 'logit lens', ...(signal ? { signal } : {}) });
  let streams: Tensor | undefined;
  try {
    const run = model.run(step, { tokens: batch }, { capture, interventions, logits: 'none' });
    const { labels, values } = accumulatedResid(step, ActivationCache.view(model, run, capture), {
      inclMid,
      ...(position === 'all' ? {} : { position }),
    });
    streams = keep(step, detach(values));
    await step.submit();
    const shape = [...streams.shape.slice(0, -1), V];
    return { labels, logits: { shape, data: await logitsOf(model, streams, signal) } };
  } finally {
    step.dispose();
    streams?.dispose();
  }
}

/** unembed(LN_final x) of every row of a kept tensor [..., C], a few rows at a time. */
async function logitsOf(model: HookedModel, x: Tensor, signal: AbortSignal | undefined): Promise<Float32Array> {
  const { width: C, vocabulary: V } = model.info;
  const rows = x.size / C;
  const atOnce = Math.max(1, Math.floor(CHUNK_BYTES / (4 * V)));
  const logits = new Float32Array(rows * V);
  for (let start = 0; start < rows; start += atOnce) {
    throwIfAborted(signal, 'The logit lens');
    const step = model.gpu.step({ label: 'logit lens' });
    try {
      const part = slice(step, reshape(x, [1, rows, C]), 1, start, Math.min(atOnce, rows - start));
      logits.set(await readFloats(step, model.logits(step, part)), start * V);
    } finally {
      step.dispose();
    }
  }
  return logits;
}

/**
 * Attention probabilities of chosen layers (default all), [layers, B, H, T, T]: query position, then key position. The run ends behind
 * the last of them.
 * @throws LimnError `hooks/…`, such as `hooks/unknown-site` for a layer that the model has not got, `tokens/…`, `gpu/…`; AbortedError
 */
export async function attentionPatterns(
  model: HookedModel,
  tokens: Tokens,
  options: {
    readonly layers?: readonly number[];
    readonly interventions?: readonly Intervention[];
    readonly signal?: AbortSignal;
  } = {},
): Promise<HostArray> {
  const { layers = Array.from({ length: model.info.layers }, (_, layer) => layer), ...rest } = options;
  const names = layers.map((layer) => blockHook(layer, 'attn.hook_pattern'));
  const { cache } = await runWithCache(model, tokens, { ...rest, names, logits: 'none' });
  try {
    const values = await Promise.all(layers.map((layer) => cache.read('pattern', layer)));
    const each = values[0]?.data.length ?? 0;
    const data = new Float32Array(each * values.length);
    values.forEach((value, i) => data.set(value.data, i * each));
    return { shape: [layers.length, ...(values[0]?.shape ?? [])], data };
  } finally {
    cache.dispose();
  }
}
