// A kernel: one WGSL file dispatched by hand. It turns three scores into log-probabilities, which JavaScript checks.
import { defineKernel } from '@limn/gpu';
import { openNodeGpu } from '@limn/gpu/node';
import { logSoftmaxForward } from '@limn/shaders';

const gpu = await openNodeGpu();

// A kernel is the WGSL module and the rule for its grid: here one workgroup a row.
const logSoftmax = defineKernel(logSoftmaxForward, { grid: ({ rows }) => [rows, 1, 1] });

// A step records dispatches; reading a result is what makes them run, all in one submit.
const step = gpu.step();
const scores = Float32Array.of(2, 1, 0.1);
const x = step.upload(scores, 'scores');
const y = step.allocate(scores.byteLength, 'log-probabilities');
step.dispatch(logSoftmax, { x, y }, { rows: 1, width: scores.length });
const onGpu = new Float32Array(await step.read(y));

const total = scores.reduce((sum, score) => sum + Math.exp(score), 0);
console.log('score   probability on the GPU   in JavaScript');
scores.forEach((score, i) => {
  const probability = Math.exp(onGpu[i] ?? NaN);
  console.log(
    `${score.toFixed(1).padStart(5)}   ${probability.toFixed(6).padStart(22)}   ${(Math.exp(score) / total).toFixed(6)}`,
  );
});
step.dispose();
gpu.dispose();
