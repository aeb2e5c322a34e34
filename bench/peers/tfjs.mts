// TensorFlow.js on its WebGPU backend. Its trunk of a single row never returned where it was tried, so it is given no decoding.
import { awaitDevice } from '@limn/gpu';
import type { BlockWeights, Contender, JobSpec, OpenPeer, Peer, TrunkSpec } from '../harness/contender.mjs';
import { causalMask } from './onnx-model.mjs';
import { defineNavigatorGpu } from './navigator-gpu.mjs';
import { INSTALL, installed, versionOf } from './packages.mjs';

/** What is used of TensorFlow.js. */
interface Value {
  readonly shape: readonly number[];
  data(): Promise<Float32Array>;
  dispose(): void;
}
type Other = Value | number;
interface TensorFlow {
  setBackend(name: 'webgpu'): Promise<boolean>;
  /** Frees all that is made within but the result. */
  tidy(make: () => Value): Value;
  tensor(values: Float32Array, shape: readonly number[]): Value;
  add(a: Value, b: Other): Value;
  sub(a: Value, b: Other): Value;
  mul(a: Value, b: Other): Value;
  rsqrt(x: Value): Value;
  tanh(x: Value): Value;
  softmax(x: Value): Value;
  moments(x: Value, axis: number, keepDims: boolean): { readonly mean: Value; readonly variance: Value };
  matMul(a: Value, b: Value, transposeA?: boolean, transposeB?: boolean): Value;
  reshape(x: Value, shape: readonly number[]): Value;
  transpose(x: Value, axes: readonly number[]): Value;
  slice(x: Value, begin: readonly number[], size: readonly number[]): Value;
  split(x: Value, parts: number, axis: number): Value[];
  readonly fused: { matMul(options: { readonly a: Value; readonly b: Value; readonly bias: Value }): Value };
}

interface Job {
  readonly kept: readonly Value[];
  once(): Value;
}

export const openTfjs: OpenPeer = async () => {
  defineNavigatorGpu();
  const tf = installed('@tensorflow/tfjs-core') as TensorFlow | undefined;
  if (!tf || !installed('@tensorflow/tfjs-backend-webgpu'))
    return { missing: `@tensorflow/tfjs-core and @tensorflow/tfjs-backend-webgpu are not installed: ${INSTALL}` };
  if (!(await tf.setBackend('webgpu'))) return { missing: 'tfjs found no WebGPU adapter' };
  const name = `tfjs ${versionOf('@tensorflow/tfjs-core')}`;
  const peer: Peer = {
    name,
    prepare: async (spec) => {
      const job = jobOf(tf, spec);
      return job && contender(tf, name, job);
    },
    close: () => undefined,
  };
  return peer;
};

function contender(tf: TensorFlow, name: string, job: Job): Contender {
  return {
    name,
    async run(count) {
      for (let i = 1; i < count; i++) tf.tidy(job.once).dispose();
      // Its commands run in the order in which they were given, so one number of the last result waits for all of them.
      const last = tf.tidy(() => tf.slice(job.once(), [0, 0], [1, 1]));
      await awaitDevice(last.data());
      last.dispose();
    },
    async result() {
      const result = tf.tidy(job.once);
      const values = Float32Array.from(await result.data());
      result.dispose();
      return values;
    },
    dispose: () => job.kept.forEach((value) => value.dispose()),
  };
}

function jobOf(tf: TensorFlow, spec: JobSpec): Job | undefined {
  switch (spec.kind) {
    case 'matmul': {
      const [a, b] = [tf.tensor(spec.a, [spec.m, spec.k]), tf.tensor(spec.b, [spec.k, spec.n])];
      return { kept: [a, b], once: () => tf.matMul(a, b) };
    }
    case 'trunk':
      return spec.tokens > 1 ? trunkJob(tf, spec) : undefined;
    case 'decode':
      return undefined;
    default: {
      const x = tf.tensor(spec.x, [spec.rows, spec.width]);
      const [gamma, beta] = [tf.tensor(spec.gamma, [spec.width]), tf.tensor(spec.beta, [spec.width])];
      const once = {
        layernorm: () => layerNorm(tf, x, gamma, beta),
        softmax: () => tf.softmax(x),
        gelu: () => gelu(tf, x),
      }[spec.kind];
      return { kept: [x, gamma, beta], once };
    }
  }
}

function layerNorm(tf: TensorFlow, x: Value, gamma: Value, beta: Value): Value {
  const { mean, variance } = tf.moments(x, -1, true);
  return tf.add(tf.mul(tf.mul(tf.sub(x, mean), tf.rsqrt(tf.add(variance, 1e-5))), gamma), beta);
}

/** x / 2 · (1 + tanh(√(2/π) · (x + 0.044715 · x³))) */
function gelu(tf: TensorFlow, x: Value): Value {
  const inner = tf.mul(tf.mul(x, tf.add(tf.mul(tf.mul(x, x), 0.044715), 1)), Math.sqrt(2 / Math.PI));
  return tf.mul(tf.mul(x, 0.5), tf.add(tf.tanh(inner), 1));
}

function trunkJob(tf: TensorFlow, { tokens, width, heads, x, blocks }: TrunkSpec): Job {
  const size = width / heads;
  const kept: Value[] = [];
  const keep = (values: Float32Array, ...shape: number[]): Value => {
    const value = tf.tensor(values, shape);
    kept.push(value);
    return value;
  };
  const input = keep(x, tokens, width);
  const mask = keep(causalMask(tokens), 1, tokens, tokens);
  const dense = (rows: number, weight: Float32Array, bias: Float32Array): ((a: Value) => Value) => {
    const [b, added] = [keep(weight, rows, bias.length), keep(bias, bias.length)];
    return (a) => tf.fused.matMul({ a, b, bias: added });
  };
  const normal = (gamma: Float32Array, beta: Float32Array): ((a: Value) => Value) => {
    const [scale, shift] = [keep(gamma, width), keep(beta, width)];
    return (a) => layerNorm(tf, a, scale, shift);
  };
  const headsOf = (part: Value): Value => tf.transpose(tf.reshape(part, [tokens, heads, size]), [1, 0, 2]);
  const blockOf = (weights: BlockWeights): ((stream: Value) => Value) => {
    const before = normal(weights.gamma1, weights.beta1);
    const qkv = dense(width, weights.attentionIn, weights.attentionInBias);
    const out = dense(width, weights.attentionOut, weights.attentionOutBias);
    const between = normal(weights.gamma2, weights.beta2);
    const mlpIn = dense(width, weights.mlpIn, weights.mlpInBias);
    const mlpOut = dense(4 * width, weights.mlpOut, weights.mlpOutBias);
    return (stream) => {
      const [q, k, v] = tf.split(qkv(before(stream)), 3, -1).map(headsOf) as [Value, Value, Value];
      const scores = tf.mul(tf.matMul(q, k, false, true), 1 / Math.sqrt(size));
      const mixed = tf.matMul(tf.softmax(tf.add(scores, mask)), v);
      const middle = tf.add(stream, out(tf.reshape(tf.transpose(mixed, [1, 0, 2]), [tokens, width])));
      return tf.add(middle, mlpOut(gelu(tf, mlpIn(between(middle)))));
    };
  };
  const all = blocks.map(blockOf);
  return { kept, once: () => all.reduce((stream, block) => block(stream), input) };
}
