// Δ = z_c − z_w of every row of a run.
import type { Step } from '@limn/gpu';
import { fromData, gatherLogits, type Tensor } from '@limn/tensor';
import type { SteeringExample } from '../examples.js';

/** Logits [N, V] at the last positions → [N]. */
export function answerDifference(
  step: Step,
  logits: Tensor,
  rows: readonly Pick<SteeringExample, 'correct' | 'wrong'>[],
): Tensor {
  const N = rows.length;
  const ids = Uint32Array.from(rows.flatMap(({ correct, wrong }) => [correct, wrong]));
  const signs = Float32Array.from({ length: 2 * N }, (_, i) => 1 - 2 * (i % 2));
  return gatherLogits(step, logits, fromData(step, ids, [N, 2]), fromData(step, signs, [N, 2]));
}
