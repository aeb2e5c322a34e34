// Plain WebGPU dispatches, submits and copies as contenders: what an adapter can do without limn. Runs in Node and in browsers.
import { awaitDevice } from '@limn/gpu';
import type { Contender } from './contender.mjs';

/** GPUBufferUsage's bits, which Node has no global for. */
const usage = { mapRead: 1, copySource: 4, copyTarget: 8, storage: 128, queryResolve: 512 } as const;

export interface RawKernel {
  readonly name: string;
  readonly code: string;
  /** Bytes of the buffers at bindings 0, 1, …; filled with small numbers, not zeros, which some devices compress. */
  readonly buffers: readonly number[];
  readonly grid: readonly [number, number?];
}

/** Buffers of numbers from 0 to 1. */
export function filledBuffer(device: GPUDevice, bytes: number): GPUBuffer {
  const flags = usage.storage | usage.copySource | usage.copyTarget;
  const buffer = device.createBuffer({ size: bytes, usage: flags, mappedAtCreation: true });
  const words = new Float32Array(buffer.getMappedRange());
  for (let i = 0; i < words.length; i++) words[i] = ((i * 7919) % 1009) / 1009;
  buffer.unmap();
  return buffer;
}

/** What a raw contender has set up. */
export interface RawSetup {
  readonly pipeline: GPUComputePipeline;
  readonly group: GPUBindGroup;
  readonly layout: GPUBindGroupLayout;
  readonly buffers: readonly GPUBuffer[];
}

/** Pipeline, buffers and bind group of a kernel; rejects with the compiler's message. */
export async function setUp(device: GPUDevice, { name, code, buffers: sizes }: RawKernel): Promise<RawSetup> {
  const module = device.createShaderModule({ code, label: name });
  const pipeline = await device.createComputePipelineAsync({ layout: 'auto', compute: { module }, label: name });
  const buffers = sizes.map((bytes) => filledBuffer(device, bytes));
  const layout = pipeline.getBindGroupLayout(0);
  const entries = buffers.map((buffer, binding) => ({ binding, resource: { buffer } }));
  return { pipeline, layout, buffers, group: device.createBindGroup({ layout, entries }) };
}

/** One dispatch a run, all runs of a sample in one pass and one submit. */
export async function rawKernel(device: GPUDevice, kernel: RawKernel): Promise<Contender> {
  const { pipeline, group, buffers } = await setUp(device, kernel);
  const [x, y = 1] = kernel.grid;
  const encode = (encoder: GPUCommandEncoder, count: number, timestampWrites?: GPUComputePassTimestampWrites): void => {
    const pass = encoder.beginComputePass(timestampWrites ? { timestampWrites } : {});
    pass.setPipeline(pipeline);
    pass.setBindGroup(0, group);
    for (let i = 0; i < count; i++) pass.dispatchWorkgroups(x, y);
    pass.end();
  };
  const contender: Contender = {
    name: kernel.name,
    async run(count) {
      const encoder = device.createCommandEncoder();
      encode(encoder, count);
      device.queue.submit([encoder.finish()]);
      await awaitDevice(device.queue.onSubmittedWorkDone());
    },
    result: () => readBack(device, buffers.at(-1)!),
    dispose: () => buffers.forEach((buffer) => buffer.destroy()),
  };
  if (!device.features.has('timestamp-query')) return contender;
  return {
    ...contender,
    gpuMilliseconds: (count) =>
      timestamped(device, (encoder, timestampWrites) => encode(encoder, count, timestampWrites)).then(
        (milliseconds) => milliseconds / count,
      ),
  };
}

/** GPU milliseconds of one pass. */
async function timestamped(
  device: GPUDevice,
  encode: (encoder: GPUCommandEncoder, writes: GPUComputePassTimestampWrites) => void,
): Promise<number> {
  const querySet = device.createQuerySet({ type: 'timestamp', count: 2 });
  const resolved = device.createBuffer({ size: 16, usage: usage.queryResolve | usage.copySource });
  try {
    const encoder = device.createCommandEncoder();
    encode(encoder, { querySet, beginningOfPassWriteIndex: 0, endOfPassWriteIndex: 1 });
    encoder.resolveQuerySet(querySet, 0, 2, resolved, 0);
    device.queue.submit([encoder.finish()]);
    const stamps = new BigUint64Array((await readBack(device, resolved)).buffer);
    return Number(stamps[1]! - stamps[0]!) / 1e6;
  } finally {
    resolved.destroy();
    querySet.destroy();
  }
}

/** The first bytes of a buffer, on the host. */
export async function readBack(
  device: GPUDevice,
  from: GPUBuffer,
  bytes = from.size,
): Promise<Float32Array<ArrayBuffer>> {
  const staging = device.createBuffer({ size: bytes, usage: usage.mapRead | usage.copyTarget });
  try {
    const encoder = device.createCommandEncoder();
    encoder.copyBufferToBuffer(from, 0, staging, 0, bytes);
    device.queue.submit([encoder.finish()]);
    await awaitDevice(staging.mapAsync(1));
    return new Float32Array(staging.getMappedRange().slice(0));
  } finally {
    staging.destroy();
  }
}
