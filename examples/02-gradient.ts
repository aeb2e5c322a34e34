// A gradient: the slope of a loss through a GELU and a matrix product, beside the slope found by nudging one weight.
import { openNodeGpu } from '@limn/gpu/node';
import { fromData, gelu, gradients, matmul, mul, read, sumAll } from '@limn/tensor';

const gpu = await openNodeGpu();
const input = Float32Array.of(0.5, -1, 2);
const weights = Float32Array.of(0.3, -0.2, 0.8, 0.1, -0.5, 0.4);

// loss(W) = Σ gelu(x W)², with x [1, 3] and W [3, 2]
async function lossAndSlope(values: Float32Array): Promise<{ loss: number; slope: Float32Array }> {
  const step = gpu.step();
  const w = fromData(step, values, [3, 2]);
  const hidden = gelu(step, matmul(step, fromData(step, input, [1, 3]), w), 'tanh');
  const loss = sumAll(step, mul(step, hidden, hidden));
  // `gradients` is a pure function: nothing is marked beforehand, and nothing is left on the tensors afterwards.
  const [slope] = gradients(step, loss, 'ones', [w]);
  const [lossValue, slopeValues] = await Promise.all([read(step, loss), read(step, slope!)]);
  step.dispose();
  return { loss: lossValue[0]!, slope: slopeValues as Float32Array };
}

const { loss, slope } = await lossAndSlope(weights);
console.log(`loss ${loss.toFixed(5)}`);
console.log('weight   slope by the tape   by nudging the weight');
for (let i = 0; i < weights.length; i++) {
  const nudge = 1e-2;
  const up = await lossAndSlope(weights.map((w, j) => (j === i ? w + nudge : w)));
  const down = await lossAndSlope(weights.map((w, j) => (j === i ? w - nudge : w)));
  const measured = (up.loss - down.loss) / (2 * nudge);
  console.log(`W[${i}]   ${slope[i]!.toFixed(4).padStart(17)}   ${measured.toFixed(4).padStart(21)}`);
}
gpu.dispose();
