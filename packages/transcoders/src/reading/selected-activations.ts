// Activations of a few features of an encoder, without those of all the others where each fires by itself.
import type { Step } from '@limn/gpu';
import { fromData, gatherRows, reshape, sparseDecode, type Tensor } from '@limn/tensor';
import { activationsOf, type FeatureEncoder } from '../encoder.js';

/** a [N, n] of n features at x [N, I], on the tape. Under `top-k` all features compete, as ever. */
export function selectedActivations(
  step: Step,
  encoder: FeatureEncoder & { readonly logThreshold?: Tensor | undefined },
  x: Tensor,
  features: Uint32Array,
): Tensor {
  const { activation, features: F } = encoder.config;
  const n = features.length;
  const { codes } = activation.kind === 'top-k' ? encoder.activations(step, x) : {};
  if (codes) {
    // Codes times unit columns.
    const columns = new Float32Array(F * n);
    features.forEach((feature, i) => (columns[feature * n + i] = 1));
    return sparseDecode(step, codes, fromData(step, columns, [F, n], { label: 'columns of features' }));
  }
  const ids = fromData(step, features, [n], { label: 'features' });
  const ofEach = (column: Tensor): Tensor => reshape(gatherRows(step, reshape(column, [F, 1]), ids), [n]);
  const { logThreshold } = encoder;
  const tensors = {
    wEnc: gatherRows(step, encoder.tensor('wEnc'), ids),
    bEnc: ofEach(encoder.tensor('bEnc')),
    logThreshold: logThreshold && ofEach(logThreshold),
  };
  return activationsOf(step, tensors, activation, x).a as Tensor;
}
