// `./run doctor`: the machine, its drivers, the adapter that limn opens, and that it computes.
import os from 'node:os';
import path from 'node:path';
import { formatBytes, messageOf } from '@limn/gpu';
import { openNodeGpu } from '@limn/gpu/node';
import { fromData, matmul, read } from '@limn/tensor';
import { save } from '../../result-file.mjs';
import { libraryPath } from './driver-manifests.mjs';
import type { Found } from './find-driver.mjs';
import { deviceFiles, files, machine, results } from './machine.mjs';
import { load } from './preload.mjs';

const LIBRARIES: Readonly<Record<string, string>> = {
  machine: 'of the machine',
  'c++': "glibc of the machine, C++'s of the pack",
  pack: 'of the pack, glibc too',
};

/** Prints what was found; false when no adapter opens or what it computes is wrong. */
export async function doctor(found: Found): Promise<boolean> {
  const line = (name: string, text: string): void => console.log(`${name.padEnd(18)} ${text}`);
  const cpu = os.cpus()[0]?.model ?? 'unknown processor';
  line(
    'machine',
    `${os.type()} ${os.release()}, ${cpu}, ${os.availableParallelism()} cores, ${formatBytes(os.totalmem())}`,
  );
  const distribution = /^PRETTY_NAME="?([^"\n]*)/m.exec(files.read('/etc/os-release') ?? '')?.[1];
  if (distribution !== undefined) line('system', distribution);
  line('Node', `${process.version}; libraries ${LIBRARIES[process.env['LIMN_LIBRARIES'] ?? ''] ?? 'unknown'}`);
  line('GPU devices', deviceFiles().join(' ') || 'none in /dev');
  const nvidia = files.read('/proc/driver/nvidia/version')?.split('\n')[0];
  if (nvidia !== undefined) line('NVIDIA driver', nvidia.replace(/^NVRM version:\s*/, ''));
  line('Vulkan loader', found.loader === 'none' ? 'none' : `${found.loader}${loadedFrom('libvulkan.so')}`);
  const { manifests } = machine();
  if (manifests.length === 0) line('driver manifests', 'none');
  for (const manifest of manifests)
    line(
      'driver manifest',
      `${manifest.file} → ${manifest.library}${manifest.usual ? '' : ' (not where a loader looks)'}`,
    );
  found.steps.forEach((step) => line('tried', step));
  const asked = process.env['LIMN_ADAPTER'] || 'auto';
  const { adapter: seen } = found;
  if (seen) line('driver', `${seen.description}${seen.isSoftware ? ' (software)' : ''}`);
  else if (asked === 'swiftshader') line('driver', 'not looked for: LIMN_ADAPTER=swiftshader');
  else {
    line('driver', 'gives no adapter');
    for (const manifest of manifests) {
      const problem = load(libraryPath(manifest));
      if (problem !== undefined) line('does not load', problem);
    }
    advice().forEach((text) => line('', text));
  }
  try {
    const gpu = await openNodeGpu({ label: 'doctor' });
    const { adapter, source, f16, subgroups, subgroupMin, subgroupMax, timestamps, limits, flopsPerSecond } =
      gpu.capabilities;
    line('adapter', `${adapter.description || adapter.device} (LIMN_ADAPTER=${asked} gave ${source})`);
    line(
      'features',
      `f16 ${f16 ? 'yes' : 'no'}, subgroups ${subgroups ? `${subgroupMin}–${subgroupMax}` : 'no'}, timestamps ${timestamps ? 'yes' : 'no'}`,
    );
    line(
      'limits',
      `${formatBytes(limits.maxStorageBufferBindingSize)} a binding, ${formatBytes(limits.maxBufferSize)} a buffer, ${formatBytes(limits.maxComputeWorkgroupStorageSize)} of workgroup memory`,
    );
    line('speed at opening', `${(flopsPerSecond / 1e9).toPrecision(3)} GFLOP/s`);
    const step = gpu.step();
    const ones = fromData(step, new Float32Array(64 * 64).fill(1), [64, 64]);
    const sums = [...(await read(step, matmul(step, ones, ones)))];
    step.dispose();
    const right = sums.every((sum) => sum === 64);
    line(
      'computes',
      right ? 'a 64 × 64 matmul, right' : `a 64 × 64 matmul, WRONG: ${sums.slice(0, 4).join(' ')} … instead of 64`,
    );
    const report = {
      adapter,
      source,
      asked,
      f16,
      subgroups,
      timestamps,
      limits,
      flopsPerSecond,
      found,
      manifests,
      node: process.version,
    };
    save(path.join(results, 'doctor.json'), `${JSON.stringify(report, undefined, 1)}\n`);
    gpu.dispose();
    return right;
  } catch (error) {
    line('adapter', `none: ${messageOf(error)}`);
    return false;
  }
}

/** Where a loaded library lies, from the process's own map. */
function loadedFrom(name: string): string {
  const found = files
    .read('/proc/self/maps')
    ?.split('\n')
    .map((line) => line.slice(line.indexOf('/')))
    .find((file) => path.basename(file).startsWith(name));
  return found ? `, ${found}` : '';
}

/** What most often keeps a GPU's driver away. */
function advice(): string[] {
  const devices = deviceFiles();
  if (devices.length === 0)
    return ['No GPU is visible here. In a container: give it the device (docker run --gpus all, --device /dev/dri).'];
  if (devices.some((name) => name.includes('nvidia')) && machine().nvidia.length === 0)
    return [
      'The GPU is here, and of its driver only the part for CUDA: Vulkan needs libGLX_nvidia.so.0 or libEGL_nvidia.so.0.',
      'In a container: start it with NVIDIA_DRIVER_CAPABILITIES=all (or graphics,compute,utility).',
    ];
  return ['Say where the driver’s manifest is: VK_DRIVER_FILES=/path/to/icd.json ./run doctor'];
}
