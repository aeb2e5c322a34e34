// Attention between projections: z = softmax(scale·q·kᵀ, causal)·v, fused unless someone looks inside.
import type { Step } from '@limn/gpu';
import type { SeenKeys } from '@limn/hooks';
import {
  attentionMix,
  attentionScores,
  causalAttention,
  causalSoftmax,
  FUSED_HEAD_WIDTH,
  type Tensor,
} from '@limn/tensor';

/** What sees the scores [B, H, T, S] and the pattern [B, H, T, S]. */
export interface AttentionSites {
  scores(x: Tensor): Tensor;
  pattern(x: Tensor): Tensor;
}

/**
 * z [B, T, h, K] of queries [B, T, h, K] over keys and values [B, S, h, K]. Without a past the last query sees the last of S = T keys;
 * with a cache the keys at or beyond a row's length are hidden.
 */
export function attend(step: Step, q: Tensor, seen: SeenKeys, scale: number, sites?: AttentionSites): Tensor {
  const { k, v, ...masked } = seen;
  if (!sites && (q.shape[3] as number) <= FUSED_HEAD_WIDTH) return causalAttention(step, q, k, v, { scale, ...masked });
  const scores = attentionScores(step, q, k, { scale });
  const pattern = causalSoftmax(step, sites ? sites.scores(scores) : scores, masked);
  return attentionMix(step, sites ? sites.pattern(pattern) : pattern, v);
}
