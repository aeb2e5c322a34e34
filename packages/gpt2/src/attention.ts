// Attention between projections: z = softmax(scale·q·kᵀ, causal)·v, fused unless someone looks inside.
import type { Step } from '@limn/gpu';
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

/** z [B, T, h, K] of queries [B, T, h, K] over keys and values [B, S, h, K], S ≥ T; the last query sees the last key. */
export function attend(step: Step, q: Tensor, k: Tensor, v: Tensor, scale: number, sites?: AttentionSites): Tensor {
  if (!sites && (q.shape[3] as number) <= FUSED_HEAD_WIDTH) return causalAttention(step, q, k, v, { scale });
  const scores = attentionScores(step, q, k, { scale });
  const pattern = causalSoftmax(step, sites ? sites.scores(scores) : scores);
  return attentionMix(step, sites ? sites.pattern(pattern) : pattern, v);
}
