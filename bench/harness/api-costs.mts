// What copies between host and device and single calls of WebGPU cost, as contenders. Runs in Node and in browsers.
import { awaitDevice } from '@limn/gpu';
import type { Contender } from './contender.mjs';
import { filledBuffer, rawKernel, readBack, setUp, type RawKernel } from './raw-kernel.mjs';

/** One lane that changes one number: what is left is the cost of the call. */
export const tinyKernel: RawKernel = {
  name: 'tiny kernel',
  code: '@group(0) @binding(0) var<storage, read_write> y: array<f32>;\n@compute @workgroup_size(1) fn main() { y[0] += 1.0; }',
  buffers: [16],
  grid: [1],
};

/** A copy between two buffers of `bytes`, by the queue. */
export async function bufferCopy(device: GPUDevice, bytes: number): Promise<Contender> {
  const [from, to] = [filledBuffer(device, bytes), filledBuffer(device, bytes)] as const;
  return {
    name: 'copyBufferToBuffer',
    async run(count) {
      const encoder = device.createCommandEncoder();
      for (let i = 0; i < count; i++) encoder.copyBufferToBuffer(from, 0, to, 0, bytes);
      device.queue.submit([encoder.finish()]);
      await awaitDevice(device.queue.onSubmittedWorkDone());
    },
    result: () => readBack(device, to),
    dispose: () => [from, to].forEach((buffer) => buffer.destroy()),
  };
}

/** `bytes` from the host into a buffer. */
export async function upload(device: GPUDevice, bytes: number): Promise<Contender> {
  const to = filledBuffer(device, bytes);
  const data = new Float32Array(bytes / 4).fill(0.5);
  return {
    name: 'writeBuffer',
    async run(count) {
      for (let i = 0; i < count; i++) device.queue.writeBuffer(to, 0, data);
      await awaitDevice(device.queue.onSubmittedWorkDone());
    },
    result: () => readBack(device, to),
    dispose: () => to.destroy(),
  };
}

/** `bytes` from a buffer to the host. */
export async function download(device: GPUDevice, bytes: number): Promise<Contender> {
  const from = filledBuffer(device, bytes);
  let last: Float32Array | undefined;
  return {
    name: 'read back',
    async run(count) {
      for (let i = 0; i < count; i++) last = await readBack(device, from);
    },
    result: async () => last ?? readBack(device, from),
    dispose: () => from.destroy(),
  };
}

/** `count` tiny dispatches, each with something made for it. */
export async function callsPer(device: GPUDevice, each: 'pass' | 'submit' | 'bind-group'): Promise<Contender> {
  const { pipeline, group, layout, buffers: made } = await setUp(device, tinyKernel);
  return {
    name: each,
    async run(count) {
      let encoder = device.createCommandEncoder();
      let pass = encoder.beginComputePass();
      pass.setPipeline(pipeline);
      pass.setBindGroup(0, group);
      for (let i = 0; i < count; i++) {
        if (each === 'bind-group') {
          const entries = made.map((buffer, binding) => ({ binding, resource: { buffer } }));
          pass.setBindGroup(0, device.createBindGroup({ layout, entries }));
        }
        pass.dispatchWorkgroups(1);
        if (each === 'bind-group' || i === count - 1) continue;
        pass.end();
        if (each === 'submit') {
          device.queue.submit([encoder.finish()]);
          encoder = device.createCommandEncoder();
        }
        pass = encoder.beginComputePass();
        pass.setPipeline(pipeline);
        pass.setBindGroup(0, group);
      }
      pass.end();
      device.queue.submit([encoder.finish()]);
      await awaitDevice(device.queue.onSubmittedWorkDone());
    },
    result: () => readBack(device, made[0]!),
    dispose: () => made.forEach((buffer) => buffer.destroy()),
  };
}

/** A buffer made and destroyed. */
export function bufferMaking(device: GPUDevice): Contender {
  return {
    name: 'createBuffer',
    async run(count) {
      for (let i = 0; i < count; i++) device.createBuffer({ size: 2 ** 20, usage: 128 }).destroy();
      await awaitDevice(device.queue.onSubmittedWorkDone());
    },
    result: async () => new Float32Array(),
    dispose: () => undefined,
  };
}

/** A tiny dispatch, and what it wrote on the host. */
export async function roundTrip(device: GPUDevice): Promise<Contender> {
  const kernel = await rawKernel(device, tinyKernel);
  return {
    ...kernel,
    name: 'round trip',
    async run(count) {
      for (let i = 0; i < count; i++) {
        await kernel.run(1);
        await kernel.result();
      }
    },
  };
}
