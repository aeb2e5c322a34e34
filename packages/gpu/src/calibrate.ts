// Measures an adapter's speed at open by a matrix product C = A·B that reads every operand from memory, as real kernels do.

const SIZE = 64;
const WORKGROUP = 64;

/** Each thread makes one element of a 64 × 64 product, `repeats` times over. Two operations per step of the inner loop. */
const code = /* wgsl */ `
@group(0) @binding(0) var<storage, read> a: array<f32>;
@group(0) @binding(1) var<storage, read_write> c: array<f32>;
@compute @workgroup_size(${WORKGROUP}) fn speed(@builtin(global_invocation_id) id: vec3u) {
  let row = (id.x / ${SIZE}u) % ${SIZE}u;
  let column = id.x % ${SIZE}u;
  var sum = 0.0;
  for (var k = 0u; k < ${SIZE}u; k++) { sum += a[row * ${SIZE}u + k] * a[k * ${SIZE}u + column]; }
  c[id.x % ${SIZE * SIZE}u] = sum;
}`;

/** One run shall take at least this long to be believed, in milliseconds. */
const ENOUGH = 8;
/** And all runs together at most about this long. */
const PATIENCE = 40;

/** Operations per second, to within a factor of about two: it only decides where long steps are cut. */
export async function measureFlops(device: GPUDevice): Promise<number> {
  const bytes = SIZE * SIZE * 4;
  const buffers = [0, 1].map(() => device.createBuffer({ size: bytes, usage: 128, label: 'calibration' }));
  try {
    const module = device.createShaderModule({ code, label: 'calibration' });
    const pipeline = await device.createComputePipelineAsync({
      layout: 'auto',
      compute: { module },
      label: 'calibration',
    });
    const entries = buffers.map((buffer, binding) => ({ binding, resource: { buffer } }));
    const group = device.createBindGroup({ layout: pipeline.getBindGroupLayout(0), entries });
    const run = async (workgroups: number): Promise<number> => {
      const encoder = device.createCommandEncoder();
      const pass = encoder.beginComputePass();
      pass.setPipeline(pipeline);
      pass.setBindGroup(0, group);
      pass.dispatchWorkgroups(workgroups);
      pass.end();
      const start = performance.now();
      device.queue.submit([encoder.finish()]);
      await device.queue.onSubmittedWorkDone();
      return performance.now() - start;
    };
    const begin = performance.now();
    await run(1);
    // What a run costs before it computes anything: waking threads, a fence. On loaded software adapters this is milliseconds.
    const latency = Math.min(await run(1), await run(1));
    const flopsOf = (workgroups: number): number => workgroups * WORKGROUP * SIZE * 2;
    let workgroups = 64;
    let speed = 0;
    // The best of several runs, since another program on the machine can only make a run slower.
    for (let believed = 0; ;) {
      const time = await run(workgroups);
      speed = Math.max(speed, (flopsOf(workgroups) / Math.max(time - latency, time / 8, 0.01)) * 1000);
      const next = time < ENOUGH ? Math.min(65535, workgroups * 4) : workgroups;
      if (next === workgroups) believed += 1;
      const expected = latency + (flopsOf(next) / speed) * 1000;
      if (believed === 3 || performance.now() - begin + expected > PATIENCE) return speed;
      workgroups = next;
    }
  } finally {
    for (const buffer of buffers) buffer.destroy();
  }
}
