// jax-js on its WebGPU backend: every job is one function that its jit compiles, a block of GPT-2 at a time.
import { awaitDevice } from '@limn/gpu';
import type { BlockWeights, Contender, DecodeSpec, JobSpec, OpenPeer, Peer, TrunkSpec } from '../harness/contender.mjs';
import { defineNavigatorGpu } from './navigator-gpu.mjs';
import { causalMask } from './onnx-model.mjs';
import { INSTALL, installed, versionOf } from './packages.mjs';

/** What is used of jax-js. A value is consumed by what it is given to; `ref` keeps it for one more use. */
interface JaxArray {
  readonly ref: JaxArray;
  add(other: JaxArray): JaxArray;
  mul(other: JaxArray | number): JaxArray;
  reshape(shape: readonly number[]): JaxArray;
  transpose(axes: readonly number[]): JaxArray;
  /** Sends off everything that it needs, and does not wait. Consumes the array. */
  gpuBufferSync(): GPUBuffer;
  /** Consumes the array. */
  data(): Promise<Float32Array>;
  dispose(): void;
}
type Arrays = readonly JaxArray[];
interface Jax {
  init(backend: 'webgpu'): Promise<readonly string[]>;
  defaultDevice(backend: 'webgpu'): void;
  getWebGPUDevice(): GPUDevice;
  jit<Arguments extends readonly unknown[]>(
    f: (...values: Arguments) => JaxArray,
  ): ((...values: Arguments) => JaxArray) & { dispose(): void };
  readonly tree: { ref<T>(arrays: T): T };
  readonly numpy: {
    array(values: Float32Array, options: { readonly shape: readonly number[] }): JaxArray;
    matmul(a: JaxArray, b: JaxArray): JaxArray;
    split(x: JaxArray, parts: number, axis: number): JaxArray[];
    concatenate(parts: JaxArray[], axis: number): JaxArray;
  };
  readonly nn: {
    softmax(x: JaxArray, axis: number): JaxArray;
    /** In its tanh form unless told otherwise. */
    gelu(x: JaxArray): JaxArray;
    /** To mean 0 and variance 1 over the last axis, ε = 1e-5. */
    standardize(x: JaxArray): JaxArray;
  };
}

/** A job in jax-js: dispatches it once. */
interface JaxJob {
  once(): JaxArray;
  dispose(): void;
}

export const openJax: OpenPeer = async () => {
  defineNavigatorGpu();
  const jax = installed('@jax-js/jax') as Jax | undefined;
  if (!jax) return { missing: `@jax-js/jax is not installed: ${INSTALL}` };
  if (!(await jax.init('webgpu')).includes('webgpu')) return { missing: 'jax-js found no WebGPU adapter' };
  jax.defaultDevice('webgpu');
  const name = `jax-js ${versionOf('@jax-js/jax')}`;
  const peer: Peer = {
    name,
    prepare: async (spec) => contender(jax, name, spec),
    close: () => undefined,
  };
  return peer;
};

function contender(jax: Jax, name: string, spec: JobSpec): Contender {
  const job = jobOf(jax, spec);
  return {
    name,
    async run(count) {
      for (let i = 0; i < count; i++) {
        job.once().gpuBufferSync();
      }
      await awaitDevice(jax.getWebGPUDevice().queue.onSubmittedWorkDone());
    },
    result: async () => Float32Array.from(await job.once().data()),
    dispose: () => job.dispose(),
  };
}

function jobOf(jax: Jax, spec: JobSpec): JaxJob {
  const { numpy, nn } = jax;
  const array = (values: Float32Array, ...shape: number[]): JaxArray => numpy.array(values, { shape });
  switch (spec.kind) {
    case 'matmul':
      return applied(jax, (a, b) => numpy.matmul(a!, b!), [
        array(spec.a, spec.m, spec.k),
        array(spec.b, spec.k, spec.n),
      ]);
    case 'layernorm':
      return applied(jax, (x, gamma, beta) => nn.standardize(x!).mul(gamma!).add(beta!), [
        array(spec.x, spec.rows, spec.width),
        array(spec.gamma, spec.width),
        array(spec.beta, spec.width),
      ]);
    case 'softmax':
      return applied(jax, (x) => nn.softmax(x!, -1), [array(spec.x, spec.rows, spec.width)]);
    case 'gelu':
      return applied(jax, (x) => nn.gelu(x!), [array(spec.x, spec.rows, spec.width)]);
    default:
      return blocksJob(jax, spec);
  }
}

/** A function of arrays that stay. */
function applied(jax: Jax, f: (...values: Arrays) => JaxArray, values: Arrays): JaxJob {
  const compiled = jax.jit(f as (...values: JaxArray[]) => JaxArray);
  return {
    once: () => compiled(...values.map((value) => value.ref)),
    dispose() {
      values.forEach((value) => value.dispose());
      compiled.dispose();
    },
  };
}

/** What a block reads besides the stream: keys and values of earlier tokens [past, heads, size], a mask [tokens, tokens] to add to the scores. */
type BlockArrays = Readonly<Record<keyof BlockWeights, JaxArray>> & {
  readonly keys?: JaxArray;
  readonly values?: JaxArray;
  readonly mask?: JaxArray;
};

function blocksJob(jax: Jax, spec: TrunkSpec | DecodeSpec): JaxJob {
  const { width, heads } = spec;
  const tokens = spec.kind === 'trunk' ? spec.tokens : 1;
  const size = width / heads;
  const array = (values: Float32Array, ...shape: number[]): JaxArray => jax.numpy.array(values, { shape });
  const rowsIn = { attentionIn: width, attentionOut: width, mlpIn: width, mlpOut: 4 * width };
  const arraysOf = (block: BlockWeights): Record<keyof BlockWeights, JaxArray> =>
    Object.fromEntries(
      Object.entries(block).map(([name, values]: [string, Float32Array]) => {
        const rows = rowsIn[name as keyof typeof rowsIn] as number | undefined;
        return [name, rows === undefined ? array(values, values.length) : array(values, rows, values.length / rows)];
      }),
    ) as Record<keyof BlockWeights, JaxArray>;
  const cached = (values: Float32Array): JaxArray => array(values, values.length / width, heads, size);
  const blocks = spec.blocks.map((weights, i): BlockArrays => ({
    ...arraysOf(weights),
    ...(spec.kind === 'decode' ? { keys: cached(spec.keys[i]!), values: cached(spec.values[i]!) } : {}),
    ...(tokens > 1 ? { mask: array(causalMask(tokens), tokens, tokens) } : {}),
  }));
  const x = array(spec.x, tokens, width);
  const block = jax.jit((stream: JaxArray, arrays: BlockArrays) => blockOf(jax, stream, arrays, [tokens, heads, size]));
  return {
    once: () => blocks.reduce((stream, arrays) => block(stream, jax.tree.ref(arrays)), x.ref),
    dispose() {
      for (const array of [x, ...blocks.flatMap((arrays) => Object.values(arrays))]) array.dispose();
      block.dispose();
    },
  };
}

/** One block on a stream [tokens, heads · size]. */
function blockOf(jax: Jax, stream: JaxArray, arrays: BlockArrays, shape: readonly [number, number, number]): JaxArray {
  const { numpy, nn } = jax;
  const [tokens, heads, size] = shape;
  const normalized = (x: JaxArray, gamma: JaxArray, beta: JaxArray): JaxArray => nn.standardize(x).mul(gamma).add(beta);
  const dense = (x: JaxArray, weight: JaxArray, bias: JaxArray): JaxArray => numpy.matmul(x, weight).add(bias);
  const normal = normalized(stream.ref, arrays.gamma1, arrays.beta1);
  const qkv = dense(normal, arrays.attentionIn, arrays.attentionInBias);
  const [q, k, v] = numpy.split(qkv, 3, -1).map((part) => part.reshape(shape)) as [JaxArray, JaxArray, JaxArray];
  const keys = arrays.keys ? numpy.concatenate([arrays.keys, k], 0) : k;
  const values = arrays.values ? numpy.concatenate([arrays.values, v], 0) : v;
  const scores = numpy.matmul(q.transpose([1, 0, 2]), keys.transpose([1, 2, 0])).mul(1 / Math.sqrt(size));
  const weights = nn.softmax(arrays.mask ? scores.add(arrays.mask) : scores, -1);
  const mixed = numpy.matmul(weights, values.transpose([1, 0, 2])).transpose([1, 0, 2]);
  const attended = dense(mixed.reshape([tokens, heads * size]), arrays.attentionOut, arrays.attentionOutBias);
  const middle = stream.add(attended);
  const hidden = nn.gelu(dense(normalized(middle.ref, arrays.gamma2, arrays.beta2), arrays.mlpIn, arrays.mlpInBias));
  return middle.add(dense(hidden, arrays.mlpOut, arrays.mlpOutBias));
}
