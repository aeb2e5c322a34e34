// onnxruntime in Node as two peers: its WebGPU provider, which brings a Dawn of its own and finds the same driver, and its CPU provider.
import os from 'node:os';
import type { Contender, JobSpec, OpenPeer, Peer } from '../harness/contender.mjs';
import { encodeModel } from './onnx-encoding.mjs';
import { download, jobGraph, resultShape, type AttentionForm } from './onnx-model.mjs';
import { INSTALL, installed, versionOf } from './packages.mjs';

/** What is used of onnxruntime-node. */
interface Onnxruntime {
  readonly InferenceSession: {
    create(model: Uint8Array, options: Readonly<Record<string, unknown>>): Promise<Session>;
  };
  listSupportedBackends(): readonly { readonly name: string; readonly bundled: boolean }[];
}

interface Session {
  run(feeds: Readonly<Record<string, Tensor>>): Promise<Readonly<Record<string, Tensor>>>;
  release(): Promise<void>;
}

interface Tensor {
  /** Only of a tensor in the host's memory; here always float32. */
  readonly data: Float32Array;
  dispose(): void;
}

type Provider = 'webgpu' | 'cpu';

export const openOnnxruntimeWebgpu: OpenPeer = () => open('webgpu');
export const openOnnxruntimeCpu: OpenPeer = () => open('cpu');

const PROBE: JobSpec = { kind: 'matmul', m: 1, n: 1, k: 1, a: Float32Array.of(1), b: Float32Array.of(1) };

async function open(provider: Provider): Promise<Peer | { readonly missing: string }> {
  const ort = installed('onnxruntime-node') as Onnxruntime | undefined;
  if (!ort) return { missing: `onnxruntime-node is not installed: ${INSTALL}` };
  if (!ort.listSupportedBackends().some(({ name }) => name === provider))
    return { missing: `onnxruntime-node has no ${provider} provider on ${process.platform} ${process.arch}` };
  const name = `onnxruntime ${provider} ${versionOf('onnxruntime-node')}`;
  try {
    // The provider looks for its adapter with its first session.
    await (await contender(ort, provider, name, PROBE, [1], 'plain')).dispose();
  } catch (error) {
    return { missing: `${name} does not start: ${(error as Error).message}` };
  }
  return {
    name,
    prepare: (spec) => prepare(ort, provider, name, spec),
    close: () => undefined,
  };
}

/** Copies of a small job in one run: a run costs a call into the runtime, which is no part of the job. */
const COPIES = [64, 8, 1];
/** What the results of the copies of one run may take where nothing frees them. */
const COPIED_BYTES = 64 * 2 ** 20;

async function prepare(ort: Onnxruntime, provider: Provider, name: string, spec: JobSpec): Promise<Contender> {
  if (spec.kind !== 'trunk' && spec.kind !== 'decode') {
    const [rows, columns] = resultShape(spec);
    const most = Math.max(1, Math.floor(COPIED_BYTES / (4 * rows * columns)));
    const copies = COPIES.filter((count) => count <= most);
    return contender(ort, provider, name, spec, copies, 'fused');
  }
  const fused = await contender(ort, provider, name, spec, [1], 'fused');
  if (provider === 'cpu' || (await agrees(ort, spec, await fused.result()))) return fused;
  // Its fused attention computes wrong numbers for some shapes where subgroups have fewer than 16 lanes, as lavapipe's do.
  await fused.dispose();
  return contender(ort, provider, name, spec, [1], 'plain');
}

/** Whether a result is what the CPU provider gives for the plain graph, to 1e-4 of its largest element: float32 over a few dozen sums of thousands. */
async function agrees(ort: Onnxruntime, spec: JobSpec, result: Float32Array): Promise<boolean> {
  const reference = await contender(ort, 'cpu', '', spec, [1], 'plain');
  const expected = await reference.result();
  await reference.dispose();
  const scale = expected.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  return result.every((value, i) => Math.abs(value - expected[i]!) <= 1e-4 * scale);
}

/** A session that does a job `count` times in a run. */
interface CopiesSession {
  readonly count: number;
  run(): Promise<Tensor>;
  release(): Promise<void>;
}

/** Sessions of a job, one for each number of copies in a run, most first and ending in 1. */
async function contender(
  ort: Onnxruntime,
  provider: Provider,
  name: string,
  spec: JobSpec,
  copies: readonly number[],
  attention: AttentionForm,
): Promise<Contender> {
  const options = {
    executionProviders: [provider === 'cpu' ? 'cpu' : { name: 'webgpu', validationMode: 'disabled' }],
    intraOpNumThreads: provider === 'cpu' ? os.availableParallelism() : 1,
    // Threads that go on spinning after a run would be counted as somebody else's time.
    extra: { session: { force_spinning_stop: '1' } },
    // Everything is constant and would be folded away; the graphs are written fused already.
    graphOptimizationLevel: 'disabled',
    logSeverityLevel: 3,
  };
  // Results stay on the device, and a run does not wait for it: only reading the last one's first element does.
  const kept = provider === 'webgpu' ? { preferredOutputLocation: 'gpu-buffer' } : {};
  const sessions: CopiesSession[] = [];
  for (const count of copies) {
    const graph = jobGraph(spec, { copies: count, attention });
    const session = await ort.InferenceSession.create(encodeModel(graph), { ...options, ...kept });
    const run = async (): Promise<Tensor> => (await session.run({}))[graph.output]!;
    sessions.push({ count, run, release: () => session.release() });
  }
  const single = sessions.at(-1)!;
  const readers = { first: download(resultShape(spec), 'first'), whole: download(resultShape(spec), 'whole') };
  const first = await ort.InferenceSession.create(encodeModel(readers.first), options);
  const whole = await ort.InferenceSession.create(encodeModel(readers.whole), options);
  return {
    name,
    async run(count) {
      let last: Tensor | undefined;
      let left = count;
      for (const session of sessions)
        for (; left >= session.count; left -= session.count) {
          last?.dispose();
          last = await session.run();
        }
      if (!last) return;
      await first.run({ value: last });
      last.dispose();
    },
    async result() {
      const value = await single.run();
      const read = (await whole.run({ value }))[readers.whole.output]!;
      value.dispose();
      return Float32Array.from(read.data);
    },
    async dispose() {
      for (const session of [...sessions, first, whole]) await session.release();
    },
  };
}
