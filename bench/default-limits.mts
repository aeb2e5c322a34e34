// A device that has WebGPU's default limits and no more, whatever its adapter could.
import { defaultLimits, type Gpu } from '@limn/gpu';
import { openNodeGpu } from '@limn/gpu/node';

/** Opens it; throws where one of its limits is another one. */
export async function openAtDefaultLimits(label: string): Promise<Gpu> {
  const gpu = await openNodeGpu({ limits: 'default', label });
  for (const [name, value] of Object.entries(defaultLimits)) {
    const got = gpu.capabilities.limits[name as keyof typeof defaultLimits];
    if (got === value) continue;
    gpu.dispose();
    throw new Error(`the device was to have WebGPU's default ${name} = ${value}, it has ${got}`);
  }
  return gpu;
}
